"""The settings of TensorBoard's event files; the writer is in `running_tensorboard`, which imports TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass

from nst_tf.observers.observer import Observer, RunningObserver
from nst_tf.runs.events import Started

LEAST_PICTURES = 5
"""Number of steps with an image that a run has at least, the start included."""


@dataclass
class TensorBoard(Observer):
    """Settings of the event files, which are in the run folder itself. TensorBoard names a run after its folder.

    Scalars of a step: ``loss/total``, ``gradient/norm`` and ``speed/evaluations_per_second``. Scalars of each loss,
    here ``style``: ``weighted/style``, ``raw/style``, ``layers/style/conv1_1`` for each layer, and with diagnostics
    ``entropy/style/conv1_1`` and ``peak/style/conv1_1``. Scalars of the whole run, written at its end:
    ``cost/seconds``, ``cost/evaluations`` and ``cost/peak_memory_mb``.

    The layers of a loss also have ``layer_range/style/mean``, ``lowest`` and ``highest``.

    Images: ``picture``, and beside it ``picture/content``, ``picture/style``, ``picture/style_2`` and so on. Text:
    ``config``, the resolved config, and ``end``, the status and its reason. HParams: the settings, and the status of
    the run. Custom scalars: one chart of the total and the weighted losses, and for each loss one chart of its layers'
    mean and range.

    Attributes:
        every: Number of steps between two records of scalars; 0 for none. Default 10.
        pictures_every: Most steps between two images; 0 for none. Default 100. A run has images at five steps at least,
            or at each step if it has fewer: a short run has them closer together, and every run has them also after 1,
            2, 4, 8, … times ``every`` steps and at its end.
    """

    pictures_every: int = 100

    def _periods_by_key(self) -> dict[str, int]:
        return {"every": self.every, "pictures_every": self.pictures_every}

    def periods(self, steps: int) -> Sequence[int]:
        """Return the periods of scalars and images in a run of so many steps."""
        return [period for period in (self.every, self._picture_period(steps)) if period]

    def start(self, event: Started) -> RunningObserver:
        """Return the writer of one run's event files."""
        from nst_tf.observers.running_tensorboard import RunningTensorBoard

        return RunningTensorBoard(event, self.every, self._picture_period(event.steps))

    def _picture_period(self, steps: int) -> int:
        return min(self.pictures_every, max(1, steps // (LEAST_PICTURES - 1)))
