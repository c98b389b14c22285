"""A run as a line on the terminal."""

import sys
import threading
from dataclasses import dataclass

from tqdm import tqdm

from nst_tf.observers.observer import Observer, is_due
from nst_tf.runs.events import Finished, Iterate, Scaled, Started


@dataclass
class Progress(Observer):
    """A tqdm bar on the terminal: steps, loss, evaluations a second, time left. Silent where there is no terminal."""

    def started(self, event: Started) -> None:
        """Open the bar at the step the run begins from."""
        tqdm.set_lock(threading.RLock())  # its own is one of all processes, which one that is killed leaves behind
        self._bar = tqdm(
            total=event.steps,
            initial=event.resumed_at or 0,
            unit="step",
            dynamic_ncols=True,
            file=sys.stderr,
            disable=None if self.every else True,
        )

    def progressed(self, iterate: Iterate) -> None:
        """Move the bar."""
        if is_due(iterate, self.every):
            if iterate.terms:
                self._bar.set_postfix_str(f"loss {iterate.total:.4g}, {iterate.speed:.2f} evaluations/s", refresh=False)
            self._bar.update(iterate.step - self._bar.n)

    def scaled(self, event: Scaled) -> None:
        """Say which size is worked at."""
        self._bar.set_description(f"{event.width}x{event.height}")

    def finished(self, event: Finished) -> None:
        """Close the bar where the run ended."""
        self._bar.update(event.iterate.step - self._bar.n)
        self._bar.close()
