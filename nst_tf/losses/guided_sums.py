"""The guided sums loss: each filter's sum over the positions of a region, without correlations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from nst_tf.losses.distribution_loss import Extent, StatisticsLoss, Sums
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import positions, reciprocal, squared_sum


class GuidedSumsReduction(Enum):
    """The formula of one layer; sums s of the picture and s' of the style, N filters.

    ``sum`` Σ(s−s')² · ``mean`` that over N (leongatys/NeuralImageSynthesis) ·
    ``relative`` that over Σs'²: 0 at the style and 1 for features that are all 0.
    """

    sum = "sum"
    mean = "mean"
    relative = "relative"


_FORMULAS: dict[GuidedSumsReduction, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {  # (B, N) twice to (B,)
    GuidedSumsReduction.sum: lambda s, target: squared_sum(s - target),
    GuidedSumsReduction.mean: lambda s, target: 1.0 / target.shape[-1] * squared_sum(s - target),
    GuidedSumsReduction.relative: lambda s, target: reciprocal(squared_sum(target)) * squared_sum(s - target),
}


@dataclass
class GuidedSumsLoss(StatisticsLoss):
    """``weight · Σ_l w_l · reduction((s_l − s'_l)²)`` per picture and region, with ``s = Σ_p T_p f_p / M``.

    T is the mask of a region at the M positions of the layer, divided by its root mean square. A Gram matrix of
    features with the masks as additional channels consists of the plain Gram matrix, of these sums, and of numbers that
    do not depend on the picture. So this loss guides a Gram loss of the whole picture (``in_regions=false``) by place,
    at less cost than a Gram matrix for each region. A region that fills a part a of the picture has ``s = √a · mean``.

    Without regions, T is 1 and s is the mean of each filter.

    Args:
        reduction: See `GuidedSumsReduction`; default ``relative``.

    Reference:
        Gatys, Ecker, Bethge, Hertzmann & Shechtman 2017, *Controlling Perceptual Factors in Neural Style Transfer*,
        "guided sums".
    """

    reference: str = "style"
    reduction: GuidedSumsReduction = GuidedSumsReduction.relative

    def sums(self, x: tf.Tensor, weights: tf.Tensor | None = None) -> Sums:
        """Compute ``Σ w x``, ``(B, N)``, and ``Σ w²``, ``(B, 1)``, in float32; the first alone is linear in w."""
        x = tf.cast(x, tf.float32)
        if weights is None:
            return tf.reduce_sum(x, [1, 2]), tf.fill([tf.shape(x)[0], 1], positions(x))
        return tf.reduce_sum(weights * x, [1, 2]), tf.reduce_sum(tf.square(weights), [1, 2])

    def from_sums(self, sums: Sums, extent: Extent) -> tf.Tensor:
        """Compute s, ``(B, N)`` float32. The mask is divided by its root mean square, which needs no mean weight."""
        return self.statistics(sums, extent)

    def statistics(self, sums: Sums, extent: Extent) -> tf.Tensor:
        """Compute ``Σ w x / √(M Σ w²)``, ``(B, N)`` float32."""
        first, squares = sums
        return tf.cast(first / tf.sqrt(tf.cast(extent.positions, squares.dtype) * squares), tf.float32)

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute ``reduction((s − s')²)``, ``(B,)`` float32."""
        return _FORMULAS[self.reduction](representation, target)
