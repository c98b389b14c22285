"""The result of a run: how it ended, and its picture, losses and curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from nst_tf.runs.folder import METRICS_COUNTERS, RunFolder
from nst_tf.runs.metrics import read_metrics
from nst_tf.util.errors import InputError

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Result:
    """The end of a run. A notebook shows its picture.

    Attributes:
        status: ``completed``, ``converged``, ``diverged``, ``interrupted`` or ``failed``.
        reason: Why the run ended, as text for the user.
        folder: Run folder.
        record: Content of `run.json`.
    """

    status: str
    reason: str
    folder: RunFolder
    record: dict[str, Any]

    @property
    def picture(self) -> Image.Image:
        """The stylised picture, as it is saved: RGB, or RGBA if the content is transparent.

        Raises:
            InputError: The folder has no picture, as after a distillation.
        """
        try:
            with Image.open(self.folder.picture) as image:
                image.load()
                return image
        except FileNotFoundError:
            raise InputError(f"'{self.folder.path}' has no picture {self.folder.picture.name}") from None

    @property
    def metrics(self) -> pandas.DataFrame:
        """The table of losses, one row for each recorded step; empty for a run that recorded none.

        Its columns are ``step``, ``evaluations``, ``seconds``, ``total`` and the terms, as in `metrics.csv`.
        """
        return read_metrics(self.folder.metrics)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the curves of the total loss and of each weighted loss over the steps, on a logarithmic scale.

        Args:
            axes: Matplotlib's axes to draw on; None makes a new figure.

        Returns:
            The axes.

        Raises:
            InputError: The run recorded no losses.
        """
        metrics = self.metrics
        if metrics.empty:
            raise InputError(f"'{self.folder.path}' has no losses to plot: a run records them with tracking=standard")
        losses = ["total", *(name for name in metrics.columns if name not in METRICS_COUNTERS and "/" not in name)]
        positive = metrics[losses].where(metrics[losses] > 0)  # a logarithmic scale has no place for 0
        return positive.assign(step=metrics.step).plot(x="step", y=losses, logy=True, ylabel="loss", ax=axes)

    def _repr_png_(self) -> bytes | None:
        """Return the picture's file, which Jupyter shows; None without a picture."""
        return self.folder.picture.read_bytes() if self.folder.picture.is_file() else None
