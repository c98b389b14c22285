"""The histogram loss: each filter's values are moved to those of the style with the same rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nst_tf.losses.distribution_loss import DistributionLoss
from nst_tf.losses.loss import Representation
from nst_tf.losses.sliced_wasserstein import Resampling, SlicedReduction, sort_weighted, sorted_distance
from nst_tf.util.checks import at_least
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import rows


@dataclass
class HistogramLoss(DistributionLoss):
    """``weight · Σ_l w_l · reduction((F − R(F))²)`` per picture, with R(F) matched to the style's histograms.

    R replaces each value of a filter by the style's value of the same rank, and carries no gradient. The loss with
    exact ranks is `nst_tf.losses.sliced_wasserstein.SlicedWassersteinLoss` along the axes. With bins it has the two
    roundings of the paper's program. Values of the picture in one of the bins from its smallest to its largest value
    have one rank, and their order is a permutation of the positions that stays the same. Values of the style are
    rounded down to the edge of their bin.

    A style with M' positions gives the i-th of M values its number ``⌊i M'/M⌋``, both from 0 on. In a region, the
    values are its M quantiles, sorted exactly. Ranks are no sums over positions, so a picture cannot be processed tile
    by tile.

    Args:
        reduction: See `nst_tf.losses.sliced_wasserstein.SlicedReduction`; default ``mean``.
        bins: Number of bins of each filter, at least 2; 256 in the paper's program. Default None: exact ranks and
            values.
        seed: Seed of the permutation. Default 0.

    Reference:
        Risser, Wilmot & Barnes 2017, *Stable and Controllable Neural Texture Synthesis and Style Transfer Using
        Histogram Losses*, section 4.2.
    """

    reference: str = "style"
    reduction: SlicedReduction = SlicedReduction.mean
    bins: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bins is not None:
            at_least("bins", self.bins, 2)
        at_least("seed", self.seed, 0)

    def represent_layer(self, x: tf.Tensor, image: tf.Tensor | None, weights: tf.Tensor | None) -> tf.Tensor:
        """Compute each filter's values in the order of their ranks, ``(B, N, M)`` float32."""
        values = tf.linalg.matrix_transpose(rows(x))
        if self.bins is None or weights is not None:
            return sort_weighted(values, weights)
        shuffled = tf.gather(values, np.random.default_rng(self.seed).permutation(values.shape[-1]), axis=-1)
        order = tf.argsort(bin_numbers(shuffled, self.bins), stable=True)
        return tf.gather(shuffled, order, batch_dims=2)

    def finalize_targets(self, representation: Representation) -> Representation:
        """Round the style's values down to the edges of their bins."""
        if self.bins is None:
            return representation
        return {layer: lower_edges(values, self.bins) for layer, values in representation.items()}

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute ``reduction((F − R(F))²)``, ``(B,)`` float32."""
        return sorted_distance(representation, target, self.reduction, Resampling.repeat)


def bin_numbers(x: tf.Tensor, bins: int) -> tf.Tensor:
    """Return the bin of each value, from 0 on, between the smallest and largest of the last axis.

    Args:
        x: ``(…, M)`` float32.
        bins: Number of bins of equal width.

    Returns:
        ``(…, M)`` float32, whole numbers below ``bins``; 0 if all values are equal.
    """
    least, width = _least_and_width(x, bins)
    return tf.minimum(tf.floor(tf.math.divide_no_nan(x - least, width)), bins - 1.0)


def lower_edges(x: tf.Tensor, bins: int) -> tf.Tensor:
    """Return the lower edge of each value's bin, ``(…, M)`` float32; see `bin_numbers`."""
    least, width = _least_and_width(x, bins)
    return least + width * bin_numbers(x, bins)


def _least_and_width(x: tf.Tensor, bins: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the smallest value along the last axis and the width of a bin, ``(…, 1)``."""
    least = tf.reduce_min(x, -1, keepdims=True)
    return least, (tf.reduce_max(x, -1, keepdims=True) - least) / bins
