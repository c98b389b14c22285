"""Rotated and scaled copies of a style, to which some losses compare a picture as well, and their names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

LEAST_SIDE = 0.25
"""Smallest part of each side of a picture that must remain in a rotated copy."""

QUARTER_TURNS = (90, 180, 270)
"""Angles in degrees, counter-clockwise, by which a copy is turned without a change of its pixels."""


class StyleCopy(NamedTuple):
    """A copy of a style. The name of a copy, such as ``style:1@-7.5x1.05``, is the name of a reference.

    Attributes:
        style: Name of the style, such as ``style:1``.
        angle: Angle in degrees, counter-clockwise. Default 0.
        scale: Factor of the size. Default 1.
    """

    style: str
    angle: float = 0.0
    scale: float = 1.0

    @classmethod
    def parse(cls, name: str) -> StyleCopy:
        """Return the copy of a name; the name of a picture is that of its copy without a change."""
        style, _, change = name.partition("@")
        angle, _, scale = change.partition("x")
        return cls(style, float(angle or 0), float(scale or 1))

    @property
    def name(self) -> str:
        """The name of the copy as a reference; that of the style without a change."""
        scale = "" if self.scale == 1 else f"x{self.scale:.6g}"
        return f"{self.style}@{self.angle:g}{scale}" if self.angle or scale else self.style

    def of(self, picture: np.ndarray | tf.Tensor) -> np.ndarray:
        """Return the copy of a picture, a mask or a map.

        Turns by 90, 180 and 270 degrees are exact. Any other turn takes bilinear values, and of the turned picture the
        rectangle that lies within it, whose upper edge starts where the picture's left border meets the turned upper
        border.

        Args:
            picture: ``(B, H, W, C)``.

        Returns:
            ``(B, h, w, C)`` float32.

        Raises:
            InputError: The turned picture leaves less than `LEAST_SIDE` of a side.
        """
        turned = _turned(np.asarray(picture, np.float32), self.angle)
        if self.scale == 1:
            return turned
        height, width = (max(1, math.floor(self.scale * side)) for side in turned.shape[1:3])
        return tf.image.resize(turned, [height, width], antialias=True).numpy()


def quarter_turns(styles: int, rotations: bool = True) -> Sequence[str]:
    """Return the names of the styles as references, each followed by those of its copies, turned by `QUARTER_TURNS`.

    Args:
        styles: Number of style pictures in the run.
        rotations: Whether there are copies. Default true.
    """
    angles = (0, *QUARTER_TURNS) if rotations else (0,)
    return [StyleCopy(f"style:{number}", angle).name for number in range(1, styles + 1) for angle in angles]


def _turned(x: np.ndarray, angle: float) -> np.ndarray:
    """Return pictures ``(B, H, W, C)`` turned counter-clockwise by an angle in degrees."""
    if angle % 90 == 0:
        return np.ascontiguousarray(np.rot90(x, int(angle // 90), axes=(1, 2)))
    from scipy import ndimage

    height, width = x.shape[1:3]
    turned = ndimage.rotate(x, angle, axes=(2, 1), reshape=False, order=1, mode="nearest")
    c, s = math.cos(math.radians(angle)), abs(math.sin(math.radians(angle)))
    inner_height = (height - width * s) / c
    inner_width = (width - inner_height * s) / c
    if min(inner_height / height, inner_width / width) < LEAST_SIDE:
        raise InputError(
            f"rotations: of a style of {width}x{height} pixels, a rotation by {angle:g} degrees leaves "
            f"{max(0, round(inner_width))}x{max(0, round(inner_height))}. Choose fewer rotations or a smaller step."
        )
    top, left = math.ceil((height - inner_height) / 2), math.ceil((width - inner_width) / 2)
    return np.ascontiguousarray(turned[:, top : height - top, left : width - left])
