"""The writer of one run's event files for TensorBoard. Importing this module imports TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar

from nst_tf.observers.event_files import truncate_events
from nst_tf.observers.hparams_table import COST_PREFIX, COSTS, write_session_end, write_session_start
from nst_tf.observers.observer import RunningObserver, is_due
from nst_tf.runs.events import Finished, Iterate, Started
from nst_tf.system.memory import peak_memory_mb
from nst_tf.util.lazy import tf


class RunningTensorBoard(RunningObserver):
    """Writer of one run's event files.

    A new run first removes all events that its folder holds; a resumed run removes those after its checkpoint. Then the
    writer adds the config, the layout of the charts and the HParams.

    Args:
        event: Start of the run.
        every: See `TensorBoard`.
        pictures_every: See `TensorBoard`.
    """

    def __init__(self, event: Started, every: int, pictures_every: int) -> None:
        self._every, self._pictures_every = every, pictures_every
        self._device, self._alpha = event.device, event.alpha
        self._last_step = -1 if event.resumed_at is None else event.resumed_at
        truncate_events(event.folder.tensorboard, self._last_step)
        self._writer = tf.summary.create_file_writer(os.fsencode(event.folder.tensorboard))
        with self._writer.as_default():
            tf.summary.text("config", f"```yaml\n{event.config}\n```", step=0)
            layout = custom_scalar.pb(chart_layout(event.columns)).SerializeToString()
            tf.summary.experimental.write_raw_pb(layout, step=0)
            write_session_start(event.settings, event.folder.name)

    def progressed(self, iterate: Iterate) -> None:
        """Write the scalars and the image that are due."""
        if is_due(iterate, self._every):
            self._write_scalars(iterate)
        if is_due(iterate, self._pictures_every):
            with self._writer.as_default(step=iterate.step):
                tf.summary.image("picture", self._with_alpha(iterate.picture())[None])
        self._writer.flush()

    def finished(self, event: Finished) -> None:
        """Write the last scalars, the costs and the status of the run, and close the file."""
        if self._every:
            self._write_scalars(event.iterate)
        with self._writer.as_default(step=event.iterate.step):
            for name, value in self._costs(event.iterate).items():
                tf.summary.scalar(f"{COST_PREFIX}{name}", value)
            tf.summary.text("end", f"{event.status}: {event.reason}")
            write_session_end(event.status)
        self._writer.close()

    def _with_alpha(self, picture: np.ndarray) -> np.ndarray:
        alpha = self._alpha(*picture.shape[:2])
        return picture if alpha is None else np.dstack([picture, alpha])

    def _costs(self, iterate: Iterate) -> dict[str, float]:
        memory = peak_memory_mb(self._device)
        return dict(zip(COSTS, (iterate.seconds, iterate.evaluations, memory), strict=True))

    def _write_scalars(self, iterate: Iterate) -> None:
        if iterate.step <= self._last_step or not iterate.terms:
            return
        with self._writer.as_default(step=iterate.step):
            for tag, value in scalars(iterate).items():
                tf.summary.scalar(tag, value)
        self._last_step = iterate.step


def scalars(iterate: Iterate) -> dict[str, float]:
    """Return the tags and values of one step."""
    fixed = {
        "loss/total": iterate.total,
        "gradient/norm": iterate.gradient_norm,
        "speed/evaluations_per_second": iterate.speed,
    }
    return fixed | {scalar_tag(column): value for column, value in iterate.terms.items()}


def scalar_tag(column: str) -> str:
    """Return TensorBoard's tag for a column of `metrics.csv`. The columns of the loss ``style`` show the rules.

    ======================== ==========================
    column                   tag
    ======================== ==========================
    ``style``                ``weighted/style``
    ``style/raw``            ``raw/style``
    ``style/conv1_1``        ``layers/style/conv1_1``
    ``style/conv1_1/peak``   ``peak/style/conv1_1``
    ======================== ==========================
    """
    name, *rest = column.split("/")
    match rest:
        case []:
            return f"weighted/{name}"
        case ["raw"]:
            return f"raw/{name}"
        case [layer, diagnostic]:
            return f"{diagnostic}/{name}/{layer}"
    return f"layers/{column}"


def chart_layout(columns: Sequence[str]) -> layout_pb2.Layout:
    """Return the layout of the custom scalars: a chart of total and weighted losses, and one of each loss's layers.

    Args:
        columns: Keys of `Iterate.terms`, for example ``style``, ``style/raw`` and ``style/conv1_1``.
    """
    losses = [column for column in columns if "/" not in column]
    tags = [scalar_tag(column) for column in columns]
    charts = {"total and weighted terms": ["loss/total", *map(scalar_tag, losses)]}
    for loss in losses:
        charts[f"{loss}, layer by layer"] = [tag for tag in tags if tag.startswith(f"layers/{loss}/")]
    drawn = [_chart(title, tags) for title, tags in charts.items() if tags]
    return layout_pb2.Layout(category=[layout_pb2.Category(title="losses", chart=drawn)])


def _chart(title: str, tags: Sequence[str]) -> layout_pb2.Chart:
    return layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=list(tags)))
