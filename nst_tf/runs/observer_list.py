"""The contract of observers, and the delivery of a run's events to them.

The settings of an observer and the observer of one run are separate objects, as `Optimizer` and `Solver` are. The
settings keep no state, so they can serve several runs.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import ClassVar, Protocol

from nst_tf.runs.events import Event, Finished, Iterate, Progressed, Scaled, Started

log = logging.getLogger(__name__)


class RunningObserver:
    """Base class of the observer of one run, which holds its open files and counters.

    The methods are called in the order of the events and do nothing here; a subclass overrides those it needs.
    """

    survives_disk_errors: ClassVar[bool] = False
    """True if the observer receives further events after an `OSError`, for example of a full disk. Its files must be
    sound without what could not be written."""

    def progressed(self, iterate: Iterate) -> None:
        """Handle a step that is a multiple of any observer's period; `nst_tf.observers.is_due` tests for one period."""

    def scaled(self, event: Scaled) -> None:
        """Handle the change to the next scale of the image pyramid."""

    def finished(self, event: Finished) -> None:
        """Handle the end of the run: write what is left, and close files."""


class ObserverSettings(Protocol):
    """Settings of an observer; `nst_tf.observers.Observer` is their base class."""

    def periods(self, steps: int) -> Sequence[int]:
        """Return periods in steps: an event is needed at each of their multiples, in a run of ``steps`` steps."""

    def start(self, event: Started) -> RunningObserver:
        """Return the observer of one run."""


class ObserverList:
    """The observers of one run.

    An observer that raises an exception is removed with a warning, and the run continues. After an `OSError`, an
    observer with `RunningObserver.survives_disk_errors` stays and tries again at the next event.

    Attributes:
        errors: For the record of the run: what went wrong, by the name of the observer.

    Args:
        observers: Settings of the observers, in the order in which they receive each event.
        event: Start of the run.
    """

    def __init__(self, observers: Iterable[ObserverSettings], event: Started) -> None:
        self.errors: dict[str, str] = {}
        self._running: list[tuple[str, RunningObserver]] = []
        for settings in observers:
            name = type(settings).__name__
            try:
                self._running.append((name, settings.start(event)))
            except Exception as error:
                self._remove(name, error, "before the first step")

    def notify(self, event: Event) -> None:
        """Pass an event to every remaining observer."""
        remaining = []
        for name, observer in self._running:
            try:
                _deliver(event, observer)
            except Exception as error:
                if not (observer.survives_disk_errors and isinstance(error, OSError)):
                    self._remove(name, error, _place(event))
                    continue
                self._keep(name, error, _place(event))
            remaining.append((name, observer))
        self._running = remaining

    def _remove(self, name: str, error: Exception, place: str) -> None:
        log.warning("Observer %s is switched off after an error: %s", name, _describe(error))
        self.errors[name] = f"switched off {place}: {_describe(error)}"

    def _keep(self, name: str, error: OSError, place: str) -> None:
        if name not in self.errors:
            log.warning("Observer %s could not write %s and tries again: %s", name, place, _describe(error))
        self.errors[name] = f"last failed {place}: {_describe(error)}"


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _place(event: Event) -> str:
    return "at a new scale" if isinstance(event, Scaled) else f"at step {event.iterate.step}"


def _deliver(event: Event, observer: RunningObserver) -> None:
    match event:
        case Progressed(iterate):
            observer.progressed(iterate)
        case Scaled():
            observer.scaled(event)
        case Finished():
            observer.finished(event)
