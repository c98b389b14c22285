"""Masks of a picture: read from another picture or from its transparency, checked and resized."""

from __future__ import annotations

import numpy as np
from PIL import Image

from nst_tf.images.canvas import extend
from nst_tf.images.picture import Picture
from nst_tf.util.errors import InputError

ALPHA = "alpha"
"""Value of a mask that takes the transparency of the picture itself."""

LEAST_MASK = 1 / 255
"""Smallest value of a mask that counts; a mask whose largest value is below it is empty."""

LARGEST_STRETCH = 1.02
"""Largest ratio of the proportions of a mask and its picture; a picture of few pixels may differ by one pixel more."""

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the value of a mask."""


def mask_of(mask: str | Picture, picture: Picture, key: str, place: str) -> np.ndarray:
    """Return a mask at its own size.

    Args:
        mask: `ALPHA` for the transparency of the picture, or another picture. The mask is that picture's alpha channel,
            or its luminance if it is opaque.
        picture: The picture to which the mask belongs.
        key: The setting, for errors.
        place: Name of the picture, for errors.

    Returns:
        ``(h, w)`` float32 in [0, 1].

    Raises:
        InputError: The mask is empty or does not fit the picture, or the picture has no transparency.
    """
    if isinstance(mask, Picture):
        check_proportions(mask, picture, key, place)
        values = mask.pixels @ np.asarray(LUMINANCE, np.float32) if mask.alpha is None else mask.alpha
    elif picture.alpha is None:
        raise InputError(f"{key}={ALPHA}: {picture.source!r} ({place}) has no transparency. Give a mask instead.")
    else:
        values = picture.alpha
    if values.max() < LEAST_MASK:
        raise InputError(
            f"{key}: the mask {str(mask)!r} is empty, black or transparent all over. Paint the region white."
        )
    return values


def check_proportions(mask: Picture, picture: Picture, key: str, place: str) -> None:
    """Raise `InputError` unless a mask has the proportions of its picture."""
    (h, w), (height, width) = mask.pixels.shape[:2], picture.pixels.shape[:2]
    tolerance = max(LARGEST_STRETCH, 1 + 1 / min(h, w, height, width))
    if max(h * width / (w * height), w * height / (h * width)) > tolerance:
        raise InputError(
            f"{key}: {mask.source!r} has {w}x{h} pixels and does not fit {place} of {width}x{height}. "
            "Give a mask of the same proportions."
        )


def resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a mask without overshooting: by the mean over each cell where it shrinks, bilinearly where it grows.

    Args:
        mask: ``(H, W)`` in [0, 1].
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        ``(height, width)`` float32 in [0, 1].
    """
    image = Image.fromarray(np.ascontiguousarray(mask, dtype=np.float32))
    image = image.resize((width, image.height), _filter(image.width, width))
    return np.asarray(image.resize((width, height), _filter(image.height, height)))


def _filter(old: int, new: int) -> Image.Resampling:
    return Image.Resampling.BOX if new <= old else Image.Resampling.BILINEAR


def extend_mask(mask: np.ndarray, margin: int) -> np.ndarray:
    """Extend a mask ``(H, W)`` on every side by reflection, as `extend` does a picture."""
    return extend(mask[None, ..., None], margin)[0, ..., 0]
