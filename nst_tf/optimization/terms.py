"""One loss with its targets and its run-time inputs, and the names of the terms that an objective reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nst_tf.losses import DRAW, Features, Loss, PositionWeights, Representation, Temperatures
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


WHOLE_PICTURE = ""
"""Name of the only region of a loss that is not limited to regions."""


def part_name(region: str, layer: str) -> str:
    """Return the name of a layer's part of a loss in one region: ``sky/conv1_1``, or ``conv1_1`` in the picture."""
    return layer if region == WHOLE_PICTURE else f"{region}/{layer}"


class RegionInputs(NamedTuple):
    """Run-time inputs of a term in one region of the picture, or in the whole picture.

    Attributes:
        targets: One target per reference, or a single one with ``blend=targets``. Their shares contain that of the
            region.
        weights: Layer name to the weights of the picture's positions, ``(1, h, w, 1)``; empty weighs all alike.
    """

    targets: Sequence[WeightedTarget]
    weights: PositionWeights

    def as_tensors(self) -> RegionInputs:
        """Return the same values with every number as a tensor."""
        targets = [WeightedTarget(tf.constant(share), dict(layers)) for share, layers in self.targets]
        return RegionInputs(targets, dict(self.weights))


class TermInputs(NamedTuple):
    """Run-time inputs of a term. A compiled step takes them as arguments, so that it serves several runs.

    Attributes:
        weight: The loss's weight.
        regions: Targets and position weights by the name of a region; `WHOLE_PICTURE` alone without regions.
        temperatures: Layer name to the temperature ``(B,)`` of its softmax; empty without a softmax.
        layer_factors: `part_name` to the factor ``(B,)`` or ``(1,)`` from `Balance.gradient`; empty without it.
        draw: `DRAW` to the seed ``(2,)`` int32 of the phase, for a loss with draws; empty for any other.
    """

    weight: tf.Tensor | float
    regions: Mapping[str, RegionInputs]
    temperatures: Temperatures
    layer_factors: Mapping[str, tf.Tensor]
    draw: Mapping[str, tf.Tensor]

    @property
    def targets(self) -> Sequence[WeightedTarget]:
        """Targets of the whole picture, for a loss that is not limited to regions."""
        return self.regions[WHOLE_PICTURE].targets

    def as_tensors(self) -> TermInputs:
        """Return the same values with every number as a tensor."""
        regions = {name: region.as_tensors() for name, region in self.regions.items()}
        factors = dict(self.layer_factors)
        return TermInputs(tf.constant(self.weight), regions, dict(self.temperatures), factors, dict(self.draw))


@dataclass(frozen=True)
class Term:
    """A loss and its run-time inputs.

    Attributes:
        loss: The loss.
        inputs: Its weight, targets, temperatures and layer factors.
    """

    loss: Loss
    inputs: TermInputs

    def smooth(self, features: Features, step: tf.Tensor | None = None) -> Features:
        """Return the picture's features as the loss compares them, with the seed of its draw at a step of the phase."""
        smoothed = self.loss.smooth(features, self.inputs.temperatures)
        return {**smoothed, **{name: drawn_at(self.loss, seed, step) for name, seed in self.inputs.draw.items()}}

    def layers(self, features: Features) -> dict[str, tf.Tensor]:
        """Compute each layer's part of the raw loss, summed over the targets by their shares.

        The picture's representation, for example its Gram matrices, is computed once for all targets of a region.

        Args:
            features: Features of the picture, after `smooth`.

        Returns:
            `part_name` to ``(B,)`` float32.
        """
        return {
            part: value
            for region, inputs in self.inputs.regions.items()
            for part, value in self._compare(represent(self.loss, features, inputs.weights), region).items()
        }

    def share(self, region: str) -> float:
        """Return the share of a region in the loss, 1 for the whole picture; the targets hold it in parts."""
        if region == WHOLE_PICTURE:
            return 1.0
        return sum(float(target.share) for target in self.inputs.regions[region].targets)

    def _compare(self, representation: Representation, region: str) -> dict[str, tf.Tensor]:
        """Compare the picture's representation in a region with the region's targets; see `sum_targets`."""
        targets = self.inputs.regions[region].targets
        return self.sum_targets((self.loss.distance(representation, layers) for _, layers in targets), region)

    def sum_targets(
        self, distances: Iterable[Mapping[str, tf.Tensor]], region: str = WHOLE_PICTURE
    ) -> dict[str, tf.Tensor]:
        """Sum the distances to the targets of a region by their shares, and multiply each part by its factor.

        Args:
            distances: Layer name to ``(B,)`` float32, for each of the region's targets.
            region: Name of the region.

        Returns:
            `part_name` to ``(B,)`` float32.
        """
        shared = [
            {part_name(region, layer): share * value for layer, value in distance.items()}
            for (share, _), distance in zip(self.inputs.regions[region].targets, distances, strict=True)
        ]
        sums = {part: tf.add_n([distance[part] for distance in shared]) for part in shared[0]}
        factors = self.inputs.layer_factors
        return {part: value * factors[part] for part, value in sums.items()} if factors else sums


