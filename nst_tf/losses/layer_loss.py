"""What losses over layers of the backbone share: weights, references, smoothing, balance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from nst_tf.losses.loss import Features, Loss, Targets
from nst_tf.losses.smoothing import Smoothing, entropy, largest, peak, spatial_softmax
from nst_tf.util.checks import above, at_least, choice
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.roles import role


class OverLayers(Enum):
    """How the layers of one loss are put together."""

    sum = "sum"
    mean = "mean"


class Blend(Enum):
    """How several styles share one loss."""

    losses = "losses"
    targets = "targets"


class Balance(Enum):
    """What brings the layers of one loss to the same size, whatever the network's scale.

    ``none`` nothing · ``gradient`` slopes: each layer's loss is divided by the norm of its pixel gradient at the start
    picture, so that there each pulls with its layer weight; see `nst_tf.optimization.objective.Objective.balanced` ·
    ``target`` another name for ``reduction=relative``: each layer's loss is divided by what silence would cost, the
    target's mean square for content and Gram matrices.
    """

    none = "none"
    gradient = "gradient"
    target = "target"


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
        smoothing: See `Smoothing`; ``softmax`` needs time and memory for a float32 copy of the features.
        temperature: Of ``softmax``, as a part of the reference's largest activation in the layer (of several styles
            the mean by shares), so that of features between 0 and that none becomes more than ``exp(1/temperature)``
            times another; default 1. Lower lets peaks stand out, higher leaves little but the filters' means.
        factor: Of ``scale``; default 0.001.
        balance: See `Balance`; ``target`` sets ``reduction`` to ``relative``.
        diagnostics: Whether `nst_tf.losses.smoothing.entropy` and ``peak`` of the picture's features, as they are compared,
            are told of each layer beside its loss: ``style/conv1_1/entropy``, ``style/conv1_1/peak``.
    """

    layers: list[str] = field(default_factory=list)
    layer_weights: list[float] | None = None
    over_layers: OverLayers = OverLayers.sum
    reference: str = "content"
    blend: Blend = Blend.losses
    smoothing: Smoothing = Smoothing.none
    temperature: float = 1.0
    factor: float = 0.001
    balance: Balance = Balance.none
    diagnostics: bool = field(default=False, metadata=role(old_name="peaks"))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_layers()
        above("temperature", self.temperature, 0)
        above("factor", self.factor, 0)
        if self.balance is Balance.target:
            kind = type(getattr(self, "reduction"))  # noqa: B009 - every subclass has its own
            setattr(self, "reduction", choice("balance", "relative", kind))  # noqa: B010
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

    @property
    def uses_temperature(self) -> bool:
        """With ``smoothing=softmax``."""
        return self.smoothing is Smoothing.softmax

    def temperatures(self, features: Features) -> Targets:
        """``temperature`` times each layer's `largest` activation, where there is a softmax."""
        if not self.uses_temperature:
            return {}
        return {_temperature_key(layer): self.temperature * largest(features[layer]) for layer in self.layers}

    def smooth(self, features: Features, temperatures: Targets) -> Features:
        """The features with those of ``layers`` smoothed."""
        match self.smoothing:
            case Smoothing.none:
                return features
            case Smoothing.softmax:
                changed = {
                    layer: spatial_softmax(features[layer], temperatures[_temperature_key(layer)])
                    for layer in self.layers
                }
            case Smoothing.scale:
                changed = {layer: self.factor * tf.cast(features[layer], tf.float32) for layer in self.layers}
        return {**features, **changed}

    @property
    def diagnostic_names(self) -> Sequence[str]:
        """Entropy and peak of each layer, where ``peaks`` asks for them."""
        return [f"{layer}/{name}" for layer in self.layers for name in _DIAGNOSTICS] if self.diagnostics else []

    def compute_diagnostics(self, features: Features) -> dict[str, tf.Tensor]:
        """Entropy and peak of each layer, where ``peaks`` asks for them."""
        diagnostic_names = ((name, *name.rsplit("/", 1)) for name in self.diagnostic_names)
        return {name: _DIAGNOSTICS[measure](features[layer]) for name, layer, measure in diagnostic_names}

    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """``E_l`` of one layer, ``(B,)``."""
        raise NotImplementedError

    def distance(self, representation: Targets, targets: Targets) -> dict[str, tf.Tensor]:
        """Each layer's ``w_l E_l``."""
        return {
            layer: self.share(layer) * self.layer_distance(representation[layer], targets[layer])
            for layer in self.layers
        }


_DIAGNOSTICS = {"entropy": entropy, "peak": peak}


def _temperature_key(layer: str) -> str:
    """The name of a layer's temperature among targets."""
    return f"temperature:{layer}"
