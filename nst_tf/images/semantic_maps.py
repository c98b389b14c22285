"""Semantic maps: pictures that have similar colours where a photograph and a style show things of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nst_tf.images.canvas import extend
from nst_tf.images.masks import check_proportions, resize_mask
from nst_tf.images.picture import Picture
from nst_tf.util.errors import InputError


def semantic_maps(
    content_map: Picture | None,
    style_map: Any,
    content: Picture,
    styles: Sequence[Picture],
    shape: tuple[int, int],
    style_shapes: Sequence[tuple[int, int]],
) -> dict[str, np.ndarray]:
    """Return the semantic maps of all pictures, resized by the mean over each cell.

    Args:
        content_map: The map of the photograph; None for none.
        style_map: The map of the style, or a list with one for each style; None for none.
        content: The photograph.
        styles: The styles.
        shape: Height and width at which the photograph is used.
        style_shapes: Height and width at which each style is used.

    Returns:
        ``content``, ``style:1`` and so on to ``(H, W, 3)`` float32 in [0, 1]; empty without maps.

    Raises:
        InputError: A map is missing, or has other proportions than its picture.
    """
    if content_map is None and style_map is None:
        return {}
    style_maps = style_map if isinstance(style_map, list) else [style_map] * len(styles)
    if content_map is None or None in style_maps:
        missing, other = ("map", "style_map") if content_map is None else ("style_map", "map")
        raise InputError(
            f"regions.{missing}=null: regions.{other} is compared with it. Give a map of the photograph and one of "
            "each style."
        )
    if len(style_maps) != len(styles):
        raise InputError(
            f"regions.style_map: has {len(style_maps)} maps for {len(styles)} style(s). Give one for each style."
        )
    check_proportions(content_map, content, "regions.map", "the content")
    maps = {"content": resize_channels(content_map.pixels, *shape)}
    for number, (each, style) in enumerate(zip(style_maps, styles, strict=True), start=1):
        check_proportions(each, style, "regions.style_map", f"style {number}")
        maps[f"style:{number}"] = resize_channels(each.pixels, *style_shapes[number - 1])
    return maps


def resize_channels(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return ``(H, W, R)`` at another size, each channel as `resize_mask` resizes a mask."""
    return np.stack([resize_mask(values[..., channel], height, width) for channel in range(values.shape[-1])], -1)


def extend_map(values: np.ndarray, margin: int) -> np.ndarray:
    """Extend a map ``(H, W, R)`` on every side by reflection, as `extend` does a picture."""
    return extend(values[None], margin)[0]
