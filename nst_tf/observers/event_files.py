"""Removal of events from TensorBoard's event files.

TensorBoard's own purging, which a ``SessionLog.START`` event triggers, keeps the first HParams of a run, and with them
the status and the settings before the interruption. It also keeps the text and the layout at step 0, which would then
be there twice, and readers that use `EventAccumulator` do not purge scalars and images at all.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from nst_tf.runs.folder import EVENT_FILES
from nst_tf.util.files import write_atomically
from nst_tf.util.lazy import tf

REWRITTEN_TAGS = (
    *("config", "custom_scalars__config__", "end", "cost/", "picture/"),
    *("_hparams_/session_start_info", "_hparams_/session_end_info"),
)
"""Prefixes of the tags that a resumed run writes again."""


def event_files(folder: Path) -> list[Path]:
    """Return the event files in a folder, sorted by name; none if the folder is missing."""
    return sorted(folder.glob(EVENT_FILES))


def write_summary(folder: Path, summary: Summary) -> None:
    """Write an event file with one summary at step 0, without TensorFlow.

    Args:
        folder: Folder of the event file; it is created if it is missing.
        summary: The summary.
    """
    from tensorboard.summary.writer.record_writer import RecordWriter

    now = time.time()
    folder.mkdir(parents=True, exist_ok=True)
    name = f"events.out.tfevents.{now:.0f}.{platform.node()}.{os.getpid()}.0.v2"
    with (folder / name).open("wb") as file:
        records = RecordWriter(file)
        for event in (Event(wall_time=now, file_version="brain.Event:2"), Event(wall_time=now, summary=summary)):
            records.write(event.SerializeToString())


def read_events(path: Path) -> Iterator[Event]:
    """Return the whole events of a file."""
    return (Event.FromString(record) for record in _records(path))


def truncate_events(folder: Path, step: int) -> None:
    """Remove the events after a step, and those with `REWRITTEN_TAGS`, so that a resumed run continues the files.

    Args:
        folder: Folder of the event files; it may be missing. Other files in it are left alone.
        step: Last step to keep; -1 removes all files.
    """
    for path in event_files(folder):
        _filter(path, lambda event: event.step <= step and not _has_tag(event, REWRITTEN_TAGS))


def remove_tags(folder: Path, prefix: str) -> None:
    """Remove the events whose tags start with a prefix; files without such events are not changed."""
    for path in event_files(folder):
        if any(_has_tag(event, prefix) for event in read_events(path)):
            _filter(path, lambda event: not _has_tag(event, prefix))


def _has_tag(event: Event, prefix: str | tuple[str, ...]) -> bool:
    return any(value.tag.startswith(prefix) for value in event.summary.value)


def _filter(path: Path, keeps: Callable[[Event], bool]) -> None:
    """Rewrite a file with the events that are kept; remove it if there are none."""
    kept = [record for record in _records(path) if keeps(Event.FromString(record))]
    if not kept:
        path.unlink()
        return
    # The copy is in another folder, because TensorBoard reads every event file next to the original.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "events"
        with tf.io.TFRecordWriter(os.fsencode(copy)) as writer:
            for record in kept:
                writer.write(record)
        write_atomically(path, copy.read_bytes())


def _records(path: Path) -> Iterator[bytes]:
    """Return the whole records of a file; the last one of a killed run can be incomplete."""
    try:
        for record in tf.data.TFRecordDataset(os.fsencode(path)):
            yield record.numpy()
    except tf.errors.DataLossError:
        return
