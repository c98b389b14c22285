"""The contract of observers, and the delivery of a run's events to them.

The settings of an observer and the observer of one run are separate objects, as `Optimizer` and `Solver` are. The
settings keep no state, so they can serve several runs.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from nst_tf.runs.events import Event, Finished, Iterate, Progressed, Scaled, Started

log = logging.getLogger(__name__)


class RunningObserver:
    """Base class of the observer of one run, which holds its open files and counters.

    The methods are called in the order of the events and do nothing here; a subclass overrides those it needs.
    """

    def progressed(self, iterate: Iterate) -> None:
        """Handle a step that is a multiple of any observer's period; `nst_tf.observers.is_due` tests for one period."""

    def scaled(self, event: Scaled) -> None:
        """Handle the change to the next scale of the image pyramid."""

    def finished(self, event: Finished) -> None:
        """Handle the end of the run: write what is left, and close files."""


class ObserverSettings(Protocol):
    """Settings of an observer; `nst_tf.observers.Observer` is their base class."""

    @property
    def periods(self) -> Sequence[int]:
        """Numbers of steps; the observer needs an event at every multiple of each."""

    def start(self, event: Started) -> RunningObserver:
        """Return the observer of one run."""


class ObserverList:
    """The observers of one run.

    An observer that raises an exception is removed with a warning, and the run continues.

    Args:
        observers: Settings of the observers, in the order in which they receive each event.
        event: Start of the run.
    """

    def __init__(self, observers: Iterable[ObserverSettings], event: Started) -> None:
        self._running: list[tuple[str, RunningObserver]] = []
        for settings in observers:
            name = type(settings).__name__
            with _warning_on_error(name):
                self._running.append((name, settings.start(event)))

    def notify(self, event: Event) -> None:
        """Pass an event to every remaining observer."""
        remaining = []
        for name, observer in self._running:
            with _warning_on_error(name):
                _deliver(event, observer)
                remaining.append((name, observer))
        self._running = remaining


def _deliver(event: Event, observer: RunningObserver) -> None:
    match event:
        case Progressed(iterate):
            observer.progressed(iterate)
        case Scaled():
            observer.scaled(event)
        case Finished():
            observer.finished(event)


@contextlib.contextmanager
def _warning_on_error(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        log.warning("Observer %s is switched off after an error: %s: %s", name, type(error).__name__, error)
