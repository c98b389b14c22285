"""The sliced Wasserstein style loss: the distribution of the features, sorted along many directions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from nst_tf.losses.distribution_loss import DistributionLoss, PositionWeights
from nst_tf.losses.layer_loss import Blend
from nst_tf.losses.loss import DRAW, Features, Representation
from nst_tf.util.checks import at_least, whole_number_or
from nst_tf.util.deprecation import accept_old_names
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.roles import role
from nst_tf.util.tensors import elements, reciprocal, rows, squared_sum

AXES = "axes"
"""Value of ``directions`` that takes the filters themselves."""

NEVER, PHASE = "never", "phase"
"""Values of ``redraw`` beside a number of steps."""


class SlicedReduction(Enum):
    """The formula of one layer; projections P of the picture and T of the style, sorted along each direction.

    ``mean`` mean (P−T)² over directions and positions (Heitz et al. 2021) ·
    ``relative`` mean (P−T)² / mean T²: 0 at the style and 1 for features that are all 0, for every scale of the
    network's features.
    """

    mean = "mean"
    relative = "relative"


class Resampling(Enum):
    """The comparison of M sorted numbers of the picture with M' of a style of another size.

    ``quantiles`` interpolates the style's at the picture's quantiles · ``repeat`` compares the i-th with the style's
    number ``⌊i M'/M⌋``, both from 0 on: a style that is smaller by a whole factor is repeated, as in the program of
    Heitz et al. 2021.
    """

    quantiles = "quantiles"
    repeat = "repeat"


def _mean_square(x: tf.Tensor) -> tf.Tensor:
    return squared_sum(x) / elements(x)


_FACTORS: dict[SlicedReduction, Callable[[tf.Tensor], tf.Tensor | float]] = {  # T (B, D, M') to the factor of (P−T)²
    SlicedReduction.mean: lambda T: 1.0,
    SlicedReduction.relative: lambda T: reciprocal(_mean_square(T)),
}


def sorted_distance(P: tf.Tensor, T: tf.Tensor, reduction: SlicedReduction, resampling: Resampling) -> tf.Tensor:
    """Compute the distance of numbers that are sorted along each direction.

    Args:
        P: The picture's, ``(B, D, M)`` float32.
        T: The style's, ``(1, D, M')`` or ``(B, D, M')`` float32.
        reduction: See `SlicedReduction`.
        resampling: See `Resampling`.

    Returns:
        ``(B,)`` float32.
    """
    resampled = _RESAMPLED[resampling](T, P.shape[-1])
    return _FACTORS[reduction](T) * _mean_square(P - resampled)


@accept_old_names
@dataclass
class SlicedWassersteinLoss(DistributionLoss):
    """``weight · Σ_l w_l · reduction((sort(⟨F, θ⟩) − sort(⟨F', θ⟩))²)`` per picture, over directions θ.

    Along one direction, the squared 2-Wasserstein distance of two sets of numbers is the mean squared difference of the
    sorted numbers. Its mean over all directions is 0 only if the two distributions are equal, in every moment. A style
    with another number of positions is compared at the picture's quantiles, interpolated linearly.

    The paper draws new directions at every evaluation. By default they are drawn once, from ``seed``, because line
    searches need a loss that is a function of the picture alone. They are orthogonal in groups of N, so that N of them
    respond equally to a shift in any direction. With ``redraw`` they are drawn anew.

    Sorted numbers are no sums over positions, so a picture cannot be processed tile by tile with this loss.

    Args:
        reduction: See `SlicedReduction`; default ``mean``.
        directions: Number of directions in each layer. Default None: as many as filters, as in the paper. ``axes``
            takes the filters themselves, so that the loss compares their histograms alone.
        seed: Seed of the directions with ``redraw=never``. Default 0.
        redraw: ``never``, the default, for the directions of ``seed``; ``phase`` for new ones in each phase; or the
            number of steps between two draws, which needs an optimiser of one evaluation per step. Draws follow from
            the seed of the run. With a number of steps, a style is kept as features and projected at every step.
        orthogonal: Whether directions are orthogonal in groups of N. Otherwise they are independent, normalised
            Gaussian vectors, as in the paper. Default on.
        resampling: See `Resampling`; default ``quantiles``.

    Reference:
        Heitz, Vanhoey, Chambon & Belcour 2021, *A Sliced Wasserstein Loss for Neural Texture Synthesis*; along the
        axes, Risser, Wilmot & Barnes 2017, *Stable and Controllable Neural Texture Synthesis and Style Transfer Using
        Histogram Losses*.
    """

    reference: str = "style"
    reduction: SlicedReduction = SlicedReduction.mean
    directions: Any = None
    seed: int = 0
    redraw: Any = field(default=NEVER, metadata=role(implied_value=NEVER))
    orthogonal: bool = field(default=True, metadata=role(implied_value=True))
    resampling: Resampling = field(default=Resampling.quantiles, metadata=role(implied_value="quantiles"))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.directions is not None:
            self.directions = whole_number_or("directions", self.directions, AXES)
        self.redraw = whole_number_or("redraw", self.redraw, NEVER, PHASE)
        at_least("seed", self.seed, 0)
        if self._projects_every_step and self.blend is Blend.targets:
            raise InputError(
                f"blend=targets: sorted projections have a mean along fixed directions alone, and redraw={self.redraw} "
                "changes them. Choose blend=losses, or redraw=phase."
            )

    @property
    def draws(self) -> bool:  # type: ignore[override]  # a class variable of losses that always draw
        """True if directions are drawn anew."""
        return self.redraw != NEVER and self.directions != AXES

    @property
    def _projects_every_step(self) -> bool:
        """True if directions change in the course of a phase, so that targets are projected at every step."""
        return self.draws and self.redraw != PHASE

    def represent(self, features: Features, weights: PositionWeights | None = None) -> Representation:
        """Compute each layer's sorted projections, ``(B, D, M)`` float32.

        With weights these are the M quantiles ``(i + ½)/M`` of the weighted projections. If directions change with the
        steps, the features themselves are returned, ``(B, h, w, C)`` in the precision of the backbone, with the weights
        of the positions and the seed of the draw.
        """
        if not self.draws:
            return super().represent(features, weights)
        masks = {_weights_of(layer): mask for layer, mask in (weights or {}).items()}
        if self._projects_every_step:
            return {layer: features[layer] for layer in self.layers} | masks | {DRAW: features[DRAW]}
        return self._along_draw({**features, **masks}, features[DRAW])

    def represent_layer(self, x: tf.Tensor, image: tf.Tensor | None, weights: tf.Tensor | None) -> tf.Tensor:
        """Compute the projections on each direction of ``seed``, sorted: ``(B, D, M)`` float32."""
        if self.directions == AXES:
            return sort_weighted(tf.linalg.matrix_transpose(rows(x)), weights)
        filters = x.shape[-1]
        return _sorted_projections(
            directions(self.directions or filters, filters, self.seed, self.orthogonal), x, weights
        )

    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute each layer's ``w_l E_l``, ``(B,)`` float32, along the directions of the picture's draw."""
        if self._projects_every_step:
            draw = representation[DRAW]
            representation, targets = self._along_draw(representation, draw), self._along_draw(targets, draw)
        return super().distance(representation, targets)

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute ``reduction((sort ⟨F, θ⟩ − sort ⟨F', θ⟩)²)``, ``(B,)`` float32."""
        return sorted_distance(representation, target, self.reduction, self.resampling)

    def _along_draw(self, features: Features, draw: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the sorted projections of each layer on the directions of a draw, ``(B, D, M)`` float32."""
        representation = {}
        for number, layer in enumerate(self.layers):
            x, filters = features[layer], features[layer].shape[-1]
            seed = tf.random.experimental.stateless_fold_in(draw, number)
            theta = drawn_directions(self.directions or filters, filters, seed, self.orthogonal)
            representation[layer] = _sorted_projections(theta, x, features.get(_weights_of(layer)))
        return representation


def _sorted_projections(theta: tf.Tensor | np.ndarray, x: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Sort ``⟨F, θ⟩`` for features ``(B, h, w, N)`` along directions ``(D, N)``: ``(B, D, M)`` float32."""
    return sort_weighted(tf.matmul(theta, rows(x), transpose_b=True), weights)


def _weights_of(layer: str) -> str:
    """Return the name under which a representation has the weights of a layer's positions."""
    return f"{layer}/weights"


@functools.lru_cache(maxsize=32)
def directions(count: int, filters: int, seed: int, orthogonal: bool = True) -> np.ndarray:
    """Return unit vectors ``(D, N)`` float32: the rows of random rotations, N at a time, or independent ones."""
    rng = np.random.default_rng([seed, filters])
    if not orthogonal:
        vectors = rng.normal(size=(count, filters))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    blocks = [np.linalg.qr(rng.normal(size=(filters, filters)))[0] for _ in range(-(-count // filters))]
    return np.concatenate(blocks)[:count].astype(np.float32)


def drawn_directions(count: int, filters: int, seed: tf.Tensor, orthogonal: bool = True) -> tf.Tensor:
    """Return unit vectors ``(D, N)`` float32 as `directions` does, on the device, from a seed ``(2,)`` int32."""
    if not orthogonal:
        return tf.math.l2_normalize(tf.random.stateless_normal([count, filters], seed), axis=1)
    blocks = -(-count // filters)
    rotations, _ = tf.linalg.qr(tf.random.stateless_normal([blocks, filters, filters], seed))
    return tf.reshape(rotations, [blocks * filters, filters])[:count]


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


def repeated(x: tf.Tensor, count: int) -> tf.Tensor:
    """Take the numbers ``⌊i M/count⌋`` of M sorted ones, from 0 on: ``(…, M)`` to ``(…, count)``.

    With a multiple of M, every number is repeated.
    """
    available = x.shape[-1]
    return x if available == count else tf.gather(x, np.arange(count) * available // count, axis=-1)


def sort_weighted(x: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Sort numbers ``(B, D, M)``, or return their `weighted_quantiles`."""
    return tf.sort(x) if weights is None else weighted_quantiles(x, weights)


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


_RESAMPLED: dict[Resampling, Callable[[tf.Tensor, int], tf.Tensor]] = {
    Resampling.quantiles: quantiles,
    Resampling.repeat: repeated,
}
"""Functions of sorted numbers ``(…, M)`` and a count to ``(…, count)``."""
