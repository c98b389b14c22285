"""Losses over layers of the backbone: layer weights, references, smoothing and balance."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from nst_tf.losses.loss import Features, Loss, Representation, Temperatures
from nst_tf.losses.smoothing import Smoothing, entropy, largest_activation, peak, spatial_softmax
from nst_tf.util.checks import above, at_least, choice
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.roles import role


class OverLayers(Enum):
    """Combination of a loss's layers: their ``sum``, or the ``mean``, which is the sum over the number of layers."""

    sum = "sum"
    mean = "mean"


class Blend(Enum):
    """Combination of several styles in one loss.

    ``losses`` adds up each style's loss, weighted by the style's share ·
    ``targets`` compares once, with the mean of the styles' representations, weighted by their shares.
    """

    losses = "losses"
    targets = "targets"


class Balance(Enum):
    """Normalisation of the layers of one loss, for layers whose features have different scales.

    ``none`` leaves them as they are · ``gradient`` divides each layer's loss by the norm of its pixel gradient at the
    start picture, so that there each layer's gradient has the length of its weight; see
    `nst_tf.optimization.objective.Objective.balance_gradients` · ``target`` is another name for
    ``reduction=relative``: it divides each layer's loss by that of a picture whose features are all 0.
    """

    none = "none"
    gradient = "gradient"
    target = "target"


