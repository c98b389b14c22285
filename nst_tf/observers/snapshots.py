"""Pictures of intermediate steps."""

from dataclasses import dataclass

from nst_tf.images import write_picture
from nst_tf.observers.observer import Observer, RunningObserver, is_due
from nst_tf.runs.events import Alpha, Iterate, Started
from nst_tf.runs.folder import RunFolder


@dataclass
class Snapshots(Observer):
    """Settings of the pictures `snapshots/step_000100.png`, which include the start picture.

    Attributes:
        every: Number of steps between two pictures; 0 for none. Default 100.
    """

    every: int = 100

    def start(self, event: Started) -> RunningObserver:
        """Return the writer of one run's snapshots."""
        return RunningSnapshots(event.folder, self.every, event.alpha)


class RunningSnapshots(RunningObserver):
    """Writer of one run's snapshots.

    Args:
        folder: Run folder.
        every: See `Snapshots`.
        alpha: See `Started.alpha`.
    """

    survives_disk_errors = True

    def __init__(self, folder: RunFolder, every: int, alpha: Alpha) -> None:
        self._folder, self._every, self._alpha = folder, every, alpha

    def progressed(self, iterate: Iterate) -> None:
        """Write the picture if it is due."""
        if is_due(iterate, self._every):
            picture = iterate.picture()
            write_picture(self._folder.snapshot(iterate.step), picture, alpha=self._alpha(*picture.shape[:2]))
