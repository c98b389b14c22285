"""The progress of a run: a bar on a terminal and in a notebook, lines in a log elsewhere."""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nst_tf.observers.observer import Observer, RunningObserver, is_due
from nst_tf.runs.events import Finished, Iterate, Scaled, Started
from nst_tf.util.checks import above
from nst_tf.util.durations import rough_duration

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger(__name__)


@dataclass
class Progress(Observer):
    """Settings of the display of progress: size, steps, loss, evaluations per second and remaining time.

    A terminal and a notebook show a bar. Where the standard error stream is no terminal, as in the log of a batch job,
    a line is logged from time to time instead.

    Attributes:
        every: Number of steps between two updates; 0 for neither bar nor lines. Default 10.
        line_seconds: Least number of seconds between two lines. Default 10.
    """

    line_seconds: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        above("line_seconds", self.line_seconds, 0)

    def start(self, event: Started) -> RunningObserver:
        """Return the bar or the lines of one run."""
        if in_notebook() or sys.stderr.isatty():
            return ProgressBar(event, self.every)
        return ProgressLines(event, self.every, self.line_seconds)


class ProgressBar(RunningObserver):
    """Progress bar of one run, which begins at the step from which the run is resumed.

    Args:
        event: Start of the run.
        every: See `Progress`.
    """

    def __init__(self, event: Started, every: int) -> None:
        self._every = every
        self._bar = _bar_class()(
            total=event.steps,
            initial=event.resumed_at or 0,
            unit="step",
            dynamic_ncols=True,
            file=sys.stderr,
            disable=not every,
        )

    def progressed(self, iterate: Iterate) -> None:
        """Move the bar to the current step if an update is due."""
        if is_due(iterate, self._every):
            if iterate.terms:
                self._bar.set_postfix_str(_loss_and_speed(iterate), refresh=False)
            self._bar.update(iterate.step - self._bar.n)

    def scaled(self, event: Scaled) -> None:
        """Show the size of the picture."""
        self._bar.set_description(f"{event.width}x{event.height}")

    def finished(self, event: Finished) -> None:
        """Move the bar to the step of the saved picture, and close it."""
        self._bar.update(event.iterate.step - self._bar.n)
        self._bar.close()


class ProgressLines(RunningObserver):
    """Lines in the log about the progress of one run.

    The remaining time is estimated from the pace since the run was started or resumed.

    Args:
        event: Start of the run.
        every: See `Progress`.
        line_seconds: See `Progress`.
    """

    def __init__(self, event: Started, every: int, line_seconds: float) -> None:
        self._every, self._line_seconds = every, line_seconds
        self._run, self._size = event.folder.path.name, ""
        self._first_step = event.resumed_at or 0
        self._started = self._last_line = time.monotonic()

    def progressed(self, iterate: Iterate) -> None:
        """Log a line if an update is due and the last line is old enough."""
        now = time.monotonic()
        is_last = iterate.step == iterate.steps
        if is_last or not is_due(iterate, self._every) or now - self._last_line < self._line_seconds:
            return
        self._last_line = now
        parts = [f"step {iterate.step} of {iterate.steps}{self._size}"]
        parts += [_loss_and_speed(iterate)] if iterate.terms else []
        if (taken := iterate.step - self._first_step) > 0:
            left = (now - self._started) / taken * (iterate.steps - iterate.step)
            parts.append(f"about {rough_duration(left)} left")
        log.info("%s: %s", self._run, ", ".join(parts))

    def scaled(self, event: Scaled) -> None:
        """Remember the size of the picture."""
        self._size = f" at {event.width}x{event.height}"


def in_notebook() -> bool:
    """Return whether the program runs in a Jupyter kernel, which shows a bar although stderr is no terminal."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and "IPKernelApp" in shell.config


def _bar_class() -> type[tqdm]:
    """Return tqdm's bar for the terminal, or in a notebook its widget if ipywidgets is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets, tqdm advises to install it
        module = importlib.import_module("tqdm.auto" if in_notebook() else "tqdm")
    bar: type[tqdm] = module.tqdm
    # tqdm's default lock is shared between processes, and a killed process never releases it.
    bar.set_lock(threading.RLock())
    return bar


def _loss_and_speed(iterate: Iterate) -> str:
    return f"loss {iterate.total:.4g}, {iterate.speed:.2f} evaluations/s"
