"""The run folder: what lies where, written whole or not at all."""

import contextlib
import io
import json
import math
import platform
import subprocess
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from nst_tf._version import __version__
from nst_tf.util.errors import InputError
from nst_tf.util.files import write_atomically, write_text

FINAL = ("completed", "converged", "diverged")
"""Ends that stand: the same command does not run them again."""

STATUSES = (*FINAL, "interrupted", "failed", "killed")
"""How a run can end; the last is said by whoever started its process."""


@dataclass(frozen=True)
class RunFolder:
    """Paths and files of one run.

    Attributes:
        path: The folder; made on first use.
    """

    path: Path

    picture = property(lambda self: self.path / "stylized.png")
    weights = property(lambda self: self.path / "vgg19_lite.weights.h5")
    metrics = property(lambda self: self.path / "metrics.csv")
    record = property(lambda self: self.path / "run.json")
    tensorboard = property(lambda self: self.path / "tensorboard")
    snapshots = property(lambda self: self.path / "snapshots")
    checkpoint = property(lambda self: self.path / "checkpoints" / "latest.npz")
    lock = property(lambda self: self.path / ".lock")
    config = property(lambda self: self.path / ".hydra" / "config.yaml")
    overrides = property(lambda self: self.path / ".hydra" / "overrides.yaml")

    @property
    def name(self) -> str:
        """The folder and the one it lies in, ``runs/lighthouse``: short, and apart from other sweeps' runs."""
        return "/".join(self.path.absolute().parts[-2:])

    def make(self) -> None:
        """Create the folder, or say why it cannot be."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"Cannot make the run folder '{self.path}': {error.strerror}; choose another") from error

    def remove_if_empty(self) -> None:
        """Remove the folder if no run has written into it."""
        with contextlib.suppress(OSError):
            if [path.name for path in self.path.iterdir()] == [self.lock.name]:
                self.lock.unlink()
            self.path.rmdir()

    def snapshot(self, step: int) -> Path:
        """Path of the snapshot of one step."""
        return self.snapshots / f"step_{step:06d}.png"

    def read_record(self) -> dict[str, Any]:
        """`run.json`, or an empty record where there is none.

        Raises:
            InputError: The file there is no record.
        """
        if not self.record.exists():
            return {}
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except ValueError:  # no JSON, or no text
            record = None
        if not isinstance(record, dict) or not {"status", "fingerprint"} <= record.keys():
            raise InputError(f"'{self.record}' is not a run's record: delete it, or choose another name=")
        return record

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write `run.json`."""
        write_text(self.record, json.dumps(record, indent=2, ensure_ascii=False) + "\n")

    def write_overrides(self, overrides: Sequence[str]) -> None:
        """Write what was typed, so that any text is read back as it was."""
        write_text(self.overrides, yaml.safe_dump(list(overrides), allow_unicode=True, width=math.inf))

    def read_overrides(self) -> list[str]:
        """What was typed; nothing for a run started from Python, or one without that file."""
        try:
            typed = yaml.safe_load(self.overrides.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            return []
        return [text for text in typed if isinstance(text, str)] if isinstance(typed, list) else []

    def write_checkpoint(self, state: Mapping[str, np.ndarray]) -> None:
        """Write a checkpoint over the last one."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **state)
        write_atomically(self.checkpoint, buffer.getbuffer())

    def read_checkpoint(self) -> dict[str, np.ndarray] | None:
        """The last checkpoint, or None where there is none.

        Raises:
            InputError: The file there is not a checkpoint.
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
    """Take up a checkpoint inside; one that is not of this run becomes an `InputError` of one line."""
    try:
        yield
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"the checkpoint does not fit this run ({error}): delete it to begin again") from error


def finite(value: float) -> float | None:
    """The number, or None where JSON has no word for it."""
    return value if math.isfinite(value) else None


def versions() -> dict[str, str]:
    """Versions of this package, Python and the libraries a result depends on."""
    packages = (
        "tensorflow",
        "keras",
        "numpy",
        "scipy",
        "pillow",
        "scikit-image",
        "hydra-core",
        "tensorboard",
    )
    return {"nst_tf": __version__, "python": platform.python_version()} | dict(_versions(packages))


def _versions(packages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield package, metadata.version(package)


def git_commit() -> str | None:
    """The commit of the checkout this package runs from, with ``+changes`` if its files differ; None outside one."""
    package = Path(__file__).parents[1]

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(package), *words], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
