"""TensorBoard's event files, cut back to the step a run continues from."""

from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event

from nst_tf.files import write_whole

ENDS = ("_hparams_/session_end_info", "end")
"""Tags that tell of an end, which a continued run has yet to reach."""


def cut_back(folder: Path, step: int) -> None:
    """Drop what a run wrote after ``step`` and what it wrote about its end, file by file.

    TensorBoard would show both lives of a continued run one over the other, and HParams keep the first end.

    Args:
        folder: Where the event files lie; may be missing.
        step: The last step to keep.
    """
    for path in sorted(folder.glob("events.out.tfevents.*")):
        kept = [record for record in _records(path) if _stands(Event.FromString(record), step)]
        neighbour = path.with_name(f".{path.name}")
        with tf.io.TFRecordWriter(str(neighbour)) as writer:
            for record in kept:
                writer.write(record)
        write_whole(path, neighbour.read_bytes())
        neighbour.unlink()


def _records(path: Path) -> Iterator[bytes]:
    """Whole records; a killed run may have torn the last one."""
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            yield record.numpy()
    except tf.errors.DataLossError:
        return


def _stands(event: Event, step: int) -> bool:
    return event.step <= step and not any(value.tag in ENDS for value in event.summary.value)
