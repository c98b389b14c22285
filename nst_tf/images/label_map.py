"""Label maps: pictures in one colour for each region."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import ImageColor

from nst_tf.images.picture import Picture
from nst_tf.util.errors import InputError

TOLERANCE = 0.1
"""Largest difference in a channel at which two colours count as one."""

LEAST_SHARE = 0.005
"""Share of the pixels from which a colour is a region; those of rarer ones join the nearest region."""

MOST_COLOURS = 32
"""Largest number of regions of one map."""


@dataclass(frozen=True, eq=False)
class LabelMap:
    """The regions of a label map.

    Attributes:
        colours: Colour ``(3,)`` of each region in [0, 1] by its name, the most frequent first. A colour of CSS has its
            name there, and any other its six hexadecimal digits.
        index: Number of the region of each pixel, ``(H, W)``, in the order of ``colours``.
    """

    colours: Mapping[str, np.ndarray]
    index: np.ndarray

    def mask(self, colour: np.ndarray) -> np.ndarray | None:
        """Return the mask ``(H, W)`` float32 of the region of a colour; None if there is none."""
        near = (n for n, own in enumerate(self.colours.values()) if is_same_colour(own, colour))
        number = next(near, None)
        return None if number is None else (self.index == number).astype(np.float32)


def is_same_colour(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two colours ``(3,)`` in [0, 1] count as one."""
    return bool(np.abs(one - other).max() < TOLERANCE)


@functools.lru_cache(maxsize=8)
def read_label_map(labels: Picture) -> LabelMap:
    """Find the regions of a label map.

    Raises:
        InputError: The picture has more than `MOST_COLOURS` frequent colours, or none.
    """
    pixels = labels.pixels.reshape(-1, 3)
    colours = _frequent_colours(np.rint(255 * pixels).astype(np.int64))
    if not 1 <= len(colours) <= MOST_COLOURS:
        raise InputError(
            f"{labels.source!r} (regions) is no label map: it has {(len(colours) and 'too many') or 'no'} frequent "
            f"colours, and 1 to {MOST_COLOURS} are allowed. Paint each region in one colour."
        )
    distances = np.stack([np.square(pixels - colour / np.float32(255)).sum(1) for colour in colours])
    index = distances.argmin(0).reshape(labels.pixels.shape[:2])
    return LabelMap({_name(colour): colour.astype(np.float32) / 255 for colour in colours}, index)


def _frequent_colours(pixels: np.ndarray) -> list[np.ndarray]:
    """Return the frequent colours of 8-bit pixels ``(M, 3)``, one for each group of similar ones."""
    codes, counts = np.unique(pixels @ np.array([65536, 256, 1]), return_counts=True)
    frequent = codes[np.argsort(-counts, kind="stable")][: int((counts >= LEAST_SHARE * len(pixels)).sum())]
    kept: list[np.ndarray] = []
    for code in frequent:
        colour = np.array([code >> 16, code >> 8 & 255, code & 255])
        if not any(is_same_colour(colour / 255, other / 255) for other in kept):
            kept.append(colour)
    return kept


def parse_colour(key: str, text: str) -> np.ndarray:
    """Return a colour ``(3,)`` in [0, 1] from its name in CSS or its hexadecimal digits, with or without ``#``.

    Raises:
        InputError: The text names no colour.
    """
    for spelling in (text, f"#{text}"):
        try:
            return np.array(ImageColor.getrgb(spelling)[:3], np.float32) / 255
        except ValueError:
            continue
    raise InputError(f"{key}={text!r}: must be a colour such as blue or '#3366cc'.")


@functools.cache
def _css_names() -> dict[str, str]:
    """Return CSS's name of each colour that has one, by its six hexadecimal digits; the first name of several."""
    names = reversed(list(ImageColor.colormap))
    return {"".join(f"{value:02x}" for value in ImageColor.getrgb(name)[:3]): name for name in names}


def _name(colour: np.ndarray) -> str:
    digits = "".join(f"{value:02x}" for value in colour)
    return _css_names().get(digits, digits)
