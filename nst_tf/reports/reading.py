"""Run folders as they are found, whatever state they are in."""

import contextlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas
import yaml

from nst_tf.runs.folder import RunFolder
from nst_tf.runs.published import PublishedFigure
from nst_tf.util.errors import InputError

log = logging.getLogger(__name__)

COUNTERS = ("step", "evaluations", "seconds", "total")
"""Columns without which `metrics.csv` holds no curve."""

STANDING = ("completed", "converged")
"""Ends that make a run a candidate for the best."""


@dataclass(frozen=True, eq=False)
class Run:
    """What one folder says of its run.

    Attributes:
        label: Short and unlike every other run's: the number in its sweep, or the folder's name.
        folder: Where it lies.
        record: Its `run.json`.
        overrides: What was typed.
        settings: Its resolved config, dotted keys to text.
        printed: What a paper printed of such a run.
        metrics: Its `metrics.csv`, numbers only; empty where there is none.
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
        """How it ended; ``running`` while under way, and for ever after a kill."""
        return str(self.record["status"])

    @property
    def stands(self) -> bool:
        """Whether it came to a good end."""
        return self.status in STANDING

    @property
    def final(self) -> dict[str, float]:
        """Its last losses: the record's, or those of the last logged row while there is no record of them."""
        recorded = self.record.get("final")
        if isinstance(recorded, dict):
            return recorded
        return {} if self.metrics.empty else dict(self.metrics.iloc[-1].drop(["step", "evaluations", "seconds"]))

    def counted(self, name: str) -> Any:
        """``steps``, ``evaluations`` or ``seconds``: the record's, or the last logged ones."""
        if name in self.record or self.metrics.empty:
            return self.record.get(name)
        value = self.metrics[name.replace("steps", "step")].iloc[-1]
        return float(value) if name == "seconds" else int(value)

    @property
    def picture(self) -> Path | None:
        """Its picture, or the last one on the way; None where there is none."""
        if self.folder.picture.exists():
            return self.folder.picture
        return max(self.folder.snapshots.glob("step_*.png"), default=None)


def find_runs(folders: Sequence[str | Path]) -> list[Run]:
    """Read every run in the folders and below them, in natural order.

    What cannot be read is left out with a line in the log.

    Args:
        folders: Run folders, sweeps, or folders of these.

    Raises:
        InputError: A folder is missing, or there is no run in any.
    """
    found = {str(folder): _run_folders(Path(folder)) for folder in folders}
    runs = _read_all(list(dict.fromkeys(path for paths in found.values() for path in paths)))
    if not runs:
        raise InputError(f"No run in {', '.join(map(repr, found))}; a run's folder has a run.json")
    for folder in (folder for folder, paths in found.items() if not paths):
        log.warning("No run in '%s': left out", folder)
    return runs


def _read_all(paths: Sequence[Path]) -> list[Run]:
    read = {path: material for path in paths if (material := _read(RunFolder(path))) is not None}
    labels = _labels(list(read))
    return [Run(label, RunFolder(path), *read[path]) for path, label in zip(read, labels, strict=True)]


def _read(
    folder: RunFolder,
) -> tuple[dict[str, Any], list[str], dict[str, str], dict[str, PublishedFigure], pandas.DataFrame] | None:
    try:
        record = folder.read_record()
    except (InputError, OSError) as error:
        log.warning("%s; left out", error)
        return None
    config = _config(folder.config)
    printed = _printed(config.pop("printed", None))
    settings = dict(_leaves("", config))
    if any(key.startswith("teacher.") for key in settings):
        log.warning("'%s' trained a network and has no picture to compare: left out", folder.path)
        return None
    if isinstance(weights := record.get("weights"), dict):
        settings["backbone"] = str(weights.get("name"))
    return record, folder.read_overrides(), settings, printed, read_metrics(folder.metrics)


def _run_folders(folder: Path) -> list[Path]:
    """Folders with a record, at any depth, in natural order; a run's own folders are not looked into."""
    if not folder.is_dir():
        raise InputError(f"No such folder: '{folder}'; give run folders, or folders of them")
    found = []
    for parent, children, files in os.walk(folder):
        if "run.json" in files:
            children.clear()
            found.append(Path(parent))
    return sorted(found, key=natural)


def _config(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return config if isinstance(config, dict) else {}


def _printed(named: Any) -> dict[str, PublishedFigure]:
    """The figures that can be read; those of a later version or another hand are left out."""
    figures = {}
    for name, figure in named.items() if isinstance(named, dict) else ():
        with contextlib.suppress(InputError, TypeError):
            figures[str(name)] = PublishedFigure(**figure)
    return figures


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(f"{prefix}.{key}" if prefix else str(key), child)
    elif prefix:
        yield prefix, "null" if value is None else str(value)


def read_metrics(path: Path) -> pandas.DataFrame:
    """Read the whole rows of a `metrics.csv`; an empty frame where there are none."""
    try:
        frame = pandas.read_csv(path, on_bad_lines="skip")
    except (OSError, ValueError):  # missing, empty, or no text
        return pandas.DataFrame(columns=list(COUNTERS))
    if not set(COUNTERS) <= set(frame.columns):
        return pandas.DataFrame(columns=list(COUNTERS))
    numbers = frame.apply(pandas.to_numeric, errors="coerce")
    return numbers.dropna(subset=["step", "evaluations", "seconds"]).reset_index(drop=True)


def natural(path: Path) -> list[tuple[int, float, str]]:
    """Key that sorts ``2_…`` before ``10_…``, and every number before every word."""
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _labels(paths: Sequence[Path]) -> list[str]:
    """The shortest names that tell all apart: numbers, folders' names, then with the parents' names before them."""
    numbers = [path.absolute().name.partition("_")[0] for path in paths]
    names = [path.absolute().name for path in paths]
    numbered = all(number.isdecimal() for number in numbers)
    ends = numbers if numbered else names
    with_parents = [f"{path.absolute().parent.name}/{end}" for path, end in zip(paths, ends, strict=True)]
    for labels in (ends, names, with_parents):
        if len(set(labels)) == len(paths):
            return labels
    return [str(path) for path in paths]
