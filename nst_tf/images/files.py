"""Writing of pictures in 8 bits, atomically, with text inside a PNG, and reading of that text."""

import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nst_tf.util.errors import InputError
from nst_tf.util.files import open_regular_file, write_atomically
from nst_tf.util.paths import printable, user_path

WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 95}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".bmp": ("BMP", {}),
}
"""Pillow's format and its options for each suffix."""


def to_bytes(image: Any) -> np.ndarray:
    """Round a picture to 8 bits: ``round(255·clip(x, 0, 1))``.

    Args:
        image: Array or eager tensor ``(H, W, C)``, ``(1, H, W, C)`` or ``(H, W)`` of floats in [0, 1]. Values outside
            are clipped, and NaN becomes 0.

    Returns:
        Array of uint8 without the batch axis.

    Raises:
        ValueError: The shape is that of several pictures, or has too few axes.
    """
    array = np.asarray(image, dtype=np.float32)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (2, 3):
        raise ValueError(f"one picture expected, (H, W, 3) or (1, H, W, 3); received shape {array.shape}")
    return np.rint(255 * np.clip(np.nan_to_num(array, nan=0.0), 0, 1)).astype(np.uint8)


def write_picture(
    path: str | os.PathLike[str],
    image: Any,
    *,
    alpha: np.ndarray | None = None,
    text: Mapping[str, str] | None = None,
    reserved: bool = False,
) -> None:
    """Write a picture atomically, in the format that the suffix names.

    The bytes go to a temporary file in the same folder, which is then renamed. A reader therefore sees either the old
    picture or the new one. A missing folder is created.

    Args:
        path: Path with a suffix of `WRITERS`, in upper or lower case.
        image: Floats ``(H, W, 3)`` or ``(1, H, W, 3)`` in [0, 1], rounded by `to_bytes`.
        alpha: Fourth channel ``(H, W)`` of a PNG, in [0, 1]; other formats drop it.
        text: Entries of a PNG's iTXt chunks, with keys of 1 to 79 Latin-1 characters and any text as values; other
            formats drop them.
        reserved: Whether the file goes into the disk space that `nst_tf.util.files.reserve_space` keeps for it.

    Raises:
        InputError: The suffix is not in the table.
        ValueError: The shapes do not match, or a key is not allowed in a PNG.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise InputError(f"Unknown picture format {path.suffix!r} ({path.name}); available: {', '.join(WRITERS)}")
    kind, options = WRITERS[path.suffix.lower()]
    buffer = io.BytesIO()
    if kind == "PNG":
        Image.fromarray(_with_alpha(image, alpha)).save(buffer, kind, pnginfo=_text_chunks(text or {}))
    else:
        Image.fromarray(_with_alpha(image, None)).save(buffer, kind, **options)
    write_atomically(path, buffer.getbuffer(), reserved)


def read_text(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the text that a PNG carries before its pixels, where a run writes it. The pixels are not decoded.

    Args:
        path: Path of the picture; ``~`` is expanded.

    Returns:
        Keys and values of its text chunks; empty for a PNG without text.

    Raises:
        InputError: The file is missing or is not a PNG.
    """
    remedy = "give a PNG file that a run wrote"
    try:
        with open_regular_file(user_path(path)) as file:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the pixels are not decoded
                image = Image.open(file, formats=["PNG"])
            return {str(key): str(value) for key, value in image.info.items() if isinstance(value, str)}
    except FileNotFoundError:
        raise InputError(f"No such picture: {str(path)!r}; {remedy}") from None
    except InputError as error:
        raise InputError(f"{error}; {remedy}") from None
    except (OSError, ValueError, SyntaxError, RuntimeError, Image.DecompressionBombError):
        raise InputError(f"Not a readable PNG: {str(path)!r}; {remedy}") from None


def _with_alpha(image: Any, alpha: np.ndarray | None) -> np.ndarray:
    colours = to_bytes(image)
    if colours.ndim != 3 or colours.shape[2] != 3:
        raise ValueError(f"three channels expected, (H, W, 3); received shape {colours.shape}")
    if alpha is None:
        return colours
    opacity = to_bytes(alpha)
    if opacity.shape != colours.shape[:2]:
        raise ValueError(f"alpha of shape {opacity.shape} does not fit a picture of {colours.shape[:2]}")
    return np.dstack([colours, opacity])


def _text_chunks(text: Mapping[str, str]) -> PngInfo:
    chunks = PngInfo()
    for key, value in text.items():
        if not 1 <= len(key.encode("latin-1")) <= 79 or "\0" in key:
            raise ValueError(f"PNG text key {key!r} must have 1 to 79 characters and no null")
        # A file name that is not UTF-8 has lone surrogates. In JSON, such an escape means the surrogate itself.
        chunks.add_itxt(key, printable(value))
    return chunks
