"""Style as the whole distribution of the features, compared along many directions, in each by sorting."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import Enum

import numpy as np

from nst_tf.losses.layer_loss import LayerLoss
from nst_tf.losses.loss import Features, Targets
from nst_tf.util.checks import at_least
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import elements, reciprocal, rows, squared_sum


class SlicedReduction(Enum):
    """From squared differences of sorted projections to one number a layer.

    ``mean`` over directions and positions (Heitz et al. 2021) ·
    ``relative`` that over the target's mean squared projection: 0 is the painting's style, 1 is silence, whatever the
    network's scale.
    """

    mean = "mean"
    relative = "relative"


@dataclass
class SlicedWassersteinLoss(LayerLoss):
    """``weight · Σ_l w_l · reduction((sort(⟨F, θ⟩) − sort(⟨F', θ⟩))²)`` per picture, over directions θ.

    Along one direction the squared 2-Wasserstein distance of two sets of numbers is the mean squared difference of the
    sorted ones; its mean over all directions is 0 only where the two distributions are the same, in every moment. A
    style with another number of positions is compared at the picture's quantiles, between its own by straight lines.

    The paper draws directions anew at every step. A loss here is a function of the picture alone, and line searches and
    continued runs rely on that, so the directions are drawn once, from ``seed``; they stand at right angles to one
    another, N at a time, so that N of them see a shift in any direction alike.

    Args:
        reduction: See `SlicedReduction`; default ``mean``.
        directions: How many, in each layer. Default None: as many as filters, as in the paper.
        seed: Of the directions. Default 0.

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

    def represent(self, features: Features) -> Targets:
        """Projections on each direction, sorted: ``(B, D, M)`` float32."""
        return {layer: tf.sort(self._projections(features[layer])) for layer in self.layers}

    def _projections(self, x: tf.Tensor) -> tf.Tensor:
        filters = x.shape[-1]
        return tf.matmul(directions(self.directions or filters, filters, self.seed), rows(x), transpose_b=True)

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """``reduction((sort ⟨F, θ⟩ − sort ⟨F', θ⟩)²)``, ``(B,)`` float32."""
        difference = representation - quantiles(target, representation.shape[-1])
        distance = squared_sum(difference) / elements(difference)
        if self.reduction is SlicedReduction.relative:
            return distance * reciprocal(squared_sum(target) / elements(target))
        return distance


@functools.lru_cache(maxsize=32)
def directions(count: int, filters: int, seed: int) -> np.ndarray:
    """Unit vectors ``(D, N)`` float32: random rotations of the axes, as many as it takes."""
    rng = np.random.default_rng([seed, filters])
    blocks = [np.linalg.qr(rng.normal(size=(filters, filters)))[0] for _ in range(-(-count // filters))]
    return np.concatenate(blocks)[:count].astype(np.float32)


def quantiles(x: tf.Tensor, count: int) -> tf.Tensor:
    """Sorted numbers as if there were ``count``, each in the middle of its share: ``(…, M)`` to ``(…, count)``."""
    of = x.shape[-1]
    if of == count:
        return x
    at = np.clip((np.arange(count) + 0.5) * of / count - 0.5, 0, of - 1)
    below = np.floor(at).astype(np.int32)
    above = np.minimum(below + 1, of - 1)
    share = (at - below).astype(np.float32)
    return (1 - share) * tf.gather(x, below, axis=-1) + share * tf.gather(x, above, axis=-1)
