"""The progress bar on the terminal."""

import sys
import threading
from dataclasses import dataclass

from tqdm import tqdm

from nst_tf.observers.observer import Observer, RunningObserver, is_due
from nst_tf.runs.events import Finished, Iterate, Scaled, Started


@dataclass
class Progress(Observer):
    """Settings of the progress bar: size, steps, loss, evaluations per second and remaining time.

    Nothing is printed if the standard error stream is not a terminal.

    Attributes:
        every: Number of steps between two updates; 0 for no bar. Default 10.
    """

    def start(self, event: Started) -> RunningObserver:
        """Return the progress bar of one run."""
        return RunningProgress(event, self.every)


class RunningProgress(RunningObserver):
    """Progress bar of one run, which begins at the step from which the run is resumed.

    Args:
        event: Start of the run.
        every: See `Progress`.
    """

    def __init__(self, event: Started, every: int) -> None:
        self._every = every
        # tqdm's default lock is shared between processes, and a killed process never releases it.
        tqdm.set_lock(threading.RLock())
        self._bar = tqdm(
            total=event.steps,
            initial=event.resumed_at or 0,
            unit="step",
            dynamic_ncols=True,
            file=sys.stderr,
            disable=None if every else True,  # None: disabled without a terminal
        )

    def progressed(self, iterate: Iterate) -> None:
        """Move the bar to the current step if an update is due."""
        if is_due(iterate, self._every):
            if iterate.terms:
                self._bar.set_postfix_str(f"loss {iterate.total:.4g}, {iterate.speed:.2f} evaluations/s", refresh=False)
            self._bar.update(iterate.step - self._bar.n)

    def scaled(self, event: Scaled) -> None:
        """Show the size of the picture."""
        self._bar.set_description(f"{event.width}x{event.height}")

    def finished(self, event: Finished) -> None:
        """Move the bar to the step of the saved picture, and close it."""
        self._bar.update(event.iterate.step - self._bar.n)
        self._bar.close()
