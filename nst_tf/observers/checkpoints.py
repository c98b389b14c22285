"""What a run needs to go on after it was killed."""

from dataclasses import dataclass

from nst_tf.observers.observer import Observer, is_due
from nst_tf.runs.events import Finished, Iterate, Started


@dataclass
class Checkpoints(Observer):
    """`checkpoints/latest.npz` every ``every`` steps, written whole or not at all.

    Fewer steps between checkpoints lose less of a killed run; one takes some milliseconds at 512 px.
    """

    every: int = 50

    def started(self, event: Started) -> None:
        """Remember where checkpoints go."""
        self._folder = event.folder

    def progressed(self, iterate: Iterate) -> None:
        """Write the state when it is due, but not that of the untouched start, or of a run without losses."""
        if is_due(iterate, self.every) and iterate.step and iterate.terms:
            self._folder.write_checkpoint(iterate.state())

    def finished(self, event: Finished) -> None:
        """Keep the state a run was interrupted in, so that it continues from there."""
        if self.every and event.status == "interrupted" and event.iterate.terms:
            self._folder.write_checkpoint(event.iterate.state())
