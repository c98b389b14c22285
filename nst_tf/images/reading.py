"""Reading of the bytes of a picture file: a regular file, and none above the limits."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from nst_tf.images.samples import PREFIX, sample_names
from nst_tf.util.errors import InputError
from nst_tf.util.files import open_regular_file
from nst_tf.util.paths import user_path


@dataclass(frozen=True)
class Limits:
    """Largest picture that is read. Both limits are checked before anything is read or decoded.

    Attributes:
        megabytes: Size of the file, in units of 10⁶ bytes.
        megapixels: Pixels after decoding, in units of 10⁶.
        group: Group of the settings that raise the limits, which errors name; empty where no setting does.
    """

    megabytes: int = 500
    megapixels: int = 100
    group: str = ""

    def describe(self, unit: str) -> str:
        """Return a limit with its key and the remedy, for an error.

        Args:
            unit: ``megabytes`` or ``megapixels``.
        """
        most = getattr(self, unit)
        if not self.group:
            return f"the limit is {most} {unit}; scale the picture down"
        return f"the limit is {self.group}.max_{unit}={most}; raise it, or scale the picture down"


def read_bytes(source: str, role: str, limits: Limits) -> bytes:
    """Read a whole file.

    Args:
        source: Path of a regular file, in which ``~`` is expanded.
        role: Purpose of the picture, which errors name.
        limits: Largest size of the file.

    Returns:
        The bytes of the file, at least one.

    Raises:
        InputError: The file is missing, empty, too large, not readable or not a regular file.
    """
    place = f"{source!r} ({role})"
    try:
        return _read_regular(user_path(source), place, limits)
    except InputError:
        raise
    except PermissionError:
        raise InputError(f"Not readable: {place}; check the file's permissions") from None
    except MemoryError:
        raise InputError(f"File too large: {place} does not fit into memory; {limits.describe('megabytes')}") from None
    except (OSError, ValueError, RuntimeError):  # also a name too long, a null byte, an unknown ~user
        raise InputError(f"No such picture: {place}; {_remedy(source)}") from None


def _read_regular(path: Path, place: str, limits: Limits) -> bytes:
    if path.is_dir():
        raise InputError(f"A folder, not a picture: {place}; name one file in it")
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open_regular_file(path))
        except InputError:
            raise InputError(
                f"Not a regular file: {place} is a pipe, a socket or a device; give an image file"
            ) from None
        return file.read(_checked_size(os.fstat(file.fileno()).st_size, place, limits))


def _checked_size(size: int, place: str, limits: Limits) -> int:
    if size == 0:  # also files of /proc, which can block
        raise InputError(f"Empty file: {place}; give an image file")
    if size > limits.megabytes * 10**6:
        megabytes = f"{size / 1e6:.0f} megabytes"
        raise InputError(f"File too large: {place} has {megabytes}; {limits.describe('megabytes')}")
    return size


def _remedy(source: str) -> str:
    if source.startswith("<"):
        return "its pixels were given from Python and are in no file; give them again, or the path of an image file"
    return f"give the path of an image file or {PREFIX}NAME with one of {', '.join(sample_names())}"
