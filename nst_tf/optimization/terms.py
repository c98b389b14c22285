"""A loss beside what it compares with, and what an objective of several reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from nst_tf.losses import Features, Loss, Targets
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

WeightedTargets: TypeAlias = "Sequence[tuple[tf.Tensor | float, Targets]]"
"""Targets, each with its share of a loss."""

TermInputs: TypeAlias = "tuple[tf.Tensor | float, WeightedTargets, Targets]"
"""What of a term is no form: the loss's weight, what it compares with, and its layers' factors."""


@dataclass
class Term:
    """A loss, its weight, and what it compares with.

    Attributes:
        loss: The loss.
        weight: Its weight.
        targets: Each with its share of the loss.
        factors: What `Balance.gradient` multiplies layers by, ``(B,)`` or ``(1,)`` each.
    """

    loss: Loss
    weight: tf.Tensor | float
    targets: WeightedTargets
    factors: Targets = field(default_factory=dict)

    @property
    def inputs(self) -> TermInputs:
        """All but the loss, as tensors."""
        targets = [(tf.constant(share), dict(targets)) for share, targets in self.targets]
        return tf.constant(self.weight), targets, dict(self.factors)

    def smooth(self, features: Features) -> Features:
        """The features as the loss compares them; temperatures are the same in all targets."""
        return self.loss.smooth(features, self.targets[0][1])

    def layers(self, features: Features) -> dict[str, tf.Tensor]:
        """Each layer's share of the raw loss, ``(B,)``, summed over the targets by their shares.

        The picture's own representation (its Gram matrices, say) is computed once for all targets.

        Args:
            features: As `smoothed` gives them.
        """
        representation = self.loss.represent(features)
        distances = [
            {layer: share * value for layer, value in self.loss.distance(representation, targets).items()}
            for share, targets in self.targets
        ]
        sums = {layer: tf.add_n([distance[layer] for distance in distances]) for layer in distances[0]}
        return {layer: value * self.factors[layer] if self.factors else value for layer, value in sums.items()}


def term_names(losses: Mapping[str, Loss]) -> list[str]:
    """Names of the terms an objective of these losses reports, in order.

    For a loss ``style``: ``style`` its weighted share of the total, ``style/raw`` its raw value,
    ``style/conv1_1`` … what each layer adds to the raw value, and what the loss tells beside.
    """
    names = []
    for name, loss in active_losses(losses).items():
        layers = [f"{name}/{layer}" for layer in loss.taps if layer != "image"]
        names += [name, f"{name}/raw", *layers, *(f"{name}/{told}" for told in loss.diagnostic_names)]
    return names


def active_losses(losses: Mapping[str, Loss]) -> dict[str, Loss]:
    """The losses that count: those of a weight above 0.

    Raises:
        InputError: None does.
    """
    counting = {name: loss for name, loss in losses.items() if loss.weight > 0}
    if not counting:
        raise InputError("every loss has weight 0: give at least one of losses.NAME.weight a value above 0")
    return counting


def tapped_layers(losses: Mapping[str, Loss]) -> list[str]:
    """The backbone layers the active losses read, each once, in the order first asked for."""
    layers = [layer for loss in active_losses(losses).values() for layer in loss.taps]
    return [layer for layer in dict.fromkeys(layers) if layer != "image"]
