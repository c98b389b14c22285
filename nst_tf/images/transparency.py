"""Transparent parts of pictures, which losses leave out: weights of the positions, from alpha channels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nst_tf.images.masks import LEAST_MASK, extend_mask, resize_mask
from nst_tf.images.picture import Picture
from nst_tf.images.regions import WHOLE_PICTURE, RegionMasks
from nst_tf.util.errors import InputError


def opaque_regions(
    regions: Sequence[RegionMasks],
    content: Picture,
    styles: Sequence[Picture],
    shape: tuple[int, int],
    style_shapes: Sequence[tuple[int, int]],
    margin: int = 0,
    styles_have_margin: bool = False,
) -> list[RegionMasks]:
    """Limit the regions of a run to the opaque parts of its pictures.

    Args:
        regions: The regions, with masks of the sizes below and the margin; empty for the whole picture.
        content: The content at its own size.
        styles: The styles at their own sizes.
        shape: Height and width at which the content is used, without the margin.
        style_shapes: Height and width at which each style is used, without a margin.
        margin: Pixels by which the content is extended on every side.
        styles_have_margin: Whether the styles are extended too.

    Returns:
        The regions with their masks multiplied by the alpha channels, and last a region without a name: the opaque
        parts of the whole pictures. If every picture is opaque, the regions unchanged.

    Raises:
        InputError: A picture is transparent all over.
    """
    style_margin = margin if styles_have_margin else 0
    opaque = {"content": _opaque_mask("content", content, shape, margin)} | {
        f"style:{number}": _opaque_mask("style", style, style_shapes[number - 1], style_margin)
        for number, style in enumerate(styles, start=1)
    }
    if all(mask is None for mask in opaque.values()):
        return list(regions)
    has_whole = any(region.name == WHOLE_PICTURE for region in regions)
    whole = [] if has_whole else [RegionMasks(WHOLE_PICTURE, 1.0, None, dict.fromkeys(opaque))]
    return [
        replace(
            region,
            content=_product(region.content, opaque["content"]),
            styles={name: _product(mask, opaque[name]) for name, mask in region.styles.items()},
        )
        for region in [*regions, *whole]
    ]


def _opaque_mask(key: str, picture: Picture, shape: tuple[int, int], margin: int) -> np.ndarray | None:
    """Return the alpha channel at the size of use, with the margin; None for an opaque picture."""
    if picture.alpha is None:
        return None
    if picture.alpha.max() < LEAST_MASK:
        raise InputError(f"{key}={picture.source}: is transparent all over. Give another picture.")
    return extend_mask(resize_mask(picture.alpha, *shape), margin)


def _product(mask: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if mask is None or other is None:
        return other if mask is None else mask
    return mask * other
