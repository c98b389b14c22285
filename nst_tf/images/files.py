"""Pictures to files: 8 bits, written whole or not at all, with text inside a PNG."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from nst_tf.util.errors import InputError
from nst_tf.util.files import write_atomically

# Suffix -> Pillow's format and its options.
WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 95}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".bmp": ("BMP", {}),
}


def to_bytes(image: Any) -> np.ndarray:
    """Round a picture to 8 bits: ``round(255·clip(x, 0, 1))``.

    Args:
        image: ``(H, W, C)``, ``(1, H, W, C)`` or ``(H, W)``, floats in [0, 1], an array or an eager tensor;
            values outside are clipped, NaN becomes 0.

    Returns:
        uint8, without the axis of one picture.

    Raises:
        ValueError: a batch of several pictures, or too few axes.
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
) -> None:
    """Write a picture whole or not at all; the suffix chooses the format.

    The bytes go to a temporary file in the same folder, which then takes the name, so that a reader sees the
    old picture or the new one. A missing folder is made.

    Args:
        path: ends in one of ``WRITERS``' suffixes, in either case.
        image: ``(H, W, 3)`` or ``(1, H, W, 3)`` floats in [0, 1], rounded as ``to_bytes`` does.
        alpha: ``(H, W)`` in [0, 1], the fourth channel of a PNG; other formats drop it.
        text: entries for a PNG's iTXt chunks, keys of 1 to 79 Latin-1 characters, values any text;
            other formats drop them.

    Raises:
        InputError: the suffix is not in the table.
        ValueError: the shapes do not fit, or PNG cannot hold a key.
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
    write_atomically(path, buffer.getbuffer())


def read_text(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the text that a PNG carries.

    Args:
        path: a picture; ``~`` is expanded.

    Returns:
        Keys and values of its text chunks; empty for a PNG without text.

    Raises:
        InputError: the file is missing or is no PNG.
    """
    path = Path(path).expanduser()
    try:
        with Image.open(path, formats=["PNG"]) as image:
            assert isinstance(image, PngImageFile)
            return {str(key): str(value) for key, value in image.text.items()}
    except FileNotFoundError:
        raise InputError(f"No such picture: {str(path)!r}; give a PNG file that a run wrote") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise InputError(f"Not a readable PNG: {str(path)!r}; give a PNG file that a run wrote") from None


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
        # A lone surrogate, as in a badly encoded file name, must not cost the picture.
        chunks.add_itxt(key, value.encode("utf-8", "replace").decode())
    return chunks
