"""The table that TensorBoard's HParams page shows of runs: settings, losses, costs, scores and status.

The columns of a sweep are written by the process that launches it, which need not import TensorFlow. TensorBoard's
``hparams.api`` and ``hparams.summary`` import it, ``hparams.summary_v2`` does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams

from nst_tf.observers.event_files import event_files, remove_tags, write_summary
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


def write_hparams_config(
    folder: Path, varied: Sequence[str], losses: Sequence[str], scores: Sequence[str] = ()
) -> None:
    """Write the columns of a sweep's table, and remove those of an earlier sweep.

    Args:
        folder: Folder ``tensorboard`` of the sweep itself, next to the folders of its runs.
        varied: Dotted keys of the settings that differ between the runs.
        losses: Names of the losses.
        scores: Names of the judge's scores.
    """
    for path in event_files(folder):
        path.unlink()
    tags = ["loss/total", *(f"{kind}/{name}" for kind in ("weighted", "raw") for name in losses)]
    tags += [f"{SCORE_PREFIX}{name}" for name in scores] + [f"{COST_PREFIX}{name}" for name in COSTS]
    columns = hparams.hparams_config_pb([hparams.HParam(key) for key in varied], [hparams.Metric(tag) for tag in tags])
    write_summary(folder, columns)


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
