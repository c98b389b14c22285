"""Atomic file writes, and reads of files that others may have put there."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nst_tf.util.errors import InputError

PARTIAL_SUFFIX = ".partial"
"""Suffix of the temporary names under which files are written. A killed process can leave such a file."""


MOST_TRIES = 100
"""Number of times that a folder is created while other processes remove it."""


@contextlib.contextmanager
def atomic_file(path: Path, reserved: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` for writing; at the end of the block it takes the place of ``path``.

    So a reader sees the old file or the new one. If the block raises an exception, the old file stays.

    Args:
        path: The file; a missing folder is created.
        reserved: Whether the content goes into the space of `reserve_space`, if there is any. The block then writes the
            content in order, and what is left of the space becomes free.

    Raises:
        OSError: The file cannot be written; its ``filename`` is ``path``.
    """
    with name_in_error(path):
        make_folder(path.parent)
        temporary = _reserve(path) if reserved else path.with_name(f".{secrets.token_hex(8)}{PARTIAL_SUFFIX}")
        try:
            with open(temporary, "wb", opener=_open_with_its_space) as file:
                yield file
                file.flush()
                if reserved:
                    file.truncate()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | memoryview, reserved: bool = False) -> None:
    """Write bytes as a whole or not at all; see `atomic_file`."""
    with atomic_file(path, reserved) as file:
        file.write(content)


def reserve_space(path: Path, size: int) -> None:
    """Reserve disk space for a file, so that a disk that becomes full cannot prevent its next reserved write.

    The space is that of a temporary file, which the write fills and renames. It is never free in between, so that no
    other process can take it.

    Args:
        path: The file, of which nothing is changed; a missing folder is created.
        size: Number of bytes.

    Raises:
        OSError: The disk has not so much free space; the ``filename`` is ``path``.
    """
    with name_in_error(path):
        make_folder(path.parent)
        release_space(path)
        with _reserve(path).open("xb") as file:
            os.posix_fallocate(file.fileno(), 0, size)


def release_space(path: Path) -> None:
    """Release the reserved space of a file, if there is any."""
    with contextlib.suppress(OSError):
        _reserve(path).unlink(missing_ok=True)


def _open_with_its_space(path: str, flags: int) -> int:
    """Open a temporary file without giving its space back, and without following a link of its name."""
    return os.open(path, flags & ~os.O_TRUNC | os.O_NOFOLLOW, 0o666)


def _reserve(path: Path) -> Path:
    return path.with_name(f".{path.name}{PARTIAL_SUFFIX}")


def make_folder(path: Path) -> None:
    """Create a folder and its parents unless they exist.

    Another process may remove an empty folder at the same time. ``Path.mkdir`` then raises an error that says that the
    folder exists, or that its parent does not.

    Raises:
        OSError: The folder cannot be created.
    """
    for _ in range(MOST_TRIES):
        try:
            return path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, FileNotFoundError):
            if path.exists():
                break
    return path.mkdir(parents=True, exist_ok=True)


def write_text(path: Path, text: str, reserved: bool = False) -> None:
    r"""Write text atomically, encoded in UTF-8; see `write_atomically`.

    Lone surrogates, which a file name that is not UTF-8 has, become ``\udc80`` … ``\udcff``. JSON reads them back.
    """
    write_atomically(path, text.encode("utf-8", "backslashreplace"), reserved)


def append_line(path: Path, line: str) -> None:
    """Append a text to a file as a whole or not at all, encoded in UTF-8.

    Args:
        path: The file.
        line: The text, with its line break.

    Raises:
        OSError: The text cannot be written. What a full disk has taken of it is removed again.
    """
    with name_in_error(path), path.open("ab", buffering=0) as file:
        remaining, length = memoryview(line.encode("utf-8", "backslashreplace")), file.tell()
        try:
            while remaining:
                remaining = remaining[file.write(remaining) :]
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(length)
            raise


@contextlib.contextmanager
def name_in_error(path: Path) -> Iterator[None]:
    """Add a path to an `OSError` that the block raises without one, as a write to a full disk does."""
    try:
        yield
    except OSError as error:
        if error.errno is None or not str(error.filename or PARTIAL_SUFFIX).endswith(PARTIAL_SUFFIX):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def remove_partial_files(folder: Path) -> None:
    """Remove the temporary files that killed processes have left in a folder.

    Args:
        folder: A folder that no other process writes into; it may be missing.
    """
    for path in folder.glob(f".*{PARTIAL_SUFFIX}"):
        with contextlib.suppress(OSError):
            path.unlink()


def read_regular_file(path: Path, largest: int) -> bytes:
    """Read a file that may come from elsewhere, without waiting for a pipe or a device.

    Args:
        path: The file.
        largest: Largest size in bytes.

    Returns:
        The content.

    Raises:
        InputError: The path is no regular file, or the file is larger than ``largest``.
        OSError: The file is missing or cannot be read.
    """
    with open_regular_file(path) as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise InputError(f"'{path}' is larger than {largest / 2**20:g} MiB, the limit for such a file")
    return content


@contextlib.contextmanager
def open_regular_file(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading, and close it at the end of the block.

    Raises:
        InputError: The path is a pipe, a device, a socket or a folder.
        OSError: The file is missing or cannot be opened.
    """
    _require_regular(path, path.stat())  # opening a device can have an effect
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        _require_regular(path, os.fstat(file.fileno()))
        yield file


def _require_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"'{path}' is not a regular file")
