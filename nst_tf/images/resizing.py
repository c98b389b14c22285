"""Resampling of float pictures."""

import numpy as np
from PIL import Image


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resample a picture to a size in float precision.

    An axis that shrinks is filtered with Lanczos (a = 3, widened by the scale), an axis that grows with a bicubic
    kernel (a = −0.5). Both overshoot at edges, so the result is clipped. An unchanged size copies the pixels.

    Args:
        pixels: Array ``(H, W)`` or ``(H, W, C)`` in [0, 1].
        height: Rows of the result, at least 1.
        width: Columns of the result, at least 1.

    Returns:
        ``(height, width)`` or ``(height, width, C)`` float32 in [0, 1].
    """
    if pixels.shape[:2] == (height, width):
        return np.array(pixels, dtype=np.float32)
    if pixels.ndim == 2:
        return np.clip(_resize_plane(pixels, height, width), 0, 1)
    planes = [_resize_plane(pixels[..., c], height, width) for c in range(pixels.shape[2])]
    return np.clip(np.stack(planes, axis=-1), 0, 1)


def _resize_plane(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    image = image.resize((width, image.height), _filter(image.width, width))
    image = image.resize((width, height), _filter(image.height, height))
    return np.asarray(image)


def _filter(old: int, new: int) -> Image.Resampling:
    return Image.Resampling.LANCZOS if new < old else Image.Resampling.BICUBIC
