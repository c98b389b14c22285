"""The content loss: features of the picture against features of the content, position by position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

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


_FORMULAS: dict[ContentReduction, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {  # (F, P) to (B,)
    ContentReduction.half_sum: lambda F, P: 0.5 * squared_sum(F - P),
    ContentReduction.sum: lambda F, P: squared_sum(F - P),
    ContentReduction.mean: lambda F, P: 1.0 / elements(P) * squared_sum(F - P),
    ContentReduction.sqrt: lambda F, P: 0.5 / tf.sqrt(elements(P)) * squared_sum(F - P),
    ContentReduction.relative: lambda F, P: reciprocal(squared_sum(P)) * squared_sum(F - P),
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

    def represent(self, features: Features) -> Representation:
        """Return the features themselves, ``(B, H, W, C)`` in the precision of the backbone."""
        return {layer: features[layer] for layer in self.layers}

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute ``reduction((F − P)²)``, ``(B,)`` float32."""
        F, P = tf.cast(representation, tf.float32), tf.cast(target, tf.float32)
        return _FORMULAS[self.reduction](F, P)
