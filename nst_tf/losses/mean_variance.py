"""The mean-variance style loss: each filter's mean and deviation over the positions, without correlations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from nst_tf.losses.distribution_loss import Extent, StatisticsLoss, Sums
from nst_tf.util.deprecation import accept_old_names
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import positions, reciprocal, squared_sum

EPSILON = 1e-5
"""Added to a variance, so that its root has a finite gradient where a filter is constant (Huang & Belongie's code)."""


class MeanVarianceReduction(Enum):
    """The formula of one layer; means μ and deviations σ of the picture, μ' and σ' of the style, N filters.

    ``sum`` Σ(μ−μ')² + Σ(σ−σ')² · ``mean`` that over N (Li et al. 2017) ·
    ``relative`` that over Σμ'² + Σσ'²: 0 at the style and 1 for features that are all 0, for every scale of the
    network's features.
    """

    sum = "sum"
    mean = "mean"
    relative = "relative"


_FORMULAS: dict[MeanVarianceReduction, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {  # (B, N, 2) twice to (B,)
    MeanVarianceReduction.sum: lambda S, T: squared_sum(S - T),
    MeanVarianceReduction.mean: lambda S, T: 1.0 / T.shape[-2] * squared_sum(S - T),
    MeanVarianceReduction.relative: lambda S, T: reciprocal(squared_sum(T)) * squared_sum(S - T),
}


@accept_old_names
@dataclass
class MeanVarianceLoss(StatisticsLoss):
    """``weight · Σ_l w_l · reduction(Σ (μ − μ')² + (σ − σ')²)`` per picture, over the filters of each layer.

    These are the statistics that batch and instance normalisation adjust: 2N numbers per layer, where the Gram matrix
    has N². The sum is the squared distance of `nst_tf.losses.moments.MomentsLoss` for independent filters. With
    ``blend=targets``, means and deviations are averaged. Huang & Belongie's style loss differs: it sums norms of the
    same statistics, not squares.

    Args:
        reduction: See `MeanVarianceReduction`; default ``mean``.

    Reference:
        Li, Wang, Liu & Hou 2017, *Demystifying Neural Style Transfer*, "BN statistics matching"; Huang & Belongie 2017,
        *Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization*.
    """

    reference: str = "style"
    reduction: MeanVarianceReduction = MeanVarianceReduction.mean

    def sums(self, x: tf.Tensor, weights: tf.Tensor | None = None) -> Sums:
        """Compute ``Σ w``, ``Σ w x`` and ``Σ w x²``, ``(B, 1)``, ``(B, N)`` and ``(B, N)`` float64.

        They are made of the mean and of the variance about that mean, which float32 finds exactly. The difference of
        both moments is taken in float64, so that it is exact too, for a picture as for the sum of its tiles.
        """
        total, mean, variance = (tf.cast(value, tf.float64) for value in _moments(tf.cast(x, tf.float32), weights))
        return total, total * mean, total * (variance + tf.square(mean))

    def statistics(self, sums: Sums, extent: Extent) -> tf.Tensor:
        """Compute the mean and deviation of each filter, ``(B, N, 2)`` float32."""
        total, first, second = sums
        mean = first / total  # (B, N)
        variance = tf.cast(tf.maximum(second / total - tf.square(mean), 0.0), tf.float32)
        return tf.stack([tf.cast(mean, tf.float32), tf.sqrt(variance + EPSILON)], -1)

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute ``reduction(Σ (μ − μ')² + (σ − σ')²)``, ``(B,)`` float32."""
        return _FORMULAS[self.reduction](representation, target)


def _moments(x: tf.Tensor, weights: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the sum of the weights ``(B, 1)``, and the weighted mean and variance of each filter, ``(B, N)``."""
    if weights is None:
        return tf.fill([tf.shape(x)[0], 1], positions(x)), *tf.nn.moments(x, [1, 2])
    total = tf.reduce_sum(weights, [1, 2]) + tf.zeros([tf.shape(x)[0], 1])
    mean = tf.math.divide_no_nan(tf.reduce_sum(weights * x, [1, 2]), total)
    squares = tf.math.squared_difference(x, tf.stop_gradient(mean)[:, None, None])
    return total, mean, tf.math.divide_no_nan(tf.reduce_sum(weights * squares, [1, 2]), total)
