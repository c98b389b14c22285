"""Writing of a picture's scores into the record of its run."""

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
    record["scores"] = {
        name: finite_or_none(value) if isinstance(value, float) else value for name, value in scores.as_dict().items()
    }
    record.pop("score_files", None)
    if scores.files:
        record["score_files"] = dict(scores.files)
    folder.write_record(record)
    if folder.has_events:
        from nst_tf.observers.hparams_table import write_scores

        write_scores(folder.tensorboard, record["steps"], record["scores"])
