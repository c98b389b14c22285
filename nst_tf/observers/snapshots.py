"""The picture on its way."""

from dataclasses import dataclass

from nst_tf.images import write_picture
from nst_tf.observers.observer import Observer, is_due
from nst_tf.runs.events import Iterate, Started


@dataclass
class Snapshots(Observer):
    """`snapshots/step_000100.png` every ``every`` steps, whatever the optimiser, the start picture included."""

    every: int = 100

    def started(self, event: Started) -> None:
        """Remember where the pictures go."""
        self._folder = event.folder

    def progressed(self, iterate: Iterate) -> None:
        """Write the picture when one is due."""
        if is_due(iterate, self.every):
            write_picture(self._folder.snapshot(iterate.step), iterate.picture())
