"""Total variation: what neighbouring pixels differ by, against noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from nst_tf.losses.loss import Features, Loss, Targets
from nst_tf.util.checks import at_least
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import elements, neighbour_differences, squared_sum


class Variation(Enum):
    """From neighbour differences Δ (vertical and horizontal, per channel) to one number.

    ``squared_sum`` Σ Δ² (Mahendran & Vedaldi; Malathi equation 4) · ``squared_mean`` mean of the vertical Δ² plus
    mean of the horizontal (anishathalye/neural-style) · ``l1`` Σ |Δ| (neural-style-pt, TensorFlow tutorial) ·
    ``power`` Σ (Δv² + Δh²)^exponent over pixels that have both neighbours (keras.io, exponent 1.25) ·
    ``nine_point`` ⅔ (mean Δv² + mean Δh²) + ⅙ (mean Δ╲² + mean Δ╱²) with the border repeated outwards: the mean squared
    slope over the eight neighbours (crowsonkb/style-transfer-pytorch).
    """

    squared_sum = "squared_sum"
    squared_mean = "squared_mean"
    l1 = "l1"
    power = "power"
    nine_point = "nine_point"


class ValueRange(Enum):
    """The units pixel values are taken in: ``unit`` 0..1, ``byte`` 0..255."""

    unit = "unit"
    byte = "byte"


@dataclass
class TotalVariationLoss(Loss):
    """``weight · variation(x)`` per picture, with nothing to compare against.

    Attributes:
        variation: See `Variation`; default ``squared_sum``.
        value_range: Units of the pixels; a weight printed by a paper that works in 0..255 needs ``byte``.
        exponent: Exponent of ``power``; default 1.25.
    """

    variation: Variation = Variation.squared_sum
    value_range: ValueRange = ValueRange.unit
    exponent: float = 1.25

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("exponent", self.exponent, 1)  # below, the slope is infinite where pixels are equal

    @property
    def taps(self) -> Sequence[str]:
        """The picture itself."""
        return ["image"]

    def references(self, styles: int) -> Sequence[str]:
        """None."""
        return []

    def represent(self, features: Features) -> Targets:
        """The picture ``(B, H, W, 3)`` in the units of ``value_range``."""
        return {"image": features["image"] * (255.0 if self.value_range is ValueRange.byte else 1.0)}

    def distance(self, representation: Targets, targets: Targets) -> dict[str, tf.Tensor]:
        """The variation of the picture under ``"image"``; ``targets`` are not looked at."""
        return {"image": self._VARIATIONS[self.variation](self, representation["image"])}

    def _squared_sum(self, x: tf.Tensor) -> tf.Tensor:
        return tf.add_n([squared_sum(difference) for difference in neighbour_differences(x)])

    def _squared_mean(self, x: tf.Tensor) -> tf.Tensor:
        return tf.add_n([squared_sum(d) / elements(d) for d in neighbour_differences(x)])

    def _l1(self, x: tf.Tensor) -> tf.Tensor:
        return tf.add_n([tf.reduce_sum(tf.abs(d), axis=[1, 2, 3]) for d in neighbour_differences(x)])

    def _power(self, x: tf.Tensor) -> tf.Tensor:
        down, right = neighbour_differences(x)
        squared = tf.square(down[:, :, :-1]) + tf.square(right[:, :-1])  # (B, H−1, W−1, 3)
        return tf.reduce_sum(squared**self.exponent, axis=[1, 2, 3])

    def _nine_point(self, x: tf.Tensor) -> tf.Tensor:
        wide = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")  # (B, H+2, W+2, 3)
        straight = [wide[:, 2:, 1:-1] - x, wide[:, 1:-1, 2:] - x]  # the last row and column against themselves
        diagonal = [wide[:, 1:, 1:] - wide[:, :-1, :-1], wide[:, 1:, :-1] - wide[:, :-1, 1:]]  # (B, H+1, W+1, 3)
        means = [tf.add_n([squared_sum(d) / elements(d) for d in pair]) for pair in (straight, diagonal)]
        return 2 / 3 * means[0] + 1 / 6 * means[1]

    _VARIATIONS = {  # noqa: RUF012 - a plain table, not a field
        Variation.squared_sum: _squared_sum,
        Variation.squared_mean: _squared_mean,
        Variation.l1: _l1,
        Variation.power: _power,
        Variation.nine_point: _nine_point,
    }
