"""What watches a run."""

from collections.abc import Sequence
from dataclasses import dataclass

from nst_tf.runs.events import Event, Finished, Iterate, Progressed, Scaled, Started
from nst_tf.util.checks import at_least


@dataclass
class Observer:
    """Watches a run, every so many steps. A subclass overrides what it cares about.

    Attributes:
        every: Steps between looks; 0 switches the observer off.
    """

    every: int = 10

    def __post_init__(self) -> None:
        for name, period in self._named_periods().items():
            at_least(name, period, 0)  # 0: off

    def _named_periods(self) -> dict[str, int]:
        return {"every": self.every}

    @property
    def periods(self) -> Sequence[int]:
        """Steps between the looks this observer takes; the engine stops at their multiples."""
        return [period for period in self._named_periods().values() if period]

    def notify(self, event: Event) -> None:
        """Hand an event to the method named after it."""
        match event:
            case Started():
                self.started(event)
            case Progressed(iterate):
                self.progressed(iterate)
            case Scaled():
                self.scaled(event)
            case Finished():
                self.finished(event)

    def started(self, event: Started) -> None:
        """The run begins, or continues."""

    def progressed(self, iterate: Iterate) -> None:
        """The run has reached a multiple of somebody's period; `due` tells whose."""

    def scaled(self, event: Scaled) -> None:
        """The run goes to another size."""

    def finished(self, event: Finished) -> None:
        """The run has ended."""


def is_due(iterate: Iterate, every: int) -> bool:
    """Whether ``every`` divides the step, or it is the run's last."""
    return every > 0 and (iterate.step % every == 0 or iterate.step == iterate.steps)
