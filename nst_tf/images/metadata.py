"""Metadata of a picture file: resolution, colour profile and EXIF, which the copy of a result can keep."""

import logging
from dataclasses import dataclass

from PIL import Image

log = logging.getLogger(__name__)

DESCRIPTIVE_TAGS = (270, 271, 272, 306, 315, 33432)
"""Tags of EXIF's first directory that describe the photograph: description, make, model, date, artist, copyright.

The others describe the pixels of the file, such as its orientation, and would be wrong for the result.
"""

_EXIF_DIRECTORY, _GPS_DIRECTORY = 0x8769, 0x8825
_WIDTH, _HEIGHT = 40962, 40963


@dataclass(frozen=True)
class Metadata:
    """Metadata of a picture file.

    Attributes:
        dpi: Pixels per inch along width and height; None where the file names none.
        profile: The embedded ICC profile; None for sRGB.
        exif: EXIF block with the descriptive tags, the camera's settings and the place; None where there is none.
    """

    dpi: tuple[float, float] | None = None
    profile: bytes | None = None
    exif: bytes | None = None


NO_METADATA = Metadata()
"""Metadata of a picture that is in no file."""


def read_metadata(image: Image.Image, label: str) -> Metadata:
    """Return the metadata of an image that Pillow has decoded.

    Args:
        image: The image.
        label: Name of the picture in the log.
    """
    try:
        exif = _descriptive_exif(image)
    except Exception as error:  # a broken EXIF block raises errors of many types, and the pixels are fine
        log.info("%s: EXIF is not kept (%s)", label, error)
        exif = None
    return Metadata(_resolution(image), image.info.get("icc_profile"), exif)


def exif_for_size(exif: bytes, height: int, width: int) -> bytes:
    """Return an EXIF block that names the size of another picture in place of its own."""
    block = Image.Exif()
    block.load(exif)
    camera = block.get_ifd(_EXIF_DIRECTORY)
    if camera:
        camera[_WIDTH], camera[_HEIGHT] = width, height
    return block.tobytes()


def _resolution(image: Image.Image) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None


def _descriptive_exif(image: Image.Image) -> bytes | None:
    source, kept = image.getexif(), Image.Exif()
    for tag in DESCRIPTIVE_TAGS:
        if tag in source:
            kept[tag] = source[tag]
    for directory in (_EXIF_DIRECTORY, _GPS_DIRECTORY):
        if entries := dict(source.get_ifd(directory)):
            kept.get_ifd(directory).update(entries)
    block = kept.tobytes()
    return block if len(kept) or len(kept.get_ifd(_EXIF_DIRECTORY)) or len(kept.get_ifd(_GPS_DIRECTORY)) else None
