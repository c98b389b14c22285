"""The run folder: the paths of its files, and how they are read and written."""

import contextlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from nst_tf.util.errors import InputError
from nst_tf.util.files import write_atomically, write_text

FINAL = ("completed", "converged", "diverged")
"""Statuses of a run that is not run again by the same command."""

STATUSES = (*FINAL, "interrupted", "failed", "killed")
"""Statuses of a run that has ended; ``killed`` is recorded by the process that started it."""

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
        """Path of the folder of TensorBoard's event files."""
        return self.path / "tensorboard"

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
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"Cannot create the run folder '{self.path}': {error.strerror}; choose another") from error

    def remove_if_empty(self) -> None:
        """Remove the folder if it contains nothing but the lock file."""
        with contextlib.suppress(OSError):
            if [path.name for path in self.path.iterdir()] == [self.lock.name]:
                self.lock.unlink()
            self.path.rmdir()

    def read_record(self) -> dict[str, Any]:
        """Return the content of `run.json`, or an empty dictionary if there is no such file.

        Raises:
            InputError: The file is not the record of a run.
        """
        if not self.record.exists():
            return {}
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except ValueError:  # neither JSON nor UTF-8
            record = None
        if not isinstance(record, dict) or not {"status", "fingerprint"} <= record.keys():
            raise InputError(f"'{self.record}' is not the record of a run: delete it, or choose another name=")
        return record

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write `run.json`."""
        write_text(self.record, json.dumps(record, indent=2, ensure_ascii=False) + "\n")

    def write_overrides(self, overrides: Sequence[str]) -> None:
        """Write the overrides as a YAML list without line breaks inside an entry."""
        write_text(self.overrides, yaml.safe_dump(list(overrides), allow_unicode=True, width=math.inf))

    def read_overrides(self) -> list[str]:
        """Return the overrides; an empty list if the file is missing or damaged, or the run was started from Python."""
        try:
            overrides = yaml.safe_load(self.overrides.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            return []
        return [text for text in overrides if isinstance(text, str)] if isinstance(overrides, list) else []

    def write_checkpoint(self, state: Mapping[str, np.ndarray]) -> None:
        """Replace the checkpoint.

        Args:
            state: Named arrays, from `Iterate.state`.
        """
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **state)
        write_atomically(self.checkpoint, buffer.getbuffer())

    def read_checkpoint(self) -> dict[str, np.ndarray] | None:
        """Return the named arrays of the checkpoint, or None if there is no such file.

        Raises:
            InputError: The file is not a checkpoint.
        """
        if not self.checkpoint.exists():
            return None
        try:
            with self.checkpoint.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(f"'{self.checkpoint}' is not a checkpoint ({error}): delete it to begin again") from error


@contextlib.contextmanager
def checkpoint_errors() -> Iterator[None]:
    """Report errors that restoring a checkpoint raises in the block as an `InputError` of one line.

    Raises:
        InputError: An array of the checkpoint is missing, or has another shape or type than this run needs.
    """
    try:
        yield
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"the checkpoint does not fit this run ({error}): delete it to begin again") from error
