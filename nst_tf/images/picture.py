"""The type of a picture, and its reading from a file or a sample."""

import hashlib
import io
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from nst_tf.images.decoding import decode, flatten
from nst_tf.images.samples import PREFIX, sample_names, sample_pixels
from nst_tf.util.errors import InputError

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture at its own size.

    Attributes:
        pixels: RGB ``(H, W, 3)`` float32 in [0, 1], composited over white: ``a·x + (1 − a)``.
        alpha: Alpha channel ``(H, W)`` float32 in [0, 1]; None for an opaque picture.
        source: The path or ``sample:NAME`` that was requested.
        sha256: Hex digest of the file's bytes, or of a sample's 8-bit RGB pixels.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    source: str = ""
    sha256: str = ""


def read_picture(source: str, role: str = "picture") -> Picture:
    """Read a picture upright, in sRGB, at its own size.

    JPEG, PNG, WebP, TIFF, BMP, the first frame of a GIF and every other format of Pillow can be read, in 1, 8 or 16
    bits, in grey, palette, RGB or CMYK, with or without alpha. The EXIF orientation is applied, and an embedded colour
    profile is converted to sRGB. A profile that cannot be used is ignored with a warning in the log. 16-bit grey keeps
    its precision; 16-bit colour keeps its high byte.

    Args:
        source: Path, in which ``~`` is expanded, or ``sample:NAME``.
        role: Purpose of the picture (``content``, ``style``), which errors name.

    Returns:
        The picture, composited over white.

    Raises:
        InputError: The file is missing, empty, broken, too large or not a picture, or the sample is unknown.
    """
    source = str(source)
    if source.startswith(PREFIX):
        return _read_sample(source, role)
    content = _read_bytes(source, role)
    pixels, alpha = _decode_bytes(content, source, role)
    if alpha is not None and alpha.min() == 1:
        alpha = None
    return Picture(flatten(pixels, alpha), alpha, source, hashlib.sha256(content).hexdigest())


def _read_sample(source: str, role: str) -> Picture:
    pixels = np.ascontiguousarray(sample_pixels(source.removeprefix(PREFIX), role))
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Picture(pixels.astype(np.float32) / np.float32(255), None, source, digest)


def _read_bytes(source: str, role: str) -> bytes:
    place = f"{source!r} ({role})"
    try:
        content = Path(source).expanduser().read_bytes()
    except IsADirectoryError:
        raise InputError(f"A folder, not a picture: {place}; name one file in it") from None
    except PermissionError:
        raise InputError(f"Not readable: {place}; check the file's permissions") from None
    except (OSError, ValueError, RuntimeError):  # also a name too long, a null byte, an unknown ~user
        remedy = f"give the path of an image file or {PREFIX}NAME with one of {', '.join(sample_names())}"
        raise InputError(f"No such picture: {place}; {remedy}") from None
    if not content:
        raise InputError(f"Empty file: {place}; give an image file")
    return content


def _decode_bytes(content: bytes, source: str, role: str) -> tuple[np.ndarray, np.ndarray | None]:
    place = f"{source!r} ({role})"
    # Pillow's warnings go to the log, so that they cannot end a run in which warnings are errors.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content)) as image:
                decoded = decode(image, place)
        except UnidentifiedImageError:
            kinds = "JPEG, PNG, WebP, TIFF, BMP or GIF"
            raise InputError(f"Not a picture: {place}; give a {kinds} file") from None
        except (Image.DecompressionBombError, MemoryError):
            limit = f"{2 * (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000} megapixels"
            raise InputError(f"Picture too large: {place}; scale it down below {limit}") from None
        except Exception as error:  # decoders raise errors of many types on broken files
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"Broken picture: {place}: {reason}; save or copy it again") from error
    for warning in caught:
        log.warning("%s: %s", place, " ".join(str(warning.message).split()))
    return decoded
