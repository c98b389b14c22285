"""The phases of a run: what differs in one part of its steps from the settings of the whole run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any, TypeVar

from nst_tf.losses import Loss
from nst_tf.optimization.terms import active_losses, tapped_layers, term_names
from nst_tf.optimizers import Optimizer
from nst_tf.util.checks import above, convert_fields
from nst_tf.util.errors import InputError

Component = TypeVar("Component", Loss, Optimizer)


class PhaseStart(Enum):
    """The picture from which a phase starts.

    ``last`` the picture of the phase before, resized; in the first phase that of ``image.start`` ·
    ``laplacian`` the same, enlarged bilinearly, plus the content's finest Laplacian level, which is the detail that
    the enlarged picture lacks · ``mean_laplacian`` the mean colour of the styles plus that level ·
    ``content`` the content.
    """

    last = "last"
    laplacian = "laplacian"
    mean_laplacian = "mean_laplacian"
    content = "content"


@dataclass
class Phase:
    """Settings of one phase.

    Attributes:
        scale: Factor of the full size, above 0 and at most 1. Default 1.
        share: Share of the run's steps, above 0; the shares are divided by their sum. Default 1.
        losses: Settings of losses that differ in this phase, by the name of the loss and of the setting:
            ``{style: {weight: 0}}`` leaves a loss out. Default: none.
        optimizer: Settings of the optimiser that differ in this phase. Default: none.
        start: See `PhaseStart`; default ``last``.
    """

    scale: float = 1.0
    share: float = 1.0
    losses: dict[str, dict[str, Any]] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    start: PhaseStart = PhaseStart.last

    def __post_init__(self) -> None:
        convert_fields(self, "schedule.phases.")
        above("schedule.phases.share", self.share, 0)
        if not 0 < self.scale <= 1:
            raise InputError(f"schedule.phases.scale={self.scale}: must be above 0 and at most 1")

    def losses_of(self, losses: Mapping[str, Loss]) -> dict[str, Loss]:
        """Return the losses of a run with the settings that they have in this phase.

        Settings that a loss does not have, and losses that the run does not have, are passed over; see `unmatched`.

        Raises:
            InputError: A value is refused.
        """
        return {
            name: _with_settings(f"losses.{name}", loss, self.losses.get(name, {})) for name, loss in losses.items()
        }

    def optimizer_of(self, optimizer: Optimizer) -> Optimizer:
        """Return the optimiser of a run with the settings that it has in this phase.

        Raises:
            InputError: A value is refused.
        """
        return _with_settings("optimizer", optimizer, self.optimizer)

    def unmatched(self, losses: Mapping[str, Loss], optimizer: Optimizer) -> list[str]:
        """Return the keys of this phase that nothing reads, because the run has other losses or another optimiser."""
        absent = [f"losses.{name}" for name in self.losses if name not in losses]
        places = {f"losses.{name}": (losses[name], self.losses[name]) for name in self.losses if name in losses}
        parts: dict[str, tuple[Any, Mapping[str, Any]]] = {**places, "optimizer": (optimizer, self.optimizer)}
        return absent + [
            f"{place}.{name}"
            for place, (component, changes) in parts.items()
            for name in changes
            if name not in _names(component)
        ]


def _names(component: Loss | Optimizer) -> list[str]:
    return [each.name for each in fields(component)]


def _with_settings(place: str, component: Component, changes: Mapping[str, Any]) -> Component:
    """Return a loss or an optimiser with those of its settings changed that it has."""
    known = {name: value for name, value in changes.items() if name in _names(component)}
    try:
        return replace(component, **known) if known else component
    except InputError as error:
        raise InputError(f"schedule.phases.{place}: {error}") from error


def active_in(phases: Sequence[Phase], losses: Mapping[str, Loss]) -> list[Loss]:
    """Return the active losses of every phase, those of the first phase first.

    Raises:
        InputError: A phase has no active loss, or see `Phase.losses_of`.
    """
    return [loss for phase in phases for loss in active_losses(phase.losses_of(losses)).values()]


def tapped_in(phases: Sequence[Phase], losses: Mapping[str, Loss]) -> list[str]:
    """Return the backbone layers that the active losses of any phase read, each once."""
    layers = [layer for phase in phases for layer in tapped_layers(phase.losses_of(losses))]
    return list(dict.fromkeys(layers))


def terms_in(phases: Sequence[Phase], losses: Mapping[str, Loss], regions: Sequence[str] = ()) -> list[str]:
    """Return the names of the terms that any phase reports, each once, those of one loss together."""
    names = [name for phase in phases for name in term_names(phase.losses_of(losses), regions)]
    order = list(losses)
    return sorted(dict.fromkeys(names), key=lambda name: order.index(name.partition("/")[0]))
