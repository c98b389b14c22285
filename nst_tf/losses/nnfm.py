"""The nearest-neighbour feature matching loss: each position against the most similar position of the style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from nst_tf.losses.distribution_loss import PositionWeights
from nst_tf.losses.layer_loss import Blend, LayerLoss
from nst_tf.losses.loss import Features, Representation
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.nearest import cosine, nearest_cosine

JOINED = "joined"
"""Name of the part that all layers form together."""

SMALLEST_SQUARE = 1e-8
"""Floor of a vector's squared length, as in the paper's program."""


class NNFMReduction(Enum):
    """The formula of one part: ``mean`` is the mean distance over the positions, and ``relative`` is the same.

    A cosine distance is 0 at the style and 1 for features that are all 0 whatever their scale, so that it needs no
    division by its target.
    """

    mean = "mean"
    relative = "relative"


class Matching(Enum):
    """The vectors that are matched.

    ``joined`` those of all layers together, one vector per position; the layers must have one size, such as conv3_1 …
    conv3_3 (Zhang et al. 2022) · ``layers`` those of each layer by themselves.
    """

    joined = "joined"
    layers = "layers"


@dataclass
class NNFMLoss(LayerLoss):
    """``weight · Σ_l w_l · mean_p min_q (1 − cos(F_p, S_q))`` per picture, over its positions p and the style's q.

    Every position of the picture is drawn to the most similar position of the style, so that details of the style
    survive which averages over the picture lose. The match is made anew at every evaluation, and carries no gradient.
    The loss is continuous where a match changes. It is computed in tiles of at most
    `nst_tf.util.nearest.TILE_ELEMENTS` cosines, never as one matrix.

    In a region, positions of the style that are less than half inside of it are not matched, and those of the picture
    count with their weights. Matches are no sums over positions, so a picture cannot be processed tile by tile.

    Args:
        matching: See `Matching`; default ``joined``. Then a layer's weight is its factor in the inner products, and
            ``over_layers`` has no effect.
        centred: Whether the mean over the positions is subtracted from the vectors of each picture first. Default off,
            as in the paper.
        reduction: See `NNFMReduction`.

    Reference:
        Zhang, Kolkin, Bi, Luan, Xu, Shechtman & Snavely 2022, *ARF: Artistic Radiance Fields*, equation 1.
    """

    reference: str = "style"
    reduction: NNFMReduction = NNFMReduction.mean
    matching: Matching = Matching.joined
    centred: bool = False

    weighs_positions: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.blend is Blend.targets:
            raise InputError("blend=targets: positions of several styles have no mean. Choose blend=losses.")

    @property
    def part_names(self) -> Sequence[str]:
        """The layers, or `JOINED`."""
        return [JOINED] if self.matching is Matching.joined else self.layers

    def effective_weight(self, layer: str) -> float:
        """Return ``w_l`` of a layer, or 1 for `JOINED`, whose vectors contain the weights."""
        return 1.0 if layer == JOINED else super().effective_weight(layer)

    def represent(self, features: Features, weights: PositionWeights | None = None) -> Representation:
        """Return the vectors of each part, ``(B, M, C + 1)`` in the precision of the backbone.

        The last column has the weight of each position, 1 without ``weights``.
        """
        masks = weights or {}
        if self.matching is Matching.layers:
            return {layer: _with_weights(_vectors(features[layer]), masks.get(layer)) for layer in self.layers}
        self._check_sizes(features)
        scaled = [_vectors(features[layer]) * self._scale(layer, features) for layer in self.layers]
        return {JOINED: _with_weights(tf.concat(scaled, -1), masks.get(self.layers[0]))}

    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute the term of each part, ``(B,)`` float32."""
        return {
            part: self.effective_weight(part) * self.layer_distance(representation[part], targets[part])
            for part in self.part_names
        }

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute the mean cosine distance from the nearest vectors of the style, ``(B,)`` float32."""
        count, targets = representation.shape[0], target.shape[0]
        return tf.stack([self._mean_distance(representation[n], target[n % targets]) for n in range(count)])

    def _mean_distance(self, x: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        queries, weights = x[:, :-1], tf.cast(x[:, -1], tf.float32)
        style_weights = tf.cast(target[:, -1], tf.float32)
        inside = style_weights >= 0.5 * tf.reduce_max(style_weights)
        keys = tf.boolean_mask(target[:, :-1], inside)
        query_mean, key_mean = self._mean(queries, weights), self._mean(keys, tf.boolean_mask(style_weights, inside))
        index, _ = nearest_cosine(queries, keys, query_mean=query_mean, key_mean=key_mean)
        matched = tf.stop_gradient(tf.gather(keys, index))
        similar = cosine(_minus(queries, query_mean), _minus(matched, key_mean), SMALLEST_SQUARE)
        return tf.reduce_sum(weights * (1.0 - similar)) / tf.reduce_sum(weights)

    def _mean(self, x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor | None:
        if not self.centred:
            return None
        share = (weights / tf.reduce_sum(weights))[:, None]
        return tf.reduce_sum(share * tf.cast(x, tf.float32), axis=0)

    def _scale(self, layer: str, features: Features) -> tf.Tensor:
        """Return the root of a layer's weight, in the precision of its features."""
        weight = 1.0 if self.layer_weights is None else self.layer_weights[self.layers.index(layer)]
        return tf.cast(weight**0.5, features[layer].dtype)

    def _check_sizes(self, features: Mapping[str, tf.Tensor]) -> None:
        sizes = {layer: tuple(features[layer].shape[1:3]) for layer in self.layers}
        if len(set(sizes.values())) > 1:
            named = ", ".join(f"{layer} {height}x{width}" for layer, (height, width) in sizes.items())
            raise InputError(
                f"matching=joined: the layers must have one size, and these have several: {named}. Choose layers of "
                "one stage, such as [conv3_1,conv3_2,conv3_3], or matching=layers."
            )


def _vectors(x: tf.Tensor) -> tf.Tensor:
    """Return features ``(B, h, w, C)`` as one row per position, ``(B, M, C)``, in their precision."""
    return tf.reshape(x, [tf.shape(x)[0], x.shape[1] * x.shape[2], x.shape[3]])


def _with_weights(x: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Append the weights ``(1, h, w, 1)`` of the positions to their vectors ``(B, M, C)`` as a last column."""
    flat = tf.ones_like(x[..., :1]) if weights is None else tf.reshape(tf.cast(weights, x.dtype), [1, -1, 1])
    return tf.concat([x, flat + tf.zeros_like(x[..., :1])], -1)


def _minus(x: tf.Tensor, mean: tf.Tensor | None) -> tf.Tensor:
    return x if mean is None else tf.cast(x, tf.float32) - mean
