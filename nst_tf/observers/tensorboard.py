"""A run as TensorBoard shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import api as hparams
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import summary as hparams_summary

from nst_tf.observers.event_files import drop, truncate_events
from nst_tf.observers.observer import Observer, is_due
from nst_tf.runs.events import Finished, Iterate, Started
from nst_tf.system.memory import peak_memory_mb
from nst_tf.util.lazy import tf

_END_STATUS = {
    "completed": api_pb2.STATUS_SUCCESS,
    "converged": api_pb2.STATUS_SUCCESS,
    "diverged": api_pb2.STATUS_FAILURE,
    "failed": api_pb2.STATUS_FAILURE,
    "interrupted": api_pb2.STATUS_UNKNOWN,
}


COSTS = ("seconds", "evaluations", "peak_memory_mb")
"""What a run took, under ``cost/``."""
JUDGED = "judged/"
"""Before the name of a score."""


@dataclass
class TensorBoard(Observer):
    """Event files under `tensorboard/`.

    Scalars: ``loss/total``; for each loss ``weighted/style``, ``raw/style`` and ``layers/style/conv1_1``, and where
    it tells of its activations ``entropy/style/conv1_1`` and ``peak/style/conv1_1``; ``gradient/norm``;
    ``speed/evaluations_per_second``; at the end ``cost/seconds``, ``cost/evaluations`` and ``cost/peak_memory_mb``.
    Pictures: ``picture``. The resolved config is there as text, its values as HParams with the run's end status, and a
    custom-scalars layout draws the total with its weighted terms, and each loss's layers, in one chart each, over all
    runs that are shown.

    Attributes:
        every: Steps between scalars.
        pictures_every: Steps between pictures; 0 for none.
    """

    pictures_every: int = 100

    def _named_periods(self) -> dict[str, int]:
        return {"every": self.every, "pictures_every": self.pictures_every}

    def started(self, event: Started) -> None:
        """Open the event file; write config, layout and HParams, which `truncate_events` dropped from a continued run."""
        self._last = -1 if event.resumed_at is None else event.resumed_at
        self._device = event.device
        truncate_events(event.folder.tensorboard, self._last)
        self._writer = tf.summary.create_file_writer(str(event.folder.tensorboard))
        with self._writer.as_default():
            tf.summary.text("config", f"```yaml\n{event.config}\n```", step=0)
            layout = custom_scalar.pb(_layout(event.columns)).SerializeToString()
            tf.summary.experimental.write_raw_pb(layout, step=0)
            hparams.hparams(dict(event.settings), trial_id=event.folder.name)

    def progressed(self, iterate: Iterate) -> None:
        """Write what is due."""
        if is_due(iterate, self.every):
            self._write_scalars(iterate)
        if is_due(iterate, self.pictures_every):
            with self._writer.as_default(step=iterate.step):
                tf.summary.image("picture", iterate.picture()[None])
        self._writer.flush()

    def finished(self, event: Finished) -> None:
        """Write the last scalars and how the run ended."""
        if self.every:
            self._write_scalars(event.iterate)
        with self._writer.as_default(step=event.iterate.step):
            for name, value in self._costs(event.iterate).items():
                tf.summary.scalar(f"cost/{name}", value)
        with self._writer.as_default():
            end = hparams_summary.session_end_pb(_END_STATUS[event.status]).SerializeToString()
            tf.summary.experimental.write_raw_pb(end, step=0)
            tf.summary.text("end", f"{event.status}: {event.reason}", step=event.iterate.step)
        self._writer.close()

    def _costs(self, iterate: Iterate) -> dict[str, float]:
        memory = peak_memory_mb(self._device)
        return dict(zip(COSTS, (iterate.seconds, iterate.evaluations, memory), strict=True))

    def _write_scalars(self, iterate: Iterate) -> None:
        if iterate.step <= self._last or not iterate.terms:
            return
        with self._writer.as_default(step=iterate.step):
            for tag, value in scalars(iterate).items():
                tf.summary.scalar(tag, value)
        self._last = iterate.step


def write_hparams_config(
    folder: Path, varied: Sequence[str], losses: Sequence[str], scores: Sequence[str] = ()
) -> None:
    """Tell HParams which columns a sweep's table has: what its runs differ in, and what came of it.

    Args:
        folder: The sweep's own ``tensorboard``, beside its runs'; what it said before goes.
        varied: Dotted keys of settings.
        losses: Names of the losses.
        scores: Names of a judge's scores.
    """
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    tags = ["loss/total", *(f"{kind}/{name}" for kind in ("weighted", "raw") for name in losses)]
    tags += [*(f"judged/{name}" for name in scores), *(f"cost/{name}" for name in COSTS)]
    columns = hparams.hparams_config_pb([hparams.HParam(key) for key in varied], [hparams.Metric(tag) for tag in tags])
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        tf.summary.experimental.write_raw_pb(columns.SerializeToString(), step=0)
    writer.close()


def write_scores(folder: Path, step: int, scores: Mapping[str, float | str | None]) -> None:
    """Add a judge's scores to a run that is over, in place of any there are: ``judged/ssim``, columns of HParams.

    Args:
        folder: Where the run's event files lie.
        step: Of the picture that was scored.
        scores: By name, with the ``judge``, who stands in each chart's description.
    """
    drop(folder, JUDGED)
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=step):
        for name, value in scores.items():
            if isinstance(value, float):
                tf.summary.scalar(f"{JUDGED}{name}", value, description=f"Judge: {scores['judge']}")
    writer.close()


def scalars(iterate: Iterate) -> dict[str, float]:
    """Tags and values of one step."""
    fixed = {
        "loss/total": iterate.total,
        "gradient/norm": iterate.gradient_norm,
        "speed/evaluations_per_second": iterate.speed,
    }
    return fixed | {_tag(column): value for column, value in iterate.terms.items()}


def _tag(column: str) -> str:
    """``style`` to ``weighted/style``, ``style/raw`` to ``raw/style``, ``style/conv1_1`` to ``layers/style/conv1_1``.

    What a loss tells of a layer beside, ``style/conv1_1/entropy``, goes to ``entropy/style/conv1_1``.
    """
    name, *rest = column.split("/")
    match rest:
        case []:
            return f"weighted/{name}"
        case ["raw"]:
            return f"raw/{name}"
        case [layer, told]:
            return f"{told}/{name}/{layer}"
    return f"layers/{column}"


def _layout(columns: Sequence[str]) -> layout_pb2.Layout:
    """One chart of the total with its weighted terms, one a loss with its layers."""
    names = [column for column in columns if "/" not in column]
    charts = {"total and weighted terms": ["loss/total", *(f"weighted/{name}" for name in names)]}
    charts |= {f"{name}, layer by layer": list(_layer_tags(name, columns)) for name in names}
    return layout_pb2.Layout(
        category=[layout_pb2.Category(title="losses", chart=[_chart(*chart) for chart in charts.items() if chart[1]])]
    )


def _layer_tags(name: str, columns: Sequence[str]) -> Iterator[str]:
    return (tag for tag in map(_tag, columns) if tag.startswith(f"layers/{name}/"))


def _chart(title: str, tags: Sequence[str]) -> layout_pb2.Chart:
    return layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=list(tags)))
