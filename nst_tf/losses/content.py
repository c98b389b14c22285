"""The content loss: features of the picture against features of the photograph, position by position."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from nst_tf.losses.layer_loss import LayerLoss
from nst_tf.losses.loss import Features, Targets
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import elements, reciprocal, squared_sum


class ContentReduction(Enum):
    """From squared feature differences to one number a layer; N filters, M positions.

    ``half_sum`` ½ Σ(F−P)² (Gatys et al. 2016, equation 1) · ``sum`` Σ(F−P)² · ``mean`` Σ(F−P)²/(NM) ·
    ``sqrt`` Σ(F−P)²/(2 √N √M) (cysmith/neural-style-tf) ·
    ``relative`` Σ(F−P)²/ΣP²: 0 is the photograph, 1 is silence, whatever the network's scale or the picture's size.
    """

    half_sum = "half_sum"
    sum = "sum"
    mean = "mean"
    sqrt = "sqrt"
    relative = "relative"


_FACTORS = {  # P -> factor of Σ(F−P)²
    ContentReduction.half_sum: lambda P: 0.5,
    ContentReduction.sum: lambda P: 1.0,
    ContentReduction.mean: lambda P: 1.0 / elements(P),
    ContentReduction.sqrt: lambda P: 0.5 / tf.sqrt(elements(P)),
    ContentReduction.relative: lambda P: reciprocal(squared_sum(P)),
}


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

    def represent(self, features: Features) -> Targets:
        """The features themselves, ``(B, H, W, C)`` in the precision they came in."""
        return {layer: features[layer] for layer in self.layers}

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """``reduction((F − P)²)``, ``(B,)`` float32."""
        F, P = tf.cast(representation, tf.float32), tf.cast(target, tf.float32)
        return _FACTORS[self.reduction](P) * squared_sum(F - P)
