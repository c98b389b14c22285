"""One loss with its targets and its run-time inputs, and the names of the terms that an objective reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nst_tf.losses import Features, Loss, Representation, Temperatures
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf


class WeightedTarget(NamedTuple):
    """One target of a loss, and its share.

    Attributes:
        share: Factor of the loss against this target: the style's share, or 1.
        layers: Layer name to the target, ``(1, …)`` or ``(B, …)``; empty for a loss without references.
    """

    share: tf.Tensor | float
    layers: Representation


class TermInputs(NamedTuple):
    """Run-time inputs of a term. A compiled step takes them as arguments, so that it serves several runs.

    Attributes:
        weight: The loss's weight.
        targets: One target per reference, or a single one with ``blend=targets``.
        temperatures: Layer name to the temperature ``(B,)`` of its softmax; empty without a softmax.
        layer_factors: Layer name to the factor ``(B,)`` or ``(1,)`` from `Balance.gradient`; empty without it.
    """

    weight: tf.Tensor | float
    targets: Sequence[WeightedTarget]
    temperatures: Temperatures
    layer_factors: Mapping[str, tf.Tensor]

    def as_tensors(self) -> TermInputs:
        """Return the same values with every number as a tensor."""
        targets = [WeightedTarget(tf.constant(share), dict(layers)) for share, layers in self.targets]
        return TermInputs(tf.constant(self.weight), targets, dict(self.temperatures), dict(self.layer_factors))


@dataclass(frozen=True)
class Term:
    """A loss and its run-time inputs.

    Attributes:
        loss: The loss.
        inputs: Its weight, targets, temperatures and layer factors.
    """

    loss: Loss
    inputs: TermInputs

    def smooth(self, features: Features) -> Features:
        """Return the picture's features as the loss compares them."""
        return self.loss.smooth(features, self.inputs.temperatures)

    def layers(self, features: Features) -> dict[str, tf.Tensor]:
        """Compute each layer's part of the raw loss, summed over the targets by their shares.

        The picture's representation, for example its Gram matrices, is computed once for all targets.

        Args:
            features: Features of the picture, after `smooth`.

        Returns:
            Layer name to ``(B,)`` float32.
        """
        representation = self.loss.represent(features)
        distances = [
            {layer: share * value for layer, value in self.loss.distance(representation, layers).items()}
            for share, layers in self.inputs.targets
        ]
        sums = {layer: tf.add_n([distance[layer] for distance in distances]) for layer in distances[0]}
        factors = self.inputs.layer_factors
        return {layer: value * factors[layer] for layer, value in sums.items()} if factors else sums


def term_names(losses: Mapping[str, Loss]) -> list[str]:
    """Return the names of the terms that an objective of these losses reports, in order.

    For a loss ``style``, these are ``style``, its weighted part of the total; ``style/raw``, its value before the
    weight; ``style/conv1_1`` and so on, each layer's part of that; and the loss's diagnostics.
    """
    names = []
    for name, loss in active_losses(losses).items():
        layers = [f"{name}/{layer}" for layer in loss.taps if layer != "image"]
        names += [name, f"{name}/raw", *layers, *(f"{name}/{diagnostic}" for diagnostic in loss.diagnostic_names)]
    return names


def active_losses(losses: Mapping[str, Loss]) -> dict[str, Loss]:
    """Return the losses whose weight is above 0; the others are not computed.

    Raises:
        InputError: No weight is above 0.
    """
    active = {name: loss for name, loss in losses.items() if loss.weight > 0}
    if not active:
        raise InputError("losses: every loss has weight 0. Give at least one losses.NAME.weight a value above 0.")
    return active


def tapped_layers(losses: Mapping[str, Loss]) -> list[str]:
    """Return the backbone layers that the active losses read, each once, in the order of the losses."""
    layers = [layer for loss in active_losses(losses).values() for layer in loss.taps]
    return [layer for layer in dict.fromkeys(layers) if layer != "image"]
