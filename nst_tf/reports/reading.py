"""Read run folders in any state: completed, failed, running or damaged."""

import contextlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas

from nst_tf.config.renames import current_override, current_settings
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.metrics import read_metrics
from nst_tf.runs.published import PublishedFigure
from nst_tf.util.errors import InputError

log = logging.getLogger(__name__)

KILLED = "its process ended without recording its end; the same command continues it"
"""Reason of a run whose record says ``running`` although no process holds the lock of its folder."""

SUCCESSFUL = ("completed", "converged")
"""Statuses of runs that can be the best run."""


@dataclass(frozen=True, eq=False)
class Run:
    """Contents of one run folder.

    Attributes:
        label: Short unique name: the run's number in its sweep, or the folder's name.
        folder: The run folder.
        record: Contents of `run.json`.
        overrides: The overrides that were typed.
        settings: The resolved config, from dotted keys to texts.
        printed: Figures of a paper to compare the run with, by name.
        metrics: The numbers in `metrics.csv`; empty where there are none.
    """

    label: str
    folder: RunFolder
    record: dict[str, Any]
    overrides: list[str]
    settings: dict[str, str]
    printed: dict[str, PublishedFigure]
    metrics: pandas.DataFrame

    @property
    def status(self) -> str:
        """Status of the run; ``killed`` if its process is gone and has not recorded its end."""
        return str(self.record["status"])

    @property
    def succeeded(self) -> bool:
        """True for a run that completed or converged."""
        return self.status in SUCCESSFUL

    @property
    def final(self) -> dict[str, float]:
        """The last losses: from `run.json`, or from the last row of `metrics.csv` while the record has none."""
        recorded = self.record.get("final")
        if isinstance(recorded, dict):
            return recorded
        return {} if self.metrics.empty else dict(self.metrics.iloc[-1].drop(["step", "evaluations", "seconds"]))

    def count(self, name: str) -> Any:
        """Return ``steps``, ``evaluations`` or ``seconds``: from `run.json`, or from the last row of `metrics.csv`."""
        if name in self.record or self.metrics.empty:
            return self.record.get(name)
        value = self.metrics[name.replace("steps", "step")].iloc[-1]
        return float(value) if name == "seconds" else int(value)

    @property
    def picture(self) -> Path | None:
        """The run's picture or its last snapshot; None where there is neither."""
        if self.folder.picture.exists():
            return self.folder.picture
        return max(self.folder.snapshots.glob("step_*.png"), default=None)


def find_runs(folders: Sequence[str | Path]) -> list[Run]:
    """Read every run in and below the folders, in natural order.

    Damaged run folders are left out with a warning in the log.

    Args:
        folders: Run folders, sweeps, or folders of these.

    Raises:
        InputError: A folder is missing, or none of them contains a run.
    """
    require_folders(folders)
    found = {str(folder): run_folders(Path(folder)) for folder in folders}
    runs = _read_runs(list(dict.fromkeys(path for paths in found.values() for path in paths)))
    if not runs:
        raise InputError(f"No run in {', '.join(map(repr, found))}. Give folders that contain run.json files.")
    for folder in (folder for folder, paths in found.items() if not paths):
        log.warning("No run in '%s'. It is left out.", folder)
    return runs


def require_folders(folders: Sequence[str | Path]) -> None:
    """Raise `InputError` unless all folders exist. A file among them has no runs, and is left out later."""
    for folder in folders:
        if not Path(folder).exists():
            raise InputError(f"No such folder: '{folder}'. Give run folders, or folders that contain them.")


def _read_runs(paths: Sequence[Path]) -> list[Run]:
    contents = {path: content for path in paths if (content := _read_folder(RunFolder(path))) is not None}
    labels = _labels(list(contents))
    return [Run(label, RunFolder(path), **contents[path]) for path, label in zip(contents, labels, strict=True)]


def _read_folder(folder: RunFolder) -> dict[str, Any] | None:
    """Return the fields of a `Run` that its folder contains; None for a damaged record and for a distillation."""
    try:
        record = folder.read_record()
    except (InputError, OSError) as error:
        log.warning("%s. The run is left out.", str(error).rstrip("."))
        return None
    if record["status"] == "running" and not folder.is_locked():
        record |= {"status": "killed", "reason": KILLED}
    config = current_settings(folder.read_config())
    printed = _read_figures(config.pop("printed", None))
    settings = dict(_flatten("", config))
    if any(key.startswith("teacher.") for key in settings):
        log.warning("The run '%s' trained a network and has no picture. The run is left out.", folder.path)
        return None
    if isinstance(weights := record.get("weights"), dict):
        settings["backbone"] = str(weights.get("name"))
    return {
        "record": record,
        "overrides": [current_override(text) for text in folder.read_overrides()],
        "settings": settings,
        "printed": printed,
        "metrics": read_metrics(folder.metrics),
    }


def run_folders(folder: Path) -> list[Path]:
    """Return all folders with a `run.json` in natural order: the folder itself or those below it, but none in a run."""
    found = []
    for parent, children, files in os.walk(folder):
        if "run.json" in files:
            children.clear()
            found.append(Path(parent))
    return sorted(found, key=natural_key)


def _read_figures(entries: Any) -> dict[str, PublishedFigure]:
    """Return the valid figures; those of a later version or an edited file may not be valid."""
    figures = {}
    for name, fields in entries.items() if isinstance(entries, dict) else ():
        with contextlib.suppress(InputError, TypeError):
            figures[str(name)] = PublishedFigure(**fields)
    return figures


def _flatten(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield dotted keys and texts of a nested config."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _flatten(f"{prefix}.{key}" if prefix else str(key), child)
    elif prefix:
        yield prefix, "null" if value is None else str(value)


def natural_key(path: Path) -> list[tuple[int, float, str]]:
    """Return a sort key that puts ``2_…`` before ``10_…``, and numbers before words."""
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _labels(paths: Sequence[Path]) -> list[str]:
    """Return the shortest unique names: numbers or folder names, if need be with the parent folder, else paths."""
    folder_names = [path.absolute().name for path in paths]
    numbers = [name.partition("_")[0] for name in folder_names]
    names = numbers if all(number.isdecimal() for number in numbers) else folder_names
    with_parents = [f"{path.absolute().parent.name}/{name}" for path, name in zip(paths, names, strict=True)]
    for labels in (names, folder_names, with_parents):
        if len(set(labels)) == len(paths):
            return labels
    return [str(path) for path in paths]
