"""What every loss has in common: layers, weights, a reference, and state passed as arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import ClassVar

import tensorflow as tf

from nst_tf.checks import accept_names, at_least
from nst_tf.errors import InputError

Features = Mapping[str, tf.Tensor]
"""Layer name to features ``(B, H, W, C)``; ``"image"`` is the picture itself, ``(B, H, W, 3)`` RGB in [0, 1]."""

Targets = Mapping[str, tf.Tensor]
"""Layer name to what a loss compares there."""


class OverLayers(Enum):
    """How the layers of one loss are put together."""

    sum = "sum"
    mean = "mean"


class Blend(Enum):
    """How several styles share one loss."""

    losses = "losses"
    targets = "targets"


@dataclass
class Loss:
    """A named component of the objective: ``weight · Σ_l w_l E_l`` per picture.

    A subclass says what it compares (``represent``) and how (``distance``), and what of that can be done once for all
    steps (``settle``); it keeps no state, so one object serves any number of pictures. Every value is float32 of shape
    ``(B,)``.

    Attributes:
        weight: The component's weight: α, β or the weight of total variation. A loss of weight 0 is not computed.
    """

    weight: float = 1.0

    positional: ClassVar[bool] = False
    """Whether it compares position by position, so that its references need the picture's own shape."""

    def __post_init__(self) -> None:
        accept_names(self)
        at_least("weight", self.weight, 0)

    def form(self) -> "Loss":
        """What of it a compiled step holds: all but its weight, which is a tensor there."""
        return replace(self, weight=1.0)

    @property
    def taps(self) -> Sequence[str]:
        """Names of the backbone layers this loss reads; ``"image"`` needs no backbone."""
        raise NotImplementedError

    def references(self, styles: int) -> Sequence[str]:
        """The pictures this loss compares with, of so many styles: ``content``, ``style:1`` …, or none."""
        raise NotImplementedError

    def represent(self, features: Features) -> Targets:
        """What the loss looks at in ``features``, layer by layer."""
        raise NotImplementedError

    def distance(self, representation: Targets, targets: Targets) -> dict[str, tf.Tensor]:
        """Each layer's share ``w_l E_l``, ``(B,)``; the shares add up to the raw loss."""
        raise NotImplementedError

    def settle(self, representation: Targets) -> Targets:
        """What every step compares with, out of a reference's representation, or of several blended into one."""
        return representation

    def prepare(self, features: Features) -> Targets:
        """Targets of a reference picture, computed once before the loop."""
        return {layer: tf.stop_gradient(value) for layer, value in self.settle(self.represent(features)).items()}

    def __call__(self, features: Features, targets: Targets) -> tf.Tensor:
        """The raw loss (before ``weight``), ``(B,)`` float32."""
        return tf.add_n(list(self.distance(self.represent(features), targets).values()))


@dataclass
class LayerLoss(Loss):
    """A loss over some layers of the backbone, against the content or the styles.

    Attributes:
        layers: Layer names, in any form the backbone knows.
        layer_weights: One weight a layer; None for 1 each.
        over_layers: ``sum``, or ``mean``: the sum divided by the number of layers.
        reference: ``content``; ``style``: every style, each with its share; ``style:2``: the second alone.
        blend: With several styles, ``losses`` sums each style's loss by its share, ``targets`` compares once
            with the weighted mean of what they are represented by.
    """

    layers: list[str] = field(default_factory=list)
    layer_weights: list[float] | None = None
    over_layers: OverLayers = OverLayers.sum
    reference: str = "content"
    blend: Blend = Blend.losses

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_layers()
        if self.reference not in ("content", "style") and self._style_number() is None:
            raise InputError(f"reference={self.reference!r}: must be content, style, or style:N with N from 1 up")

    def _check_layers(self) -> None:
        if self.weight and not self.layers:
            raise InputError(f"{type(self).__name__} has no layers: name some, or set its weight to 0")
        if len(set(self.layers)) < len(self.layers):
            raise InputError(f"layers={self.layers}: a layer stands there twice")
        if "image" in self.layers:
            raise InputError(f"layers={self.layers}: 'image' is no layer of a backbone")
        if self.layer_weights is None:
            return
        if len(self.layer_weights) != len(self.layers):
            raise InputError(
                f"layer_weights has {len(self.layer_weights)} entries for {len(self.layers)} layers "
                f"({', '.join(self.layers)}): give one a layer, or null for 1 each"
            )
        for weight in self.layer_weights:
            at_least("layer_weights", weight, 0)

    def _style_number(self) -> int | None:
        kind, _, number = self.reference.partition(":")
        return int(number) if kind == "style" and number.isdecimal() and int(number) > 0 else None

    @property
    def taps(self) -> Sequence[str]:
        """The layers, as given."""
        return self.layers

    def references(self, styles: int) -> Sequence[str]:
        """One content, one style, or every style."""
        if self.reference == "content":
            return ["content"]
        number = self._style_number()
        if number is None:
            return [f"style:{n}" for n in range(1, styles + 1)]
        if number > styles:
            raise InputError(f"reference={self.reference!r}: only {styles} style(s) given")
        return [self.reference]

    def share(self, layer: str) -> float:
        """The factor ``w_l`` of one layer, the mean over layers included."""
        weight = 1.0 if self.layer_weights is None else self.layer_weights[self.layers.index(layer)]
        return weight / len(self.layers) if self.over_layers is OverLayers.mean else weight

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """``E_l`` of one layer, ``(B,)``."""
        raise NotImplementedError

    def distance(self, representation: Targets, targets: Targets) -> dict[str, tf.Tensor]:
        """Each layer's ``w_l E_l``."""
        return {
            layer: self.share(layer) * self.layer_distance(representation[layer], targets[layer])
            for layer in self.layers
        }
