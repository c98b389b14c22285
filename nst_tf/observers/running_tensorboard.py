"""The writer of one run's event files for TensorBoard. Importing this module imports TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar

from nst_tf.images import to_bytes
from nst_tf.observers.event_files import truncate_events
from nst_tf.observers.hparams_table import COST_PREFIX, COSTS, write_session_end, write_session_start
from nst_tf.observers.observer import RunningObserver, is_due
from nst_tf.observers.tags import layer_columns, loss_names, range_tags, scalar_tag, scalars
from nst_tf.runs.events import Finished, Iterate, Started, with_alpha
from nst_tf.system.memory import peak_memory_mb
from nst_tf.util.lazy import tf

INPUT_SIDE = 512
"""Longer side in pixels of the content and the styles beside the picture."""


class RunningTensorBoard(RunningObserver):
    """Writer of one run's event files.

    A new run first removes all events that its folder holds; a resumed run removes those after its checkpoint. Then the
    writer adds the config, the layout of the charts and the HParams.

    Args:
        event: Start of the run.
        every: See `TensorBoard`.
        pictures_every: Number of steps between two images; 0 for none.
    """

    def __init__(self, event: Started, every: int, pictures_every: int) -> None:
        self._every, self._pictures_every = every, pictures_every
        self._device, self._alpha = event.device, event.alpha
        self._last_step = self._last_picture = -1 if event.resumed_at is None else event.resumed_at
        truncate_events(event.folder.tensorboard, self._last_step)
        self._writer = tf.summary.create_file_writer(os.fsencode(event.folder.tensorboard))
        with self._writer.as_default():
            tf.summary.text("config", f"```yaml\n{event.config}\n```", step=0)
            layout = custom_scalar.pb(chart_layout(event.columns)).SerializeToString()
            tf.summary.experimental.write_raw_pb(layout, step=0)
            write_session_start(event.settings, _row_name(event.folder.path.absolute()))
            if pictures_every:
                self._write_inputs(event.inputs())

    def progressed(self, iterate: Iterate) -> None:
        """Write the scalars and the image that are due."""
        if is_due(iterate, self._every):
            self._write_scalars(iterate)
        if self._picture_is_due(iterate):
            self._write_picture(iterate)
        self._writer.flush()

    def finished(self, event: Finished) -> None:
        """Write the last scalars, the costs and the status of the run, and close the file."""
        if self._every:
            self._write_scalars(event.iterate)
        if self._pictures_every:
            self._write_picture(event.iterate)
        with self._writer.as_default(step=event.iterate.step):
            for name, value in self._costs(event.iterate).items():
                tf.summary.scalar(f"{COST_PREFIX}{name}", value)
            tf.summary.text("end", f"{event.status}: {event.reason}")
            write_session_end(event.status)
        self._writer.close()

    def _picture_is_due(self, iterate: Iterate) -> bool:
        """Return whether a step has an image: at its period, and at 1, 2, 4, 8, … times the period of the scalars.

        A run that ends early therefore has several images too.
        """
        multiple, rest = divmod(iterate.step, self._every) if self._every else (0, 0)
        doubles = rest == 0 and multiple.bit_count() == 1
        return self._pictures_every > 0 and (doubles or is_due(iterate, self._pictures_every))

    def _write_picture(self, iterate: Iterate) -> None:
        if iterate.step <= self._last_picture:
            return
        with self._writer.as_default(step=iterate.step):
            tf.summary.image("picture", with_alpha(iterate.picture(), self._alpha)[None])
        self._last_picture = iterate.step

    def _write_inputs(self, pictures: Mapping[str, np.ndarray]) -> None:
        for name, pixels in pictures.items():
            tf.summary.image(f"picture/{name}", _reduced(pixels)[None], step=0)

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


def _row_name(folder: Path) -> str:
    """Return the name of a run in the table, unique among sweeps; the run's own name is first, as the column is narrow.

    TensorBoard would average runs of equal names.
    """
    return f"{folder.name} in {folder.parent.name}"


def chart_layout(columns: Sequence[str]) -> layout_pb2.Layout:
    """Return the layout of the custom scalars: a chart of total and weighted losses, and one of each loss's layers.

    A chart shows all runs. The layers of a loss are therefore one line for each run, their mean, within a band from the
    lowest to the highest layer. The layers themselves have a chart each among the scalars.

    Args:
        columns: Keys of `Iterate.terms`, for example ``style``, ``style/raw`` and ``style/conv1_1``.
    """
    losses = loss_names(columns)
    charts = [_chart("total and weighted terms", ["loss/total", *map(scalar_tag, losses)])] if losses else []
    for loss in losses:
        layers = layer_columns(loss, columns)
        if len(layers) > 1:
            charts.append(_band(f"{loss}: mean and range of {len(layers)} layers", loss))
        elif layers:
            charts.append(_chart(f"{loss}: one layer", [scalar_tag(layers[0])]))
    return layout_pb2.Layout(category=[layout_pb2.Category(title="losses", chart=charts)])


def _chart(title: str, tags: Sequence[str]) -> layout_pb2.Chart:
    return layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=list(tags)))


def _band(title: str, loss: str) -> layout_pb2.Chart:
    """Return a chart of the mean of a loss's layers in the band of all layers."""
    value, lower, upper = range_tags(loss)
    series = layout_pb2.MarginChartContent.Series(value=value, lower=lower, upper=upper)
    return layout_pb2.Chart(title=title, margin=layout_pb2.MarginChartContent(series=[series]))


def _reduced(pixels: np.ndarray) -> np.ndarray:
    """Return a picture whose longer side is at most `INPUT_SIDE`, as 8-bit RGB ``(H, W, 3)``."""
    stride = max(1, max(pixels.shape[:2]) // (2 * INPUT_SIDE))  # a huge picture is not copied as a whole
    picture = Image.fromarray(to_bytes(pixels[::stride, ::stride]))
    picture.thumbnail((INPUT_SIDE, INPUT_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(picture)
