"""The content loss: features of the picture against features of the content, position by position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from nst_tf.losses.distribution_loss import PositionWeights, weighted
from nst_tf.losses.layer_loss import LayerLoss
from nst_tf.losses.loss import Features, Representation
from nst_tf.util.deprecation import accept_old_names
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import elements, reciprocal, squared_sum


class ContentReduction(Enum):
    """The formula of one layer's content loss; features F of the picture and P of the content, N filters, M positions.

    ``half_sum`` ½ Σ(F−P)² (Gatys et al. 2016, equation 1) · ``sum`` Σ(F−P)² · ``mean`` Σ(F−P)²/(NM) ·
    ``sqrt`` Σ(F−P)²/(2 √N √M) (cysmith/neural-style-tf) ·
    ``relative`` Σ(F−P)²/ΣP²: 0 at the content and 1 for features that are all 0, for every scale of the network's
    features and every size of the picture.
    """

    half_sum = "half_sum"
    sum = "sum"
    mean = "mean"
    sqrt = "sqrt"
    relative = "relative"


_FACTORS: dict[ContentReduction, Callable[[tf.Tensor], tf.Tensor | float]] = {  # P to the factor of Σ(F−P)²
    ContentReduction.half_sum: lambda P: 0.5,
    ContentReduction.sum: lambda P: 1.0,
    ContentReduction.mean: lambda P: 1.0 / elements(P),
    ContentReduction.sqrt: lambda P: 0.5 / tf.sqrt(elements(P)),
    ContentReduction.relative: lambda P: reciprocal(squared_sum(P)),
}


@accept_old_names
@dataclass
class ContentLoss(LayerLoss):
    """``weight · Σ_l w_l · reduction((F_l − P_l)²)`` per picture.

    Args:
        reduction: See `ContentReduction`; default ``half_sum``.

    Reference:
        Gatys, Ecker & Bethge 2016, *Image Style Transfer Using Convolutional Neural Networks*, equation 1.
    """

    reduction: ContentReduction = ContentReduction.half_sum

    positional: ClassVar[bool] = True
    weighs_positions: ClassVar[bool] = True

    def represent(self, features: Features, weights: PositionWeights | None = None) -> Representation:
        """Return the features themselves, ``(B, H, W, C)`` in the precision of the backbone.

        With weights, each position's features are multiplied by the root of its weight, so that its squared difference
        counts with the weight.
        """
        return {layer: weighted(features[layer], weights[layer] if weights else None) for layer in self.layers}

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute ``reduction((F − P)²)``, ``(B,)`` float32."""
        return self.target_factor(target) * self.difference(representation, target)

    def target_factor(self, target: tf.Tensor) -> tf.Tensor | float:
        """Return the factor of ``Σ(F − P)²``, a number or ``(B,)``, for a target ``(B, H, W, C)``."""
        return _FACTORS[self.reduction](tf.cast(target, tf.float32))

    def difference(self, x: tf.Tensor, target: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
        """Compute ``Σ w (F − P)²``, ``(B,)`` float32; the sums of two parts of a picture add up to that of both.

        Args:
            x: Features ``(B, h, w, C)`` of a picture or of a part of it.
            target: The target there, ``(1, h, w, C)`` or ``(B, h, w, C)``.
            weights: ``(1, h, w, 1)`` float32; None weighs all positions with 1.
        """
        F, P = tf.cast(x, tf.float32), tf.cast(target, tf.float32)
        return squared_sum(weighted(F - P, weights))