@dataclass
class LayerLoss(Loss):
    """A loss over layers of the backbone, against the content or the styles: ``Σ_l w_l E_l``.

    A new loss over layers has two methods to write:

    - ``represent(features)`` computes what is compared, for every layer in ``self.layers``: it maps features
      ``(B, H, W, C)``, in the precision of the backbone, to a tensor ``(B, …)``, best in float32. It runs on the
      picture at every step, and once on each reference.
    - ``layer_distance(representation, target)`` compares two of these tensors, ``(B, …)`` and ``(1, …)`` or
      ``(B, …)``, and returns ``E_l``, ``(B,)`` float32.

    The base class does the rest. The filters' means, for example, are compared by::

        @dataclass
        class MeanLoss(LayerLoss):
            reference: str = "style"

            def represent(self, features):
                return {layer: tf.reduce_mean(features[layer], [1, 2]) for layer in self.layers}  # (B, C)

            def layer_distance(self, representation, target):
                return tf.reduce_sum(tf.square(representation - target), axis=1)  # (B,)

    A loss that compares position by position sets ``positional = True``. A loss for which the order of the positions
    does not matter derives from `nst_tf.losses.distribution_loss.DistributionLoss`, so that it can be limited to a
    region of the picture. An entry in `nst_tf.losses.LOSSES` makes a
    loss available in configs.

    Attributes:
        layers: Layer names, in any form that the backbone accepts.
        layer_weights: One weight per layer; None gives each the weight 1.
        over_layers: See `OverLayers`; default ``sum``.
        reference: ``content``; ``style`` for every style, weighted by its share; or ``style:2`` for the second alone.
        blend: See `Blend`; default ``losses``.
        smoothing: See `Smoothing`; ``softmax`` needs time and memory for a float32 copy of the features.
        temperature: Temperature of ``softmax``, relative to the reference's largest activation in the layer (with
            several styles, to the mean by shares). Of features between 0 and that activation, none then becomes more
            than ``exp(1/temperature)`` times another. Default 1; a lower value lets peaks stand out.
        factor: Factor of ``scale``; default 0.001.
        balance: See `Balance`; default ``none``. With ``target``, ``reduction`` is set to ``relative``.
        diagnostics: Whether to report, beside each layer's loss, the `nst_tf.losses.smoothing.entropy` and ``peak`` of
            the picture's smoothed features: ``style/conv1_1/entropy``, ``style/conv1_1/peak``.
        in_regions: Whether a loss on the styles compares each region of the config group ``regions`` by itself. False
            compares the whole picture. Default true.
        reduction: The formula of ``E_l``. A subclass narrows the type to an enumeration of its own; None, the default,
            is for a loss that has a single formula.
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
    in_regions: bool = field(default=True, metadata=role(implied_value=True))
    reduction: Enum | None = None

    weighs_positions: ClassVar[bool] = False
    """True if ``represent`` takes weights of positions, as that of `DistributionLoss` does."""

    @abstractmethod
    def represent(self, features: Features) -> Representation:
        """Compute what the loss compares: for each of ``layers`` a tensor ``(B, …)`` out of ``(B, H, W, C)``."""

    @abstractmethod
    def layer_distance(self, representation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Compute ``E_l``, ``(B,)`` float32, from the picture's representation of one layer and the target's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_layers(self, self.layers)
        self._check_layer_weights()
        above("temperature", self.temperature, 0)
        above("factor", self.factor, 0)
        if self.balance is Balance.target:
            self.reduction = self._relative_reduction()
        if self.reference not in ("content", "style") and self._style_number() is None:
            raise InputError(
                f"reference={self.reference!r}: must be content, style, or style:N with a number N of at least 1."
            )

    def _check_layer_weights(self) -> None:
        if self.layer_weights is None:
            return
        if len(self.layer_weights) != len(self.layers):
            raise InputError(
                f"layer_weights={self.layer_weights}: has {len(self.layer_weights)} entries for {len(self.layers)} "
                f"layers ({', '.join(self.layers)}). Give one weight per layer, or null for 1 each."
            )
        for weight in self.layer_weights:
            at_least("layer_weights", weight, 0)

    def _relative_reduction(self) -> Enum:
        if self.reduction is None:
            raise InputError(
                f"balance=target: {type(self).__name__} has no reduction named relative. "
                "Choose balance=none or balance=gradient."
            )
        return choice("balance", "relative", type(self.reduction))

    def _style_number(self) -> int | None:
        kind, _, number = self.reference.partition(":")
        return int(number) if kind == "style" and number.isdecimal() and int(number) > 0 else None

    @property
    def taps(self) -> Sequence[str]:
        """The layers, as given."""
        return self.layers

    def references(self, styles: int) -> Sequence[str]:
        """Return the content, one style, or every style, as ``reference`` says."""
        if self.reference == "content":
            return ["content"]
        number = self._style_number()
        if number is None:
            return [f"style:{n}" for n in range(1, styles + 1)]
        if number > styles:
            raise InputError(
                f"reference={self.reference!r}: the run has only {styles} style(s). "
                "Choose a smaller number, or give more styles."
            )
        return [self.reference]

    def effective_weight(self, layer: str) -> float:
        """Return ``w_l``, the factor of one layer's ``E_l`` in the loss, with the mean over layers included."""
        weight = 1.0 if self.layer_weights is None else self.layer_weights[self.layers.index(layer)]
        return weight / len(self.layers) if self.over_layers is OverLayers.mean else weight

    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute each layer's ``w_l E_l``, ``(B,)`` float32."""
        return {
            layer: self.effective_weight(layer) * self.layer_distance(representation[layer], targets[layer])
            for layer in self.layers
        }

    @property
    def uses_temperature(self) -> bool:
        """True with ``smoothing=softmax``."""
        return self.smoothing is Smoothing.softmax

    def temperatures(self, features: Features) -> Temperatures:
        """Return ``temperature`` times each layer's `largest_activation`; nothing without a softmax."""
        if not self.uses_temperature:
            return {}
        return {layer: self.temperature * largest_activation(features[layer]) for layer in self.layers}

    def smooth(self, features: Features, temperatures: Temperatures) -> Features:
        """Return the features, with those of ``layers`` smoothed as ``smoothing`` says."""
        match self.smoothing:
            case Smoothing.none:
                return features
            case Smoothing.softmax:
                changed = {layer: spatial_softmax(features[layer], temperatures[layer]) for layer in self.layers}
            case Smoothing.scale:
                changed = {layer: self.factor * tf.cast(features[layer], tf.float32) for layer in self.layers}
        return {**features, **changed}

    @property
    def diagnostic_names(self) -> Sequence[str]:
        """``LAYER/entropy`` and ``LAYER/peak`` of each layer, if ``diagnostics`` is on."""
        return [f"{layer}/{name}" for layer in self.layers for name in _DIAGNOSTICS] if self.diagnostics else []

    def compute_diagnostics(self, features: Features) -> dict[str, tf.Tensor]:
        """Compute each layer's entropy and peak, ``(B,)`` float32, if ``diagnostics`` is on."""
        named = ((name, *name.rsplit("/", 1)) for name in self.diagnostic_names)
        return {name: _DIAGNOSTICS[measure](features[layer]) for name, layer, measure in named}


def check_layers(loss: Loss, layers: Sequence[str]) -> None:
    """Raise `InputError` unless a loss names at least one layer of the backbone, and none twice."""
    if loss.weight and not layers:
        raise InputError(
            f"layers=[]: {type(loss).__name__} has no layers to compare. Name at least one, or set its weight to 0."
        )
    if len(set(layers)) < len(layers):
        raise InputError(f"layers={layers}: must not name a layer twice. Remove the repetition.")
    if "image" in layers:
        raise InputError(
            f"layers={layers}: must name layers of the backbone; 'image' is the picture itself. Remove it."
        )


_DIAGNOSTICS = {"entropy": entropy, "peak": peak}
