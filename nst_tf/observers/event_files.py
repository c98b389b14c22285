"""TensorBoard's event files, cut back to what a later life of the run does not write anew."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event

from nst_tf.util.files import write_atomically
from nst_tf.util.lazy import tf

ANEW = (
    *("config", "custom_scalars__config__", "end", "cost/"),
    *("_hparams_/session_start_info", "_hparams_/session_end_info"),
)
"""How tags begin that a continued run writes anew: its settings, which may go on for longer, and its end."""


def truncate_events(folder: Path, step: int) -> None:
    """Drop what a run wrote after ``step`` and what it will write anew, file by file.

    TensorBoard would show both lives of a continued run one over the other, and HParams keep the first end.

    Args:
        folder: Where the event files lie; may be missing.
        step: The last step to keep; -1 keeps none, and no file.
    """
    for path in _files(folder):
        _cut(path, lambda event: event.step <= step and not _tagged(event, ANEW))


def drop(folder: Path, prefix: str) -> None:
    """Drop what was written under tags that begin with ``prefix``; a file without any is not touched."""
    for path in _files(folder):
        if any(_tagged(Event.FromString(record), prefix) for record in _records(path)):
            _cut(path, lambda event: not _tagged(event, prefix))


def _tagged(event: Event, prefix: str | tuple[str, ...]) -> bool:
    return any(value.tag.startswith(prefix) for value in event.summary.value)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("events.out.tfevents.*"))


def _cut(path: Path, stands: Callable[[Event], bool]) -> None:
    """Keep the events that stand; without any the file goes."""
    kept = [record for record in _records(path) if stands(Event.FromString(record))]
    if not kept:
        path.unlink()
        return
    with tempfile.TemporaryDirectory() as elsewhere:  # TensorBoard reads whatever it finds beside the file
        copy = Path(elsewhere) / "events"
        with tf.io.TFRecordWriter(str(copy)) as writer:
            for record in kept:
                writer.write(record)
        write_atomically(path, copy.read_bytes())


def _records(path: Path) -> Iterator[bytes]:
    """Whole records; a killed run may have torn the last one."""
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            yield record.numpy()
    except tf.errors.DataLossError:
        return
