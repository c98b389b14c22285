"""Laplacian pyramids of pictures: levels of detail, each the difference of a picture and its half, enlarged again."""

from __future__ import annotations

from enum import Enum

from nst_tf.util.lazy import tf
from nst_tf.util.tensors import resize_aligned


class Resampling(Enum):
    """The bilinear resampling with which a pyramid halves and enlarges.

    ``half_pixel`` pixels are squares: halving an even side takes the mean of two (``tf.image.resize``) ·
    ``aligned`` pixels are points, and the corners of both sizes coincide.
    """

    half_pixel = "half_pixel"
    aligned = "aligned"


def resize_bilinear(
    image: tf.Tensor, height: int, width: int, resampling: Resampling = Resampling.half_pixel
) -> tf.Tensor:
    """Resize pictures ``(B, H, W, C)`` bilinearly, without a filter against aliasing."""
    if (image.shape[1], image.shape[2]) == (height, width):
        return image
    if resampling is Resampling.half_pixel:
        return tf.image.resize(image, [height, width])
    return resize_aligned(image, height, width)


def level_sizes(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """Return the sizes of the levels of a pyramid, from the picture's own on: each side is half of the one before.

    A level with a side below 2 pixels is left out, together with all below it.

    Args:
        height: Height of the picture.
        width: Width of the picture.
        levels: Largest number of levels beside the rest, which is the last size.
    """
    sizes = [(height, width)]
    while len(sizes) <= levels and min(sizes[-1]) >= 4:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    return sizes


def decompose(image: tf.Tensor, levels: int, resampling: Resampling) -> list[tf.Tensor]:
    """Return the levels ``a − up(down(a))`` of pictures ``(B, H, W, C)``, the finest first, and the rest last."""
    sizes = level_sizes(image.shape[1], image.shape[2], levels)
    parts = []
    for smaller in sizes[1:]:
        down = resize_bilinear(image, *smaller, resampling)
        parts.append(image - resize_bilinear(down, image.shape[1], image.shape[2], resampling))
        image = down
    return [*parts, image]


def collapse(parts: list[tf.Tensor], resampling: Resampling) -> tf.Tensor:
    """Return the picture of a pyramid's levels, the inverse of `decompose`: enlarge and add, from the rest on."""
    image = parts[-1]
    for part in reversed(parts[:-1]):
        image = part + resize_bilinear(image, part.shape[1], part.shape[2], resampling)
    return image


def finest_level(image: tf.Tensor, resampling: Resampling = Resampling.half_pixel) -> tf.Tensor:
    """Return the detail of pictures ``(B, H, W, C)`` that their half, enlarged again, lacks."""
    return decompose(image, 1, resampling)[0] if min(image.shape[1:3]) >= 4 else tf.zeros_like(image)
