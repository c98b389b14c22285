"""The sliced Wasserstein style loss: the distribution of the features, sorted along many directions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from nst_tf.losses.distribution_loss import DistributionLoss
from nst_tf.util.checks import at_least
from nst_tf.util.deprecation import accept_old_names
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import elements, reciprocal, rows, squared_sum


class SlicedReduction(Enum):
    """The formula of one layer; projections P of the picture and T of the style, sorted along each direction.

    ``mean`` mean (P−T)² over directions and positions (Heitz et al. 2021) ·
    ``relative`` mean (P−T)² / mean T²: 0 at the style and 1 for features that are all 0, for every scale of the
    network's features.
    """

    mean = "mean"
    relative = "relative"


_FORMULAS: dict[SlicedReduction, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {  # (B, D, M), (B, D, M') to (B,)
    SlicedReduction.mean: lambda P, T: _mean_square(P - quantiles(T, P.shape[-1])),
    SlicedReduction.relative: lambda P, T: _mean_square(P - quantiles(T, P.shape[-1])) * reciprocal(_mean_square(T)),
}


def _mean_square(x: tf.Tensor) -> tf.Tensor:
    return squared_sum(x) / elements(x)


@accept_old_names
@dataclass
class SlicedWassersteinLoss(DistributionLoss):
    """``weight · Σ_l w_l · reduction((sort(⟨F, θ⟩) − sort(⟨F', θ⟩))²)`` per picture, over directions θ.

    Along one direction, the squared 2-Wasserstein distance of two sets of numbers is the mean squared difference of the
    sorted numbers. Its mean over all directions is 0 only if the two distributions are equal, in every moment. A style
    with another number of positions is compared at the picture's quantiles, interpolated linearly.

    The paper draws new directions at every step. Here they are drawn once, from ``seed``, because line searches and
    resumed runs need a loss that is a function of the picture alone. They are orthogonal in groups of N, so that N
    of them respond equally to a shift in any direction.

    Sorted numbers are no sums over positions, so a picture cannot be processed tile by tile with this loss.

    Args:
        reduction: See `SlicedReduction`; default ``mean``.
        directions: Number of directions in each layer. Default None: as many as filters, as in the paper.
        seed: Seed of the directions. Default 0.

    Reference:
        Heitz, Vanhoey, Chambon & Belcour 2021, *A Sliced Wasserstein Loss for Neural Texture Synthesis*.
    """

    reference: str = "style"
    reduction: SlicedReduction = SlicedReduction.mean
    directions: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.directions is not None:
            at_least("directions", self.directions, 1)
        at_least("seed", self.seed, 0)

    def represent_layer(self, x: tf.Tensor, image: tf.Tensor | None, weights: tf.Tensor | None) -> tf.Tensor:
        """Compute the projections on each direction, sorted: ``(B, D, M)`` float32.

        With weights these are the M quantiles ``(i + ½)/M`` of the weighted projections.
        """
        projections = self._projections(x)
        return tf.sort(projections) if weights is None else weighted_quantiles(projections, weights)

    def _projections(self, x: tf.Tensor) -> tf.Tensor:
        filters = x.shape[-1]
        return tf.matmul(directions(self.directions or filters, filters, self.seed), rows(x), transpose_b=True)

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute ``reduction((sort ⟨F, θ⟩ − sort ⟨F', θ⟩)²)``, ``(B,)`` float32."""
        return _FORMULAS[self.reduction](representation, target)


@functools.lru_cache(maxsize=32)
def directions(count: int, filters: int, seed: int) -> np.ndarray:
    """Return unit vectors ``(D, N)`` float32: the rows of random rotations, N at a time."""
    rng = np.random.default_rng([seed, filters])
    blocks = [np.linalg.qr(rng.normal(size=(filters, filters)))[0] for _ in range(-(-count // filters))]
    return np.concatenate(blocks)[:count].astype(np.float32)


def quantiles(x: tf.Tensor, count: int) -> tf.Tensor:
    """Resample sorted numbers to ``count`` of them, by linear interpolation: ``(…, M)`` to ``(…, count)``.

    The i-th of n sorted numbers stands for the quantile ``(i + ½)/n``.
    """
    available = x.shape[-1]
    if available == count:
        return x
    position = np.clip((np.arange(count) + 0.5) * available / count - 0.5, 0, available - 1)
    below = np.floor(position).astype(np.int32)
    above = np.minimum(below + 1, available - 1)
    fraction = (position - below).astype(np.float32)
    return (1 - fraction) * tf.gather(x, below, axis=-1) + fraction * tf.gather(x, above, axis=-1)


def weighted_quantiles(x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Compute the M quantiles ``(i + ½)/M`` of M weighted numbers: the smallest with more than that share up to it.

    Equal weights give the sorted numbers. A number of weight 0 is never a quantile.

    Args:
        x: ``(B, D, M)`` float32.
        weights: ``(1, h, w, 1)`` or ``(B, h, w, 1)`` float32 with h·w = M.

    Returns:
        ``(B, D, M)`` float32 in ascending order.
    """
    flat = tf.reshape(tf.cast(weights, tf.float64), [tf.shape(weights)[0], 1, -1])  # (B, 1, M)
    order = tf.argsort(x)
    sorted_weights = tf.gather(tf.broadcast_to(flat, tf.shape(x)), order, batch_dims=2)
    up_to = tf.cumsum(sorted_weights, -1)  # (B, D, M)
    count = tf.shape(x)[-1]
    levels = (tf.range(tf.cast(count, tf.float64), dtype=tf.float64) + 0.5) / tf.cast(count, tf.float64)
    index = tf.searchsorted(up_to, levels * up_to[..., -1:], side="right")  # the first sum above each level
    return tf.gather(tf.gather(x, order, batch_dims=2), index, batch_dims=2)
