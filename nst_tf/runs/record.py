"""The record of a run: what `run.json` holds at the start and at the end."""

import contextlib
import datetime
import math
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nst_tf._version import __version__
from nst_tf.runs.events import Finished
from nst_tf.system import hardware
from nst_tf.system.memory import peak_memory_mb

LIBRARIES = ("tensorflow", "keras", "numpy", "scipy", "pillow", "scikit-image", "hydra-core", "tensorboard")
"""Distributions whose versions are recorded, because a result can depend on them."""

GIT_TIMEOUT = 10
"""Longest time that one git command may take, in seconds."""


@dataclass(frozen=True)
class RecordedSettings:
    """Settings of a run in the forms in which its folder records them.

    Attributes:
        name: Name of the run.
        steps: Solver steps that the run may take.
        yaml: Resolved config as YAML text.
        flat: Resolved config as dotted keys and plain values, for TensorBoard's HParams.
        fingerprint: SHA-256 of all settings and files that determine the result.
        precision: Floating-point precision of the network.
        overrides: Overrides from the command line.
    """

    name: str
    steps: int
    yaml: str
    flat: Mapping[str, Any]
    fingerprint: str
    precision: str
    overrides: Sequence[str] = ()


def first_record(
    settings: RecordedSettings, device: str, inputs: Mapping[str, Any], weights: Mapping[str, str | None] | None
) -> dict[str, Any]:
    """Return the entries of `run.json` that are known when a run starts.

    Args:
        settings: Settings of the run.
        device: TensorFlow's name of the device.
        inputs: Sources and SHA-256 of the pictures, by role.
        weights: Identity of the network's weights, from `Backbone.identity`; None for a run without a network.
    """
    return {
        "status": "running",
        "reason": "",
        "name": settings.name,
        "host": platform.node(),
        "machine": hardware.describe_machine(),
        "process": os.getpid(),
        "device": device,
        "versions": library_versions(),
        "git_commit": git_commit(),
        "started_at": _now(),
        "fingerprint": settings.fingerprint,
        "inputs": inputs,
        "weights": weights,
        "precision": settings.precision,
    }


def last_record(finished: Finished, device: str) -> dict[str, Any]:
    """Return the entries of `run.json` that are known when a run has ended.

    Args:
        finished: Last event of the run.
        device: TensorFlow's name of the device.
    """
    iterate = finished.iterate
    losses = {"total": iterate.total, **iterate.terms}
    return {
        "status": finished.status,
        "reason": finished.reason,
        "steps": iterate.step,
        "evaluations": iterate.evaluations,
        "seconds": round(iterate.seconds, 3),
        "seconds_per_evaluation": round(iterate.seconds / max(1, iterate.evaluations), 5),
        "peak_memory_mb": round(peak_memory_mb(device)),
        "final": {name: finite_or_none(value) for name, value in losses.items()},
        "finished_at": _now(),
    }


def finite_or_none(value: float) -> float | None:
    """Return the number, or None for NaN and infinity, which JSON cannot represent."""
    return value if math.isfinite(value) else None


def library_versions() -> dict[str, str]:
    """Return the versions of nst_tf, Python and the installed `LIBRARIES`."""
    return {"nst_tf": __version__, "python": platform.python_version()} | dict(_installed(LIBRARIES))


def _installed(distributions: Sequence[str]) -> Iterator[tuple[str, str]]:
    from importlib import metadata  # imported where it is used, since a refused command need not wait for it

    for name in distributions:
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield name, metadata.version(name)


def git_commit() -> str | None:
    """Return the commit of the checkout that contains this package.

    The commit is followed by ``+changes`` if tracked files differ from it. The result is None if the package is not
    part of a git checkout.
    """
    try:
        _git("ls-files", "--error-unmatch", "__init__.py")
        changed = _git("status", "--porcelain", "--untracked-files=no")
        return _git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parents[1]), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=GIT_TIMEOUT).stdout.strip()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
