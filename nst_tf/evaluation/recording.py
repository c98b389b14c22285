"""Writing of a picture's scores into the record of its run."""

from dataclasses import asdict
from typing import Any

from nst_tf.evaluation.judge import Scores
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.record import finite_or_none


def record_scores(folder: RunFolder, record: dict[str, Any], scores: Scores) -> None:
    """Add a picture's scores to the record, to `run.json`, and to TensorBoard where the run has event files.

    Args:
        folder: Folder of the run, locked by the caller.
        record: Content of `run.json` of a run that has ended.
        scores: Scores of the run's picture.
    """
    values = asdict(scores)
    record["scores"] = {
        name: finite_or_none(value) if isinstance(value, float) else value for name, value in values.items()
    }
    folder.write_record(record)
    if folder.tensorboard.is_dir():
        from nst_tf.observers.hparams_table import write_scores

        write_scores(folder.tensorboard, record["steps"], record["scores"])
