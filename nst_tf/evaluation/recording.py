"""The scores of a run's picture, added to what the run recorded."""

from dataclasses import asdict
from typing import Any

from nst_tf.evaluation.judge import Scores
from nst_tf.observers import write_scores
from nst_tf.runs.folder import RunFolder, finite


def record_scores(folder: RunFolder, record: dict[str, Any], scores: Scores) -> None:
    """Add a picture's scores to its run: to the record, to `run.json`, and to TensorBoard if the run has that.

    Args:
        folder: The run's; held by the caller.
        record: What its `run.json` says; of a run that is over.
        scores: Of its picture.
    """
    values = asdict(scores)
    record["scores"] = {name: finite(value) if isinstance(value, float) else value for name, value in values.items()}
    folder.write_record(record)
    if folder.tensorboard.is_dir():
        write_scores(folder.tensorboard, record["steps"], record["scores"])
