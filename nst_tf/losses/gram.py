"""The Gram style loss: correlations between filters, wherever in the picture they fire."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from nst_tf.losses.layer_loss import LayerLoss
from nst_tf.losses.loss import Features, Targets
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import elements, gram, positions, reciprocal, squared_sum


class GramDivisor(Enum):
    """What each Gram matrix ``FᵀF`` is divided by, in sizes of its own layer.

    ``none`` 1 · ``hw`` H·W (Gatys' notebook, the TensorFlow tutorial) · ``chw`` C·H·W (neural-style) ·
    ``hwc`` the same number, as anishathalye/neural-style writes it.
    """

    none = "none"
    hw = "hw"
    chw = "chw"
    hwc = "hwc"


class GramReduction(Enum):
    """From Gram differences to one number a layer; N filters, M positions.

    ``sum`` Σ(G−A)² · ``half_sum`` ½ Σ(G−A)² · ``mean`` Σ(G−A)²/N² ·
    ``gatys`` Σ(G−A)²/(4 N² M²) (Gatys et al. 2016, equation 4) ·
    ``mean_chw`` mean (G−A)²/(N·H·W) of the layer (Chandra et al. 2019) ·
    ``keras_example`` Σ(G−A)²/(4·3²·(HW)²), H and W of the picture (keras.io) ·
    ``relative`` Σ(G−A)²/ΣA², each matrix divided by its H·W: 0 is the painting's style, 1 is silence, so that every
    layer and every network counts alike.

    The divisors that speak of sizes divide each Gram matrix by its own picture's, so that a style of another
    size than the picture compares; for equal sizes they are the formulas to the letter.
    """

    sum = "sum"
    half_sum = "half_sum"
    mean = "mean"
    gatys = "gatys"
    mean_chw = "mean_chw"
    keras_example = "keras_example"
    relative = "relative"


_DIVISORS = {
    GramDivisor.none: lambda x: 1.0,
    GramDivisor.hw: positions,
    GramDivisor.chw: elements,
    GramDivisor.hwc: elements,
}

_SIZES = {  # the part of a reduction that depends on the picture's size: (features, image) -> divisor of G
    GramReduction.gatys: lambda x, image: positions(x),
    GramReduction.mean_chw: lambda x, image: tf.sqrt(elements(x)),
    GramReduction.keras_example: lambda x, image: elements(image),
    GramReduction.relative: lambda x, image: positions(x),
}

_FACTORS = {  # the rest of it: A -> factor of Σ(G−A)²
    GramReduction.sum: lambda A: 1.0,
    GramReduction.half_sum: lambda A: 0.5,
    GramReduction.mean: lambda A: 1.0 / A.shape[-1] ** 2,
    GramReduction.gatys: lambda A: 0.25 / A.shape[-1] ** 2,
    GramReduction.mean_chw: lambda A: 1.0 / A.shape[-1] ** 2,
    GramReduction.keras_example: lambda A: 0.25,
    GramReduction.relative: lambda A: reciprocal(squared_sum(A)),
}


@dataclass
class GramLoss(LayerLoss):
    """``weight · Σ_l w_l · reduction((G_l − A_l)²)`` per picture, ``G = (F + shift)ᵀ(F + shift) / divisor``.

    Args:
        divisor: See `GramDivisor`; default ``none``.
        reduction: See `GramReduction`; default ``gatys``.
        shift: Added to every feature. Default 0; with −1 silent filters count too (Novak & Nikulin 2016).
        chained: Whether each layer's distance is taken less the next layer's, ``Σ_l w_l (E_l − E_{l+1})``, nothing
            following the last (titu1994/Neural-Style-Transfer): layer l then counts ``w_l − w_{l−1}``, which may be
            below 0. Default off.

    Reference:
        Gatys, Ecker & Bethge 2016, *Image Style Transfer Using Convolutional Neural Networks*, equations 3 to 5.
        Novak & Nikulin 2016, *Improving the Neural Algorithm of Artistic Style*.
    """

    reference: str = "style"
    divisor: GramDivisor = GramDivisor.none
    reduction: GramReduction = GramReduction.gatys
    shift: float = 0.0
    chained: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not math.isfinite(self.shift):
            raise InputError(f"shift={self.shift}: must be a finite number")

    def share(self, layer: str) -> float:
        """The factor of one layer, less that of the layer before where they are ``chained``."""
        number = self.layers.index(layer)
        before = super().share(self.layers[number - 1]) if self.chained and number else 0.0
        return super().share(layer) - before

    def represent(self, features: Features) -> Targets:
        """Gram matrices ``(B, N, N)`` float32, divided by what depends on the picture's size."""
        return {layer: self._gram(features[layer], features["image"]) for layer in self.layers}

    def _gram(self, x: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        size = _SIZES.get(self.reduction, lambda x, image: 1.0)
        shifted = x + tf.cast(self.shift, x.dtype) if self.shift else x
        return gram(shifted) / (_DIVISORS[self.divisor](x) * size(x, image))

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """``reduction((G − A)²)``, ``(B,)`` float32."""
        return _FACTORS[self.reduction](target) * squared_sum(representation - target)
