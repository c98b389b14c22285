"""The total variation loss: differences between neighbouring pixels, to suppress noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from nst_tf.losses.loss import Features, PictureLoss, Representation
from nst_tf.util.checks import at_least
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import elements, neighbour_differences, squared_sum


class Variation(Enum):
    """The formula; differences Δ of neighbours, vertical and horizontal, per channel.

    ``squared_sum`` Σ Δ² (Mahendran & Vedaldi; Malathi equation 4) · ``squared_mean`` mean of the vertical Δ² plus
    mean of the horizontal (anishathalye/neural-style) · ``l1`` Σ |Δ| (neural-style-pt, TensorFlow tutorial) ·
    ``power`` Σ (Δv² + Δh²)^exponent over pixels that have both neighbours (keras.io, exponent 1.25) ·
    ``power_mean`` the same, with a mean in place of the sum (alexjc/neural-doodle) ·
    ``nine_point`` ⅔ (mean Δv² + mean Δh²) + ⅙ (mean Δ╲² + mean Δ╱²) with the border repeated outwards: the mean squared
    gradient over the eight neighbours (crowsonkb/style-transfer-pytorch).
    """

    squared_sum = "squared_sum"
    squared_mean = "squared_mean"
    l1 = "l1"
    power = "power"
    power_mean = "power_mean"
    nine_point = "nine_point"


class ValueRange(Enum):
    """The range of the pixel values in the formula: ``unit`` 0..1, ``byte`` 0..255."""

    unit = "unit"
    byte = "byte"


def _squared_sum(x: tf.Tensor, exponent: float) -> tf.Tensor:
    return tf.add_n([squared_sum(d) for d in neighbour_differences(x)])


def _squared_mean(x: tf.Tensor, exponent: float) -> tf.Tensor:
    return tf.add_n([squared_sum(d) / elements(d) for d in neighbour_differences(x)])


def _l1(x: tf.Tensor, exponent: float) -> tf.Tensor:
    return tf.add_n([tf.reduce_sum(tf.abs(d), axis=[1, 2, 3]) for d in neighbour_differences(x)])


def _powers(x: tf.Tensor, exponent: float) -> tf.Tensor:
    """Return ``(Δv² + Δh²)^exponent``, ``(B, H−1, W−1, 3)``."""
    vertical, horizontal = neighbour_differences(x)
    return (tf.square(vertical[:, :, :-1]) + tf.square(horizontal[:, :-1])) ** exponent


def _power(x: tf.Tensor, exponent: float) -> tf.Tensor:
    return tf.reduce_sum(_powers(x, exponent), axis=[1, 2, 3])


def _power_mean(x: tf.Tensor, exponent: float) -> tf.Tensor:
    return tf.reduce_mean(_powers(x, exponent), axis=[1, 2, 3])


def _nine_point(x: tf.Tensor, exponent: float) -> tf.Tensor:
    padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")  # (B, H+2, W+2, 3)
    straight = [padded[:, 2:, 1:-1] - x, padded[:, 1:-1, 2:] - x]  # 0 in the last row and column
    diagonal = [padded[:, 1:, 1:] - padded[:, :-1, :-1], padded[:, 1:, :-1] - padded[:, :-1, 1:]]  # (B, H+1, W+1, 3)
    means = [tf.add_n([squared_sum(d) / elements(d) for d in pair]) for pair in (straight, diagonal)]
    return 2 / 3 * means[0] + 1 / 6 * means[1]


_FORMULAS: dict[Variation, Callable[[tf.Tensor, float], tf.Tensor]] = {  # (B, H, W, 3) and the exponent to (B,)
    Variation.squared_sum: _squared_sum,
    Variation.squared_mean: _squared_mean,
    Variation.l1: _l1,
    Variation.power: _power,
    Variation.power_mean: _power_mean,
    Variation.nine_point: _nine_point,
}


@dataclass
class TotalVariationLoss(PictureLoss):
    """``weight · variation(x)`` per picture, without a reference.

    Attributes:
        variation: See `Variation`; default ``squared_sum``.
        value_range: See `ValueRange`; default ``unit``. A weight from a paper that works in 0..255 needs ``byte``.
        exponent: Exponent of ``power`` and ``power_mean``; default 1.25.
    """

    variation: Variation = Variation.squared_sum
    value_range: ValueRange = ValueRange.unit
    exponent: float = 1.25

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("exponent", self.exponent, 1)  # below 1, the gradient is infinite where pixels are equal

    def references(self, styles: int) -> Sequence[str]:
        """Return no reference."""
        return []

    def represent(self, features: Features) -> Representation:
        """Return the picture ``(B, H, W, 3)``, scaled to ``value_range``."""
        return {"image": features["image"] * (255.0 if self.value_range is ValueRange.byte else 1.0)}

    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute the variation of the picture, under the name ``"image"``; ``targets`` is empty."""
        return {"image": _FORMULAS[self.variation](representation["image"], self.exponent)}
