"""Pictures that Python callers give as pixels: NumPy arrays, tensors and Pillow images."""

import hashlib
import os
from typing import Any

import numpy as np
from PIL import Image

from nst_tf.images.decoding import decode, flatten
from nst_tf.images.picture import Picture
from nst_tf.util.errors import InputError, message_of

DEPTHS = {"u1": 255, "u2": 65535, "b1": 1}
"""Value of white in the integer types of arrays, by NumPy's code."""


def as_source(key: str, value: Any) -> str | Picture | None:
    """Return a picture setting in the form in which settings keep it: text for a path or sample, else a `Picture`.

    Args:
        key: The setting, for the message.
        value: A text; a path; an array or eager tensor ``(H, W)``, ``(H, W, C)`` or ``(1, H, W, C)`` with C = 1, 3 or
            4, of uint8, uint16, or floats in [0, 1]; a Pillow image; or a `Picture`.

    Returns:
        The text or the picture; None for a value of any other type.

    Raises:
        InputError: The shape or the values of an array are not those of a picture.
    """
    if isinstance(value, str | Picture):
        return value
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, Image.Image):
        return _from_pillow(key, value)
    if hasattr(value, "__array__"):
        return _from_array(key, _to_numpy(key, value))
    return None


def as_sources(key: str, value: Any) -> Any:
    """Return one picture setting or a list of them as `as_source` does; elements of other types stay as they are."""
    if isinstance(value, list | tuple):
        return [_or_unchanged(key, item) for item in value]
    return _or_unchanged(key, value)


def source_text(value: Any) -> Any:
    """Return what a record holds of a picture setting: the source of each `Picture`, everything else unchanged."""
    if isinstance(value, list):
        return [source_text(item) for item in value]
    return value.source if isinstance(value, Picture) else value


def _or_unchanged(key: str, value: Any) -> Any:
    source = as_source(key, value)
    return value if source is None else source


def _from_pillow(key: str, image: Image.Image) -> Picture:
    try:
        pixels, alpha = decode(image.copy(), key)
    except Exception as error:  # decoders raise errors of many types on broken files, and files are read late
        raise InputError(f"{key}: the Pillow image cannot be read: {message_of(error)}") from error
    return _picture(pixels, alpha)


def _to_numpy(key: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except (TypeError, RuntimeError, ValueError) as error:  # such as a tensor on another device
        reason = message_of(error)
        raise InputError(f"{key}: {type(value).__name__} cannot become a NumPy array: {reason}") from error


def _from_array(key: str, array: np.ndarray) -> Picture:
    shape = array.shape
    if array.ndim == 4 and shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or array.size == 0:
        raise InputError(
            f"{key}: an array of shape {shape} is not a picture; must be (H, W), (H, W, 3) or (H, W, 4), and several "
            "pictures are given as a list"
        )
    values = _unit_range(key, array)
    colours = np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values[..., :3]
    return _picture(colours, values[..., 3] if values.shape[2] == 4 else None)


def _unit_range(key: str, array: np.ndarray) -> np.ndarray:
    """Return the values as float32 in [0, 1]."""
    code = array.dtype.str[1:]
    if code in DEPTHS:
        return array.astype(np.float32) / np.float32(DEPTHS[code])
    if array.dtype.kind != "f":
        raise InputError(f"{key}: an array of {array.dtype} is not a picture; must be uint8, uint16 or floats in 0..1")
    if not ((array >= 0) & (array <= 1)).all():
        raise InputError(
            f"{key}: an array of floats from {array.min():g} to {array.max():g} is not a picture; floats must be in "
            "0..1, so divide values in 0..255 by 255"
        )
    return array.astype(np.float32)


def _picture(pixels: np.ndarray, alpha: np.ndarray | None) -> Picture:
    """Return a picture whose hash is that of its size, pixels and transparency, so that equal pixels are one input."""
    if alpha is not None and alpha.min() == 1:
        alpha = None
    height, width = pixels.shape[:2]
    flat = np.ascontiguousarray(flatten(pixels, alpha))
    digest = hashlib.sha256(f"{width}x{height}".encode())
    digest.update(flat.tobytes())
    if alpha is not None:
        digest.update(np.ascontiguousarray(alpha).tobytes())
    return Picture(flat, alpha, f"<array {width}x{height}>", digest.hexdigest())