def represent(loss: Loss, features: Features, weights: PositionWeights) -> Representation:
    """Return ``loss.represent``, with weights of positions if there are any."""
    return loss.represent(features, weights) if weights else loss.represent(features)  # type: ignore[call-arg]


class Draws(NamedTuple):
    """The seed of the run and the number of the phase, from 0, from which the draws of losses follow."""

    seed: int = 0
    phase: int = 0

    def of(self, loss: Loss) -> dict[str, tf.Tensor]:
        """Return `DRAW` to the seed ``(2,)`` int32 of a loss's draws in this phase; empty for a loss without draws."""
        if not loss.draws:
            return {}
        phase = 0 if getattr(loss, "redraw", None) == "never" else self.phase
        low, high = self.seed % 2**31, self.seed // 2**31 % 2**31
        return {DRAW: tf.random.experimental.stateless_fold_in(tf.constant([low, high], tf.int32), phase)}


def redraw_period(loss: Loss) -> int | None:
    """Return the steps between two draws of a loss; None if it draws once in a phase or not at all."""
    redraw = getattr(loss, "redraw", None) if loss.draws else None
    return redraw if isinstance(redraw, int) else None


def rematch_period(loss: Loss) -> int | None:
    """Return the steps between two rematches of a loss; None if its targets do not follow the picture in a phase."""
    rematch = getattr(loss, "rematch", None) if loss.anchors else None
    return rematch if isinstance(rematch, int) else None


def drawn_at(loss: Loss, seed: tf.Tensor, step: tf.Tensor | None) -> tf.Tensor:
    """Return the seed of a loss's draw at a step of the phase; None is the first step."""
    period = redraw_period(loss)
    if period is None:
        return seed
    draw = tf.constant(0, tf.int64) if step is None else tf.cast(step, tf.int64) // period
    return tf.random.experimental.stateless_fold_in(seed, draw)


def regions_of(name: str, loss: Loss, regions: Sequence[str]) -> list[str]:
    """Return the regions to which a loss is limited: all of them if it compares styles by region, or `WHOLE_PICTURE`.

    Args:
        name: Name of the loss.
        loss: The loss.
        regions: Names of the regions; empty without regions.

    Raises:
        InputError: The loss compares with styles and its positions cannot be weighed.
    """
    reference = getattr(loss, "reference", "")
    named = [region for region in regions if region != WHOLE_PICTURE]
    if not (named and reference.startswith("style") and getattr(loss, "in_regions", True)):
        return [WHOLE_PICTURE]
    if loss.positional or not getattr(loss, "weighs_positions", False):
        raise InputError(
            f"losses.{name}.reference={reference}: {type(loss).__name__} cannot be limited to a region of a style. "
            f"Remove the regions, or set losses.{name}.in_regions=false."
        )
    return named


def term_names(losses: Mapping[str, Loss], regions: Sequence[str] = ()) -> list[str]:
    """Return the names of the terms that an objective of these losses reports, in order.

    For a loss ``style``, these are ``style``, its weighted part of the total; ``style/raw``, its value before the
    weight; ``style/conv1_1`` and so on, each layer's part of that; and the loss's diagnostics. With regions, a layer
    has a part in each region, such as ``style/sky/conv1_1``.

    Args:
        losses: The losses by name.
        regions: Names of the regions; empty without regions.
    """
    names = []
    for name, loss in active_losses(losses).items():
        layers = [
            f"{name}/{part_name(region, layer)}"
            for region in regions_of(name, loss, regions)
            for layer in loss.part_names
        ]
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
    return layers_read(active_losses(losses).values())


def layers_read(losses: Iterable[Loss]) -> list[str]:
    """Return the backbone layers that these losses read, each once, in the order of the losses."""
    layers = [layer for loss in losses for layer in loss.taps]
    return [layer for layer in dict.fromkeys(layers) if layer != "image"]
