"""The picture on its way."""

from dataclasses import dataclass

from nst_tf.images import write_picture
from nst_tf.observers.events import Moment, Started
from nst_tf.observers.observer import Observer, due


@dataclass
class Snapshots(Observer):
    """`snapshots/step_000100.png` every ``every`` steps, whatever the optimiser, the start picture included."""

    every: int = 100

    def started(self, event: Started) -> None:
        """Remember where the pictures go."""
        self._folder = event.folder

    def progressed(self, moment: Moment) -> None:
        """Write the picture when one is due."""
        if due(moment, self.every):
            write_picture(self._folder.snapshot(moment.step), moment.picture())
