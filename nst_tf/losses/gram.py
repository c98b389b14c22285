"""The Gram style loss: correlations between filters, summed over all positions of the picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from nst_tf.losses.distribution_loss import Extent, StatisticsLoss, Sums, weighted
from nst_tf.util.deprecation import accept_old_names
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import gram, reciprocal, squared_sum


class GramDivisor(Enum):
    """The divisor of each Gram matrix ``FᵀF``; channels C, height H and width W of the layer.

    ``none`` 1 · ``hw`` H·W (Gatys' notebook, the TensorFlow tutorial) · ``chw`` C·H·W (neural-style) ·
    ``hwc`` the same number, as anishathalye/neural-style writes it.
    """

    none = "none"
    hw = "hw"
    chw = "chw"
    hwc = "hwc"


_DIVISORS: dict[GramDivisor, Callable[[Extent], tf.Tensor | float]] = {
    GramDivisor.none: lambda extent: 1.0,
    GramDivisor.hw: lambda extent: extent.positions,
    GramDivisor.chw: lambda extent: extent.elements,
    GramDivisor.hwc: lambda extent: extent.elements,
}


class GramReduction(Enum):
    """The formula of one layer's style loss; Gram matrices G of the picture and A of the style, N filters, M positions.

    ``sum`` Σ(G−A)² · ``half_sum`` ½ Σ(G−A)² · ``mean`` Σ(G−A)²/N² ·
    ``gatys`` Σ(G−A)²/(4 N² M²) (Gatys et al. 2016, equation 4) ·
    ``mean_chw`` Σ(G−A)²/(N² · N M) (Chandra et al. 2019) ·
    ``keras_example`` Σ(G−A)²/(4 (3HW)²) with H and W of the picture (keras.io) ·
    ``relative`` Σ(G/M−A/M)²/Σ(A/M)²: 0 at the style and 1 for features that are all 0, so that every layer and every
    network has the same scale.

    Where a formula contains a size of the picture, each Gram matrix is divided by the size of its own picture. So a
    style may have another size than the picture; for equal sizes the formulas hold as written.
    """

    sum = "sum"
    half_sum = "half_sum"
    mean = "mean"
    gatys = "gatys"
    mean_chw = "mean_chw"
    keras_example = "keras_example"
    relative = "relative"


class _Formula(NamedTuple):
    """One convention: first ``G / size`` of each picture by itself, then the distance of two such matrices.

    Attributes:
        distance: G and A, ``(B, N, N)`` each and divided by their sizes, to ``(B,)``.
        size: Sizes of the layer and its picture to the divisor of the Gram matrix.
    """

    distance: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    size: Callable[[Extent], tf.Tensor | float] = lambda extent: 1.0


_FORMULAS = {
    GramReduction.sum: _Formula(lambda G, A: squared_sum(G - A)),
    GramReduction.half_sum: _Formula(lambda G, A: 0.5 * squared_sum(G - A)),
    GramReduction.mean: _Formula(lambda G, A: 1.0 / _filters(A) ** 2 * squared_sum(G - A)),
    GramReduction.gatys: _Formula(  # ¼ Σ(G/M − A/M)² / N²
        lambda G, A: 0.25 / _filters(A) ** 2 * squared_sum(G - A), size=lambda extent: extent.positions
    ),
    GramReduction.mean_chw: _Formula(  # Σ(G/√(NM) − A/√(NM))² / N²
        lambda G, A: 1.0 / _filters(A) ** 2 * squared_sum(G - A), size=lambda extent: tf.sqrt(extent.elements)
    ),
    GramReduction.keras_example: _Formula(  # ¼ Σ(G/(3HW) − A/(3HW))²
        lambda G, A: 0.25 * squared_sum(G - A), size=lambda extent: extent.image_elements
    ),
    GramReduction.relative: _Formula(  # Σ(G/M − A/M)² / Σ(A/M)²
        lambda G, A: reciprocal(squared_sum(A)) * squared_sum(G - A), size=lambda extent: extent.positions
    ),
}


def _filters(A: tf.Tensor) -> int:
    return A.shape[-1]


@accept_old_names
@dataclass
class GramLoss(StatisticsLoss):
    """``weight · Σ_l w_l · reduction((G_l − A_l)²)`` per picture, ``G = (F + shift)ᵀ(F + shift) / divisor``.

    Args:
        divisor: See `GramDivisor`; default ``none``.
        reduction: See `GramReduction`; default ``gatys``.
        shift: Added to every feature. Default 0; with −1, filters that do not respond count too (Novak & Nikulin 2016).
        chained: Whether each layer's distance is reduced by the next layer's, ``Σ_l w_l (E_l − E_{l+1})`` with 0 after
            the last (titu1994/Neural-Style-Transfer). Layer l then has the weight ``w_l − w_{l−1}``, which may be
            below 0. Default off.

    Reference:
        Gatys, Ecker & Bethge 2016, *Image Style Transfer Using Convolutional Neural Networks*, equations 3 to 5.
        Novak & Nikulin 2016, *Improving the Neural Algorithm of Artistic Style*.
    """

    reference: str = "style"
    divisor: GramDivisor = GramDivisor.none
    reduction: GramReduction = GramReduction.gatys
    shift: float = 0.0
    chained: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not math.isfinite(self.shift):
            raise InputError(f"shift={self.shift}: must be a finite number.")

    def effective_weight(self, layer: str) -> float:
        """Return ``w_l``, or ``w_l − w_{l−1}`` with ``chained``."""
        number = self.layers.index(layer)
        previous = super().effective_weight(self.layers[number - 1]) if self.chained and number else 0.0
        return super().effective_weight(layer) - previous

    def sums(self, x: tf.Tensor, weights: tf.Tensor | None = None) -> Sums:
        """Compute the plain Gram matrix ``Σ_p w_p f_p f_pᵀ``, ``(B, N, N)`` float32, of features with ``shift``."""
        shifted = x + tf.cast(self.shift, x.dtype) if self.shift else x
        return (gram(weighted(shifted, weights)),)

    def statistics(self, sums: Sums, extent: Extent) -> tf.Tensor:
        """Compute the Gram matrix ``(B, N, N)`` float32, divided by its ``divisor`` and its picture's size."""
        G = tf.cast(sums[0], tf.float32)
        return G / (_DIVISORS[self.divisor](extent) * _FORMULAS[self.reduction].size(extent))

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute ``reduction((G − A)²)``, ``(B,)`` float32."""
        return _FORMULAS[self.reduction].distance(representation, target)
