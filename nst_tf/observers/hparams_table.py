"""The table that TensorBoard's HParams page shows of runs: settings, losses, costs, scores and status.

The columns of a sweep are written by the process that launches it, which need not import TensorFlow. TensorBoard's
``hparams.api`` and ``hparams.summary`` import it, ``hparams.summary_v2`` does not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams import summary_v2 as hparams

from nst_tf.observers.event_files import event_files, read_events, remove_tags, write_summary
from nst_tf.observers.tags import loss_names
from nst_tf.util.lazy import tf
from nst_tf.util.paths import printable

COST_PREFIX = "cost/"
"""First part of the tags of `COSTS`."""

COSTS = ("seconds", "evaluations", "peak_memory_mb")
"""Costs of a run: seconds of optimisation, evaluations of the objective, and peak memory in MiB."""

SCORE_PREFIX = "judged/"
"""First part of the tags of a judge's scores."""

SESSION_STATUSES = {
    "completed": api_pb2.STATUS_SUCCESS,
    "converged": api_pb2.STATUS_SUCCESS,
    "diverged": api_pb2.STATUS_FAILURE,
    "failed": api_pb2.STATUS_FAILURE,
    "interrupted": api_pb2.STATUS_UNKNOWN,
}
"""HParams' statuses by the status of a run."""


def write_session_start(settings: Mapping[str, Any], name: str) -> None:
    """Write the settings of a run to the current default writer.

    Args:
        settings: Dotted keys and plain values.
        name: Name of the run's row in the table.
    """
    hparams.hparams(dict(settings), trial_id=printable(name))


def write_session_end(status: str) -> None:
    """Write the status of a run, a key of `SESSION_STATUSES`, to the current default writer."""
    from tensorboard.plugins.hparams import summary

    end = summary.session_end_pb(SESSION_STATUSES[status])
    tf.summary.experimental.write_raw_pb(end.SerializeToString(), step=0)


def write_hparams_config(sweep: Path, varied: Sequence[str], losses: Sequence[str], scores: Sequence[str] = ()) -> None:
    """Write the columns of a sweep's table, and remove the earlier ones.

    TensorBoard shows the first columns and offers the others. The scores are therefore the first.

    Args:
        sweep: Folder of the sweep, which contains the folders of its runs.
        varied: Dotted keys of the settings that differ between the runs.
        losses: Names of the losses.
        scores: Names of the judge's scores.
    """
    _remove_columns(sweep)
    tags = [f"{SCORE_PREFIX}{name}" for name in scores]
    tags += ["loss/total", *(f"{kind}/{name}" for kind in ("weighted", "raw") for name in losses)] if losses else []
    tags += [f"{COST_PREFIX}{name}" for name in COSTS]
    columns = hparams.hparams_config_pb([hparams.HParam(key) for key in varied], [hparams.Metric(tag) for tag in tags])
    write_summary(sweep, columns)


def update_hparams_config(sweep: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write the columns of a sweep's table again, with the losses and scores that its runs have now.

    Args:
        sweep: Folder of the sweep; nothing is written if it has no table.
        records: Contents of `run.json` of its runs.
    """
    for path in [*event_files(sweep), *event_files(sweep / "tensorboard")]:
        for event in read_events(path):
            for value in event.summary.value:
                if value.tag == metadata.EXPERIMENT_TAG:
                    experiment = metadata.parse_experiment_plugin_data(value.metadata.plugin_data.content)
                    varied = [column.name for column in experiment.hparam_infos]
                    write_hparams_config(sweep, varied, *recorded_columns(records))
                    return


def _remove_columns(sweep: Path) -> None:
    """Remove the event files of a sweep itself; version 0.2 had them in its folder ``tensorboard``."""
    earlier = sweep / "tensorboard"
    for path in [*event_files(sweep), *event_files(earlier)]:
        path.unlink()
    with contextlib.suppress(OSError):  # there is none, or it has other files
        earlier.rmdir()


def recorded_columns(records: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Return the losses and the scores that the runs of a sweep have.

    Args:
        records: Contents of `run.json` of the runs.

    Returns:
        Names of the losses, and names of the judge's scores that are numbers.
    """
    losses: dict[str, None] = {}
    scores: dict[str, None] = {}
    for record in records:
        losses |= dict.fromkeys(name for name in loss_names(record.get("final") or {}) if name != "total")
        measured = (record.get("scores") or {}).items()
        scores |= dict.fromkeys(name for name, value in measured if isinstance(value, float))
    return list(losses), list(scores)


def write_scores(folder: Path, step: int, scores: Mapping[str, float | str | None]) -> None:
    """Write a judge's scores of a finished run as scalars ``judged/ssim``, and remove earlier scores.

    Args:
        folder: Folder of the run's event files.
        step: Step of the picture that was scored.
        scores: Scores by name, and under ``judge`` the name of the judge, which becomes part of the descriptions.
    """
    remove_tags(folder, SCORE_PREFIX)
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=step):
        for name, value in scores.items():
            if isinstance(value, float):
                tf.summary.scalar(f"{SCORE_PREFIX}{name}", value, description=f"Judge: {scores['judge']}")
    writer.close()
