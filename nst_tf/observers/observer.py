"""The settings that all observers share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from nst_tf.runs.events import Iterate, Started
from nst_tf.runs.observer_list import RunningObserver
from nst_tf.util.checks import at_least, convert_fields


@dataclass
class Observer:
    """Settings of an observer, with the method that starts it for one run.

    A new observer consists of two classes. The settings are a dataclass on `Observer`; its ``start`` receives the
    `Started` event (run folder, columns, config) and returns the second object. That object is a `RunningObserver`: it
    holds files and counters, and receives the events of one run in ``progressed(iterate)``, ``scaled(event)`` and
    ``finished(event)``. The settings keep no state, because one settings object can serve several runs.

    ``progressed`` is called at the multiples of every observer's period, so it tests its own period with `is_due`. An
    observer that raises an exception is removed with a warning, and the run continues.

    Attributes:
        every: Number of steps between two records; 0 switches them off. Default 10.

    Example:
        >>> from dataclasses import dataclass
        >>> from nst_tf.observers import Observer, RunningObserver, is_due
        >>> @dataclass
        ... class PrintedLoss(Observer):
        ...     digits: int = 3
        ...
        ...     def start(self, event):
        ...         print(f"{event.folder.name}: {event.steps} steps")
        ...         return RunningPrintedLoss(self)
        >>> class RunningPrintedLoss(RunningObserver):
        ...     def __init__(self, settings):
        ...         self._settings = settings
        ...
        ...     def progressed(self, iterate):
        ...         if is_due(iterate, self._settings.every):
        ...             print(f"step {iterate.step}: {iterate.total:.{self._settings.digits}g}")
        ...
        ...     def finished(self, event):
        ...         print(event.status)
    """

    is_standard: ClassVar[bool] = True
    """True if ``tracking=standard`` includes the observer."""

    every: int = 10

    def __post_init__(self) -> None:
        convert_fields(self)
        for key, period in self._periods_by_key().items():
            at_least(key, period, 0)

    def _periods_by_key(self) -> dict[str, int]:
        """Return the settings that are numbers of steps."""
        return {"every": self.every}

    def periods(self, steps: int) -> Sequence[int]:
        """Return numbers of steps; the engine gives a `Progressed` event at every multiple of each.

        Args:
            steps: Number of steps that the run may take. Here it makes no difference.
        """
        return [period for period in self._periods_by_key().values() if period]

    def start(self, event: Started) -> RunningObserver:
        """Return the observer of one run.

        Args:
            event: Start of the run.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method start(event) that returns a RunningObserver")


def is_due(iterate: Iterate, every: int) -> bool:
    """Return whether the step is a multiple of ``every`` or the last one that the run may take; False if it is 0."""
    return every > 0 and (iterate.step % every == 0 or iterate.step == iterate.steps)
