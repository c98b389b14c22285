"""Checkpoints, from which an interrupted run is resumed."""

from dataclasses import dataclass

from nst_tf.observers.observer import Observer, RunningObserver, is_due
from nst_tf.runs.events import Finished, Iterate, Started
from nst_tf.runs.folder import RunFolder


@dataclass
class Checkpoints(Observer):
    """Settings of the checkpoint `checkpoints/latest.npz`, which is replaced as a whole.

    A killed run loses the steps since its last checkpoint. Writing one takes some milliseconds at 512 px.

    Attributes:
        every: Number of steps between two checkpoints; 0 for none. Default 50.
    """

    every: int = 50

    def start(self, event: Started) -> RunningObserver:
        """Return the writer of one run's checkpoints."""
        return RunningCheckpoints(event.folder, self.every)


class RunningCheckpoints(RunningObserver):
    """Writer of one run's checkpoints. The start picture and runs without losses are not saved.

    Args:
        folder: Run folder.
        every: See `Checkpoints`.
    """

    survives_disk_errors = True

    def __init__(self, folder: RunFolder, every: int) -> None:
        self._folder, self._every = folder, every

    def progressed(self, iterate: Iterate) -> None:
        """Write a checkpoint if it is due."""
        if is_due(iterate, self._every) and iterate.step and iterate.terms:
            self._folder.write_checkpoint(iterate.state())

    def finished(self, event: Finished) -> None:
        """Write a checkpoint at the step at which the run was interrupted."""
        if self._every and event.status == "interrupted" and event.iterate.terms:
            self._folder.write_checkpoint(event.iterate.state())
