"""Style as each filter's mean and deviation, wherever in the picture it fires and whichever others fire with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nst_tf.losses.layer_loss import LayerLoss
from nst_tf.losses.loss import Features, Targets
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import reciprocal, squared_sum

EPSILON = 1e-5
"""Added to a variance, so that its root has a finite slope where a filter is silent (Huang & Belongie's program)."""


class MeanVarianceReduction(Enum):
    """From squared differences of means and deviations to one number a layer; N filters.

    ``sum`` Σ(μ−μ')² + Σ(σ−σ')² · ``mean`` the same over N (Li et al. 2017) ·
    ``relative`` the sum over Σμ'² + Σσ'²: 0 is the painting's style, 1 is silence, whatever the network's scale.
    """

    sum = "sum"
    mean = "mean"
    relative = "relative"


_FACTORS = {  # target -> factor of the summed squares
    MeanVarianceReduction.sum: lambda target: 1.0,
    MeanVarianceReduction.mean: lambda target: 1.0 / target.shape[-2],
    MeanVarianceReduction.relative: lambda target: reciprocal(squared_sum(target)),
}


@dataclass
class MeanVarianceLoss(LayerLoss):
    """``weight · Σ_l w_l · reduction(Σ (μ − μ')² + (σ − σ')²)`` per picture, over the filters of each layer.

    The statistics that batch and instance normalisation adjust; 2N numbers a layer where the Gram matrix has N². The
    sum is `MomentsLoss`'s squared distance if the filters were independent. With ``blend=targets`` means and deviations
    are averaged. Huang & Belongie's style loss takes the same statistics in norms, not squared.

    Args:
        reduction: See `MeanVarianceReduction`; default ``mean``.

    Reference:
        Li, Wang, Liu & Hou 2017, *Demystifying Neural Style Transfer*, "BN statistics matching"; Huang & Belongie 2017,
        *Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization*.
    """

    reference: str = "style"
    reduction: MeanVarianceReduction = MeanVarianceReduction.mean

    def represent(self, features: Features) -> Targets:
        """Mean and deviation of each filter, ``(B, N, 2)`` float32."""
        return {layer: _mean_and_deviation(features[layer]) for layer in self.layers}

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """``reduction(Σ (μ − μ')² + (σ − σ')²)``, ``(B,)`` float32."""
        return _FACTORS[self.reduction](target) * squared_sum(representation - target)


def _mean_and_deviation(x: tf.Tensor) -> tf.Tensor:
    mean, variance = tf.nn.moments(tf.cast(x, tf.float32), [1, 2])  # (B, N)
    return tf.stack([mean, tf.sqrt(variance + EPSILON)], -1)
