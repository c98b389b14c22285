"""The run folder: the paths of its files, and how they are read and written."""

import contextlib
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from nst_tf.runs.checkpoint_file import read_arrays, write_arrays
from nst_tf.runs.record_fields import checked_record
from nst_tf.util.errors import InputError
from nst_tf.util.files import (
    make_folder,
    read_regular_file,
    release_space,
    remove_partial_files,
    reserve_space,
    write_text,
)
from nst_tf.util.locks import is_locked, remove_locked_folder
from nst_tf.util.parsing import LARGEST_TEXT, parse_json, parse_yaml

log = logging.getLogger(__name__)

FINAL = ("completed", "converged", "diverged")
"""Statuses of a run that is not run again by the same command."""

STATUSES = (*FINAL, "interrupted", "failed", "killed")
"""Statuses of a run that has ended; ``killed`` is recorded by the process that started it."""

_ANOTHER_NAME = "choose another name="

TEXT_RESERVE = 2**18
"""Bytes that are reserved for the record, and beyond the pixels for the text in the picture."""

EVENT_FILES = "events.out.tfevents.*"
"""Pattern of the names of TensorBoard's event files."""

METRICS_COUNTERS = ("step", "evaluations", "seconds", "total")
"""First columns of `metrics.csv`: steps, evaluations, seconds of optimisation and total loss; the terms follow."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run, with the paths of its files.

    Files are replaced as a whole, so that a reader never sees half of one.

    Attributes:
        path: Path of the folder. It need not exist yet.
    """

    path: Path

    @property
    def picture(self) -> Path:
        """Path of the stylised picture."""
        return self.path / "stylized.png"

    @property
    def weights(self) -> Path:
        """Path of the weights that a distillation writes."""
        return self.path / "vgg19_lite.weights.h5"

    @property
    def metrics(self) -> Path:
        """Path of the table of losses."""
        return self.path / "metrics.csv"

    @property
    def record(self) -> Path:
        """Path of the record of the run."""
        return self.path / "run.json"

    @property
    def tensorboard(self) -> Path:
        """Path of the folder of TensorBoard's event files.

        This is the run folder, so that TensorBoard shows the run under the folder's name. A run that was started by
        version 0.2 or earlier keeps its files in ``tensorboard/``.
        """
        earlier = self.path / "tensorboard"
        return earlier if earlier.is_dir() else self.path

    @property
    def has_events(self) -> bool:
        """True if the run has event files for TensorBoard."""
        return any(self.tensorboard.glob(EVENT_FILES))

    @property
    def film(self) -> Path:
        """Path of the film of the run's progress."""
        return self.path / "film.webp"

    @property
    def frames(self) -> Path:
        """Path of the folder of the film's frames."""
        return self.path / "film"

    @property
    def snapshots(self) -> Path:
        """Path of the folder of intermediate pictures."""
        return self.path / "snapshots"

    @property
    def checkpoint(self) -> Path:
        """Path of the latest checkpoint."""
        return self.path / "checkpoints" / "latest.npz"

    @property
    def lock(self) -> Path:
        """Path of the lock file."""
        return self.path / ".lock"

    @property
    def config(self) -> Path:
        """Path of the resolved config."""
        return self.path / ".hydra" / "config.yaml"

    @property
    def overrides(self) -> Path:
        """Path of the overrides from the command line."""
        return self.path / ".hydra" / "overrides.yaml"

    @property
    def name(self) -> str:
        """Last two parts of the path, ``runs/lighthouse``, which also distinguish the runs of different sweeps."""
        return "/".join(self.path.absolute().parts[-2:])

    def snapshot(self, step: int) -> Path:
        """Return the path of the picture after a step."""
        return self.snapshots / f"step_{step:06d}.png"

    def make(self) -> None:
        """Create the folder if it is missing.

        Raises:
            InputError: The folder cannot be created.
        """
        try:
            make_folder(self.path)
        except OSError as error:
            raise InputError(f"Cannot create the run folder '{self.path}': {error.strerror}; choose another") from error

    def check_entries(self) -> None:
        """Check before a run that nothing stands where the run writes its files and folders.

        Raises:
            InputError: There is a folder in place of a file, or a file in place of a folder.
        """
        files = (self.picture, self.weights, self.metrics, self.record, self.film, self.lock)
        for path in (*files, self.checkpoint, self.config, self.overrides):
            if path.is_dir():
                raise InputError(f"'{path}' is a folder, and the run writes a file there: move it, or {_ANOTHER_NAME}")
        for path in (self.snapshots, self.frames, self.checkpoint.parent, self.config.parent):
            if path.exists() and not path.is_dir():
                raise InputError(f"'{path}' is no folder, and the run writes into it: move it, or {_ANOTHER_NAME}")

    def remove_if_empty(self) -> None:
        """Remove the folder if it contains nothing but the lock file, which no other process may hold."""
        remove_locked_folder(self.lock)

    def is_locked(self) -> bool:
        """Return whether a process is running in this folder; True where that cannot be found out."""
        return is_locked(self.lock)

    def remove_leftovers(self) -> None:
        """Remove the temporary files of killed processes. The caller holds the lock of the folder."""
        own = (self.config.parent, self.checkpoint.parent, self.snapshots, self.frames, self.tensorboard)
        for folder in (self.path, *own):
            remove_partial_files(folder)
        with contextlib.suppress(OSError):
            (self.path / ".reserve").unlink()  # of version 0.2 and earlier

    def reserve_space(self, product: Path, size: int) -> None:
        """Reserve disk space for the end of the run, so that a disk that becomes full prevents none of its last writes.

        Args:
            product: File that the run will write: the picture or the weights.
            size: Largest number of its bytes without text; `TEXT_RESERVE` is added, and reserved for the record.

        Raises:
            OSError: The disk has not so much free space.
        """
        reserve_space(product, size + TEXT_RESERVE)
        reserve_space(self.record, TEXT_RESERVE)

    def release_space(self) -> None:
        """Release the reserved space that was not written into."""
        for path in (self.picture, self.weights, self.record):
            release_space(path)

    def read_record(self) -> dict[str, Any]:
        """Return the valid entries of `run.json`, or an empty dictionary if there is no such file.

        An entry of a wrong type is left out, with a warning in the log.

        Raises:
            InputError: The file is not the record of a run.
        """
        if not self.record.exists():
            return {}
        try:
            record = parse_json(read_regular_file(self.record, LARGEST_TEXT).decode("utf-8"))
            valid, problems = checked_record(record if isinstance(record, dict) else {})
        except ValueError as error:  # neither JSON nor UTF-8, or without what every record has
            raise InputError(f"'{self.record}' is not the record of a run: delete it, or {_ANOTHER_NAME}") from error
        for problem in problems:
            log.warning("'%s': %s. The entry is left out.", self.record, problem)
        return valid

    def write_record(self, record: Mapping[str, Any], reserved: bool = False) -> None:
        """Write `run.json`, where asked for into the space of `reserve_space`."""
        write_text(self.record, json.dumps(record, indent=2, ensure_ascii=False) + "\n", reserved)

    def write_overrides(self, overrides: Sequence[str]) -> None:
        """Write the overrides as a YAML list without line breaks inside an entry."""
        write_text(self.overrides, yaml.safe_dump(list(overrides), allow_unicode=True, width=math.inf))

    def read_overrides(self) -> list[str]:
        """Return the overrides; an empty list if the file is missing or damaged, or the run was started from Python."""
        overrides = self._read_yaml(self.overrides)
        return [text for text in overrides if isinstance(text, str)] if isinstance(overrides, list) else []

    def read_config(self) -> dict[str, Any]:
        """Return the resolved config as plain values; an empty dictionary if the file is missing or damaged."""
        config = self._read_yaml(self.config)
        return config if isinstance(config, dict) else {}

    def _read_yaml(self, path: Path) -> Any:
        try:
            return parse_yaml(read_regular_file(path, LARGEST_TEXT).decode("utf-8"))
        except (OSError, ValueError):
            return None

    def write_checkpoint(self, state: Mapping[str, np.ndarray]) -> None:
        """Replace the checkpoint.

        Args:
            state: Named arrays, from `Iterate.state`.
        """
        write_arrays(self.checkpoint, state)

    def read_checkpoint(self) -> dict[str, np.ndarray] | None:
        """Return the named arrays of the checkpoint, or None if there is no such file.

        Raises:
            InputError: The file is not a checkpoint.
        """
        if not self.checkpoint.exists():
            return None
        try:
            return read_arrays(self.checkpoint)
        except InputError as error:
            raise InputError(f"{error}: delete it to begin again") from error
        except (OSError, ValueError) as error:
            raise InputError(f"'{self.checkpoint}' is not a checkpoint ({error}): delete it to begin again") from error


def read_records(sweep: Path) -> list[dict[str, Any]]:
    """Return the records of a sweep's runs. Damaged ones are left out; a report says which ones they are."""
    records = []
    for path in sweep.glob("*/run.json"):
        with contextlib.suppress(InputError):
            records.append(RunFolder(path.parent).read_record())
    return records


def is_finished(record: Mapping[str, Any], steps: int) -> bool:
    """Return whether a run has ended for good, and not merely with fewer steps than are asked for now.

    Args:
        record: The content of its `run.json`; empty for a run without one.
        steps: Number of steps that are asked for.
    """
    status = record.get("status")
    return status in FINAL and (status != "completed" or record.get("steps", 0) >= steps)


@contextlib.contextmanager
def checkpoint_errors() -> Iterator[None]:
    """Report errors that restoring a checkpoint raises in the block as an `InputError` of one line.

    Raises:
        InputError: An array of the checkpoint is missing, or has another shape or type than this run needs.
    """
    try:
        yield
    except (KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise InputError(f"the checkpoint does not fit this run ({error}): delete it to begin again") from error
