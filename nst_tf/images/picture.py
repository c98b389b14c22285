"""The type of a picture, and its reading from a file or a sample."""

import hashlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from nst_tf.images.decoding import decode, flatten
from nst_tf.images.metadata import NO_METADATA, Metadata, read_metadata
from nst_tf.images.reading import Limits, read_bytes
from nst_tf.images.samples import PREFIX, sample_pixels
from nst_tf.util.errors import InputError, message_of
from nst_tf.util.paths import user_path

log = logging.getLogger(__name__)

FORMATS = ("JPEG", "PNG", "WebP", "TIFF", "BMP", "GIF", "AVIF")
"""Formats that are read. Pillow has more, and some of them start other programs or allocate without a limit."""

REDUCED_ABOVE = 50_000_000
"""Number of pixels above which a JPEG is decoded at a reduced size if the run uses it much smaller."""

REDUCTIONS = (8, 4, 2)
"""Factors by which a JPEG decoder can divide both sides."""

OVERSAMPLING = 2
"""A picture is decoded at this multiple of the size at which it is used, or larger, so that resampling stays exact."""

LEAST_REDUCED_SIDE = 1024
"""Shorter side in pixels below which no picture is reduced."""

LARGEST_REDUCTION = 4
"""A JPEG may have this multiple of the largest number of pixels, since a progressive one is held whole."""

UsedScale = Callable[[int, int], float]
"""Function from height and width of a picture to the factor at which a run uses it."""


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """A picture at its own size.

    Attributes:
        pixels: RGB ``(H, W, 3)`` float32 in [0, 1], composited over white: ``a·x + (1 − a)``.
        alpha: Alpha channel ``(H, W)`` float32 in [0, 1]; None for an opaque picture.
        source: The path or ``sample:NAME`` that was requested; ``<array WIDTHxHEIGHT>`` for pixels from Python.
        sha256: Hex digest of the file's bytes, of a sample's 8-bit RGB pixels, or of the pixels from Python.
        path: Absolute path of the file; None for a sample and for pixels from Python.
        metadata: Resolution, colour profile and EXIF of the file.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    source: str = ""
    sha256: str = ""
    path: str | None = None
    metadata: Metadata = NO_METADATA

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Picture({self.source!r}, {width}x{height})"

    def __str__(self) -> str:
        return self.source


def read_picture(
    source: str | Picture, role: str = "picture", limits: Limits | None = None, scale: UsedScale | None = None
) -> Picture:
    """Read a picture upright, in sRGB, at its own size.

    The first frame of a file in one of `FORMATS` can be read, in 1, 8 or 16 bits, in grey, palette, RGB or CMYK, with
    or without alpha. The EXIF orientation is applied, and an embedded colour profile is converted to sRGB. A profile
    that cannot be used is ignored with a warning in the log. 16-bit grey keeps its precision; 16-bit colour keeps its
    high byte.

    A JPEG above `REDUCED_ABOVE` pixels is decoded at 1/2, 1/4 or 1/8 of its size if that is still at least twice the
    size at which it is used. A JPEG above the limit of pixels is reduced to the limit.

    Args:
        source: Path, in which ``~`` is expanded, or ``sample:NAME``. A `Picture` is returned as it is.
        role: Purpose of the picture (``content``, ``style``), which errors name.
        limits: Largest file and picture; None for the defaults of `Limits`.
        scale: Factor at which the picture will be used; None reads it at its full size.

    Returns:
        The picture, composited over white.

    Raises:
        InputError: The file is missing, empty, broken, too large, not a regular file or not a picture, or the sample
            is unknown.
    """
    if isinstance(source, Picture):
        return source
    source = str(source)
    if source.startswith(PREFIX):
        return _read_sample(source, role)
    limits = limits or Limits()
    content = read_bytes(source, role, limits)
    pixels, alpha, metadata = _decode_bytes(content, f"{source!r} ({role})", limits, scale)
    if alpha is not None and alpha.min() == 1:
        alpha = None
    digest = hashlib.sha256(content).hexdigest()
    return Picture(flatten(pixels, alpha), alpha, source, digest, str(user_path(source)), metadata)


def _read_sample(source: str, role: str) -> Picture:
    pixels = np.ascontiguousarray(sample_pixels(source.removeprefix(PREFIX), role))
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Picture(pixels.astype(np.float32) / np.float32(255), None, source, digest)


def _decode_bytes(
    content: bytes, place: str, limits: Limits, scale: UsedScale | None
) -> tuple[np.ndarray, np.ndarray | None, Metadata]:
    with _pillow_warnings_in_log(place), _without_pillows_limit():
        try:
            with Image.open(io.BytesIO(content), formats=[name.upper() for name in FORMATS]) as image:
                _reduce(image, place, limits, scale)
                _check_pixels(image, place, limits)
                return *decode(image, place), read_metadata(image, place)
        except InputError:
            raise
        except UnidentifiedImageError:
            kinds = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
            raise InputError(f"Not a picture: {place}; give a {kinds} file") from None
        except MemoryError:
            raise InputError(f"Picture too large: {place} does not fit into memory; scale it down") from None
        except Exception as error:  # decoders raise errors of many types on broken files
            reason = message_of(error)
            raise InputError(f"Broken picture: {place}: {reason}; save or copy it again") from error


@contextmanager
def _pillow_warnings_in_log(place: str) -> Iterator[None]:
    """Send Pillow's warnings to the log, so that they cannot end a run in which warnings are errors."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        log.warning("%s: %s", place, " ".join(str(warning.message).split()))


@contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Switch off Pillow's own limit of pixels, which no setting could raise; `_check_pixels` takes its place."""
    most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = most


def _check_pixels(image: Image.Image, place: str, limits: Limits) -> None:
    if image.width * image.height > limits.megapixels * 10**6:
        raise _too_many_pixels(image, place, limits)


def _too_many_pixels(image: Image.Image, place: str, limits: Limits) -> InputError:
    megapixels = f"{image.width * image.height / 1e6:.0f} megapixels"
    size = f"{image.width}x{image.height}, {megapixels}"
    return InputError(f"Picture too large: {place} has {size}; {limits.describe('megapixels')}")


def _reduce(image: Image.Image, place: str, limits: Limits, scale: UsedScale | None) -> None:
    """Let the decoder of a large JPEG divide its sides, before anything is decoded."""
    width, height = image.size
    most = limits.megapixels * 10**6
    if not isinstance(image, JpegImageFile) or width * height <= min(REDUCED_ABOVE, most):
        return
    if width * height > LARGEST_REDUCTION * most:
        raise _too_many_pixels(image, place, limits)
    factor = max(_spare_factor(height, width, scale), 2 if width * height > most else 1)
    if factor > 1:
        image.draft(None, (width // factor, height // factor))
        log.info("%s: %dx%d is read at %dx%d", place, width, height, *image.size)


def _spare_factor(height: int, width: int, scale: UsedScale | None) -> int:
    """Return the largest reduction that leaves more pixels than the run uses; 1 for none."""
    if scale is None:
        return 1
    used = max(scale(height, width), scale(width, height))  # the EXIF orientation may exchange the sides
    spare = min(1 / (OVERSAMPLING * used), min(height, width) / LEAST_REDUCED_SIDE)
    return next((factor for factor in REDUCTIONS if factor <= spare), 1)
