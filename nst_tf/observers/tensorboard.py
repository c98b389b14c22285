"""The settings of TensorBoard's event files; the writer is in `running_tensorboard`, which imports TensorFlow."""

from dataclasses import dataclass

from nst_tf.observers.observer import Observer, RunningObserver
from nst_tf.runs.events import Started


@dataclass
class TensorBoard(Observer):
    """Settings of the event files in `tensorboard/`.

    Scalars of a step: ``loss/total``, ``gradient/norm`` and ``speed/evaluations_per_second``. Scalars of each loss,
    here ``style``: ``weighted/style``, ``raw/style``, ``layers/style/conv1_1`` for each layer, and with diagnostics
    ``entropy/style/conv1_1`` and ``peak/style/conv1_1``. Scalars of the whole run, written at its end:
    ``cost/seconds``, ``cost/evaluations`` and ``cost/peak_memory_mb``.

    Images: ``picture``. Text: ``config``, the resolved config, and ``end``, the status and its reason. HParams: the
    settings, and the status of the run. Custom scalars: one chart of the total and the weighted losses, and
    for each loss one chart of its layers.

    Attributes:
        every: Number of steps between two records of scalars; 0 for none. Default 10.
        pictures_every: Number of steps between two images; 0 for none. Default 100.
    """

    pictures_every: int = 100

    def _periods_by_key(self) -> dict[str, int]:
        return {"every": self.every, "pictures_every": self.pictures_every}

    def start(self, event: Started) -> RunningObserver:
        """Return the writer of one run's event files."""
        from nst_tf.observers.running_tensorboard import RunningTensorBoard

        return RunningTensorBoard(event, self.every, self.pictures_every)
