"""Losses that compare the features of a layer as a distribution over its positions, which may carry weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

from nst_tf.losses.layer_loss import LayerLoss
from nst_tf.losses.loss import Features, Representation
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import elements, positions

PositionWeights: TypeAlias = "Mapping[str, tf.Tensor]"
"""Layer name to the weights of its positions, ``(1, h, w, 1)`` or ``(B, h, w, 1)`` float32: 0 or more, not all 0."""

Sums: TypeAlias = "tuple[tf.Tensor, ...]"
"""Sums over the positions of one layer, ``(B, …)`` each; those of two parts of a picture add up to those of both."""


@dataclass
class DistributionLoss(LayerLoss):
    """A loss that compares a layer's features as a set of samples, one vector per position.

    The order of the positions does not matter, so each may have a weight: 0 leaves it out, and only the ratio of two
    weights counts. Weights that are all equal give the loss without weights. A subclass writes ``represent_layer`` and
    ``layer_distance``.
    """

    weighs_positions: ClassVar[bool] = True

    def represent(self, features: Features, weights: PositionWeights | None = None) -> Representation:
        """Compute what the loss compares, for each of ``layers``.

        Args:
            features: Features of the picture or of a reference, after `smooth`.
            weights: Weights of the positions of each layer; None or an empty mapping weighs all positions alike.

        Returns:
            Layer name to a tensor ``(B, …)`` float32.
        """
        image = features.get("image")
        return {
            layer: self.represent_layer(features[layer], image, weights[layer] if weights else None)
            for layer in self.layers
        }

    @abstractmethod
    def represent_layer(self, x: tf.Tensor, image: tf.Tensor | None, weights: tf.Tensor | None) -> tf.Tensor:
        """Compute what the loss compares in one layer.

        Args:
            x: Features ``(B, h, w, C)`` in the precision of the backbone.
            image: The picture ``(B, H, W, 3)``, whose size some formulas read; None if it is not among the features.
            weights: ``(1, h, w, 1)`` or ``(B, h, w, 1)`` float32; None weighs all positions alike.

        Returns:
            ``(B, …)`` float32.
        """


class Extent(NamedTuple):
    """Sizes of one layer of a whole picture, which the formulas of losses contain.

    Attributes:
        positions: Number of positions ``M = h·w``, a float32 scalar.
        filters: Number of filters N.
        image_elements: Number of values in the picture, ``3·H·W``, a float32 scalar; None if no formula reads it.
        weight: Sum of the weights of all positions, ``(1,)`` or ``(B,)``; None without weights.
    """

    positions: tf.Tensor
    filters: int
    image_elements: tf.Tensor | None
    weight: tf.Tensor | None = None

    @property
    def elements(self) -> tf.Tensor:
        """Number of values in the layer, ``N·M``, a float32 scalar."""
        return self.positions * self.filters

    @classmethod
    def measure(cls, x: tf.Tensor, image: tf.Tensor | None, weights: tf.Tensor | None = None) -> Extent:
        """Return the sizes of features ``(B, h, w, C)`` and their picture ``(B, H, W, 3)``, with position weights."""
        weight = None if weights is None else tf.reduce_sum(tf.cast(weights, tf.float64), [1, 2, 3])
        return cls(positions(x), x.shape[-1], None if image is None else elements(image), weight)


@dataclass
class StatisticsLoss(DistributionLoss):
    """A loss whose representation is made of sums over positions, such as a mean or a Gram matrix.

    A picture may therefore be processed tile by tile: the `sums` of the tiles, with the weights of positions outside
    a tile's own part set to 0, add up to the sums of the picture, and `from_sums` makes the representation of these.
    A subclass writes ``sums``, ``statistics`` and ``layer_distance``.
    """

    def represent_layer(self, x: tf.Tensor, image: tf.Tensor | None, weights: tf.Tensor | None) -> tf.Tensor:
        """Compute the layer's statistics: `from_sums` of `sums`."""
        return self.from_sums(self.sums(x, weights), Extent.measure(x, image, weights))

    def from_sums(self, sums: Sums, extent: Extent) -> tf.Tensor:
        """Compute the representation of one layer.

        The sums are first divided by the mean weight, so that the formulas hold as written: the weights of a picture
        then add up to its number of positions.

        Args:
            sums: Sums over all positions of the picture, in the dtype of `sums` or in float64.
            extent: Sizes of the layer of the whole picture.

        Returns:
            ``(B, …)`` float32.
        """
        if extent.weight is not None:
            scale = tf.cast(extent.positions, tf.float64) / extent.weight
            sums = tuple(_scaled(value, scale) for value in sums)
        return self.statistics(sums, extent)

    @abstractmethod
    def sums(self, x: tf.Tensor, weights: tf.Tensor | None = None) -> Sums:
        """Compute the sums over positions that the representation is made of.

        Args:
            x: Features ``(B, h, w, C)`` of a picture or of a part of it, after `smooth`.
            weights: ``(1, h, w, 1)`` or ``(B, h, w, 1)`` float32; None weighs all positions alike, with 1.

        Returns:
            Tensors ``(B, …)``, linear in the weights.
        """

    @abstractmethod
    def statistics(self, sums: Sums, extent: Extent) -> tf.Tensor:
        """Compute the representation ``(B, …)`` float32 of sums whose weights add up to the number of positions."""


def _scaled(value: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Multiply ``(B, …)`` by ``(1,)`` or ``(B,)`` float64, in the dtype of the value."""
    return value * tf.cast(tf.reshape(scale, [-1, *[1] * (value.shape.rank - 1)]), value.dtype)


def weighted(x: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Multiply features ``(B, h, w, C)`` by the roots of their weights, so that products of two have the weights.

    A weight of 0 or 1 is exact in every precision.
    """
    return x if weights is None else x * tf.cast(tf.sqrt(weights), x.dtype)
