"""Runs of a sweep that are computed once because they differ only in settings without effect.

The first of several equal runs is computed, and the others receive copies of its files. The folder `.equal_runs` of the
sweep has one note for each picture: a file that is named after the settings with an effect, and holds the name of the
folder of the run that computes it. A lock beside the note is held while that run is computed, so that an equal run in
another process waits for it.
"""

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nst_tf.config.effects import effective_key
from nst_tf.config.inputs import input_record, weights_identity, with_pictures_read
from nst_tf.config.settings import recorded_settings
from nst_tf.config.tree import Config, Method
from nst_tf.runs.folder import RunFolder, is_finished
from nst_tf.runs.record import RecordedSettings
from nst_tf.runs.result import Result
from nst_tf.runs.session import run_lock
from nst_tf.util.errors import InputError
from nst_tf.util.files import write_text
from nst_tf.util.locks import LockedError, hold_lock

NOTES = ".equal_runs"
"""Name of the folder of notes in the folder of a sweep."""

EQUALS = "equals"
"""Key of `run.json` with the name of the folder of the run that was computed."""


def run_once(
    config: Config, run: RunFolder, overrides: Sequence[str], sweep: Path, compute: Callable[[], Result]
) -> Result:
    """Compute a run of a sweep, or copy the result of an equal run of the same sweep.

    Args:
        config: The settings of the run.
        run: Folder of the run, below the sweep's.
        overrides: Overrides that led to the settings, for the record.
        sweep: Folder of the sweep.
        compute: Computes the run in its folder.
    """
    note = sweep / NOTES / effective_key(config)
    with _turn(note, run.path.name):
        named = _read(note)
        if named not in (None, run.path.name):
            computed = RunFolder(run.path.with_name(named))
            if result := _copied_result(config, run, overrides, computed):
                return result
        write_text(note, run.path.name)
        try:
            return compute()
        except InputError:  # a refused command leaves nothing
            note.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _turn(note: Path, name: str) -> Iterator[None]:
    """Hold the lock of a note during the block; wait for it as long as another run of that note is computed.

    The lock is not waited for if another process computes the very same run, which is refused further on.

    Args:
        note: The note; its folder is removed at the end if it is empty.
        name: Name of the run's folder.
    """
    try:
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(hold_lock(note.with_suffix(".lock"), remove=True))
                    break
                except LockedError:
                    if _read(note) == name:
                        break
            yield
    finally:
        with contextlib.suppress(OSError):
            note.parent.rmdir()


def _read(note: Path) -> str | None:
    """Return the content of a note; None if it does not exist."""
    with contextlib.suppress(OSError):
        return note.read_text(encoding="utf-8")
    return None


def _copied_result(config: Config, run: RunFolder, overrides: Sequence[str], computed: RunFolder) -> Result | None:
    """Copy the result of an equal run, and return it; None if that run is not finished or used other files."""
    record = computed.read_record()
    steps = config.steps if config.method is Method.optimize else 1
    if not (is_finished(record, steps) and computed.picture.exists()):
        return None
    config = with_pictures_read(config, record)
    hashes = [entry["sha256"] for entry in input_record(config).values()]
    weights = weights_identity(config)
    recorded_hashes = [entry["sha256"] for entry in record["inputs"].values()]
    if hashes != recorded_hashes or (weights or {}).get("sha256") != (record["weights"] or {}).get("sha256"):
        return None
    settings = recorded_settings(
        dataclasses.replace(config, steps=steps), overrides, hashes, weights, record["precision"]
    )
    with run_lock(run):
        own = run.read_record()
        if not own:
            return _copy(computed, record, run, settings)
        copied = own.get(EQUALS) == computed.path.name and own["fingerprint"] == settings.fingerprint
        if copied and run.picture.exists():
            return Result(own["status"], f"already done: {own['reason']}", run, own)
        return None


def _copy(computed: RunFolder, record: dict[str, Any], run: RunFolder, settings: RecordedSettings) -> Result:
    """Copy picture, table and snapshots, and write the run's own config and record."""
    reason = f"equals run {computed.path.name}: {record['reason']}"
    record = record | {
        "name": settings.name,
        "reason": reason,
        "fingerprint": settings.fingerprint,
        EQUALS: computed.path.name,
    }
    write_text(run.config, settings.yaml)
    run.write_overrides(settings.overrides)
    if computed.snapshots.is_dir():
        shutil.copytree(computed.snapshots, run.snapshots, dirs_exist_ok=True)
    for source, target in ((computed.metrics, run.metrics), (computed.picture, run.picture)):
        if source.exists():
            shutil.copy2(source, target)
    run.write_record(record)
    return Result(record["status"], reason, run, record)
