"""The grid behind a set of runs: which parameters vary, and where each run stands in it."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import PurePath

from nst_tf.reports.reading import Run

NO_AXES = ("name", "launcher", "tracking", "evaluation", "hydra")
"""What may differ between runs without telling their pictures apart."""

ABSENT = "default"
"""Shown for a run that says nothing of a parameter others were given."""

FEW = 4
"""Axes whose values still make a name."""

ACROSS = 6
"""Columns that fit beside each other on a page."""


@dataclass(frozen=True)
class Axis:
    """A parameter that varies.

    Attributes:
        name: Its key, ``losses.style.weight``.
        title: Its last two parts, ``style.weight``, where these tell it from the other axes; else the key.
        values: What it takes: by size where all are numbers, else in the runs' order.
    """

    name: str
    title: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Facet:
    """The runs that agree in all axes but the last two.

    Attributes:
        point: Values of those axes; empty where there are none.
        cells: Runs by row and column; a repeated setting holds several, a missing one none.
    """

    point: dict[str, str]
    cells: dict[tuple[str, str], list[int]]


@dataclass(frozen=True)
class Sheet:
    """How the pictures are laid out.

    Attributes:
        axes: All parameters that vary, in the order they were typed.
        points: Each run's values of them, by key.
        down: The axis of the rows; None where the pictures follow one another.
        across: The axis of the columns; None likewise.
        facets: One a combination of the other axes.
    """

    axes: tuple[Axis, ...]
    points: tuple[dict[str, str], ...]
    down: Axis | None
    across: Axis | None
    facets: tuple[Facet, ...]

    @property
    def is_grid(self) -> bool:
        """Whether the pictures stand in rows and columns."""
        return self.across is not None

    def described(self, point: dict[str, str]) -> str:
        """Values of some axes in a line: ``style.weight=10, seed=1``."""
        return ", ".join(f"{axis.title}={short(point[axis.name])}" for axis in self.axes if axis.name in point)

    def name(self, number: int, label: str) -> str:
        """A run in a line: its settings where these are few, else its label."""
        return self.described(self.points[number]) if 1 <= len(self.axes) <= FEW else f"run {label}"


def build_layout(runs: Sequence[Run]) -> Sheet:
    """Find the axes of the runs and lay them out.

    Of the last two axes typed the longer goes across, unless it is too long for a page, and the other down; each
    combination of the others makes a facet. One axis alone, or a grid less than half full (a random search), makes
    pictures that follow one another.
    """
    given = [_settings(run) for run in runs]
    if not all(run.overrides for run in runs):  # some were started from Python, where nothing is typed
        given = [_plain(run.settings) for run in runs]
    given = _agreed(given)
    axes = tuple(_axes(given))
    points = tuple({axis.name: one.get(axis.name, ABSENT) for axis in axes} for one in given)
    size = math.prod(len(axis.values) for axis in axes)
    if len(axes) < 2 or size > 2 * len(runs):
        return Sheet(axes, points, None, None, ())
    down, across = sorted(axes[-2:], key=lambda axis: len(axis.values))
    if len(across.values) > ACROSS:
        down, across = across, down
    facets = tuple(_facets(axes[:-2], points, down, across))
    return Sheet(axes, points, down, across, facets)


def _facets(outer: Sequence[Axis], points: Sequence[dict[str, str]], down: Axis, across: Axis) -> Iterator[Facet]:
    for values in product(*(axis.values for axis in outer)):
        shared = dict(zip((axis.name for axis in outer), values, strict=True))
        cells: dict[tuple[str, str], list[int]] = {}
        for number, point in enumerate(points):
            if shared.items() <= point.items():
                cells.setdefault((point[down.name], point[across.name]), []).append(number)
        if cells:
            yield Facet(shared, cells)


def split_override(override: str) -> tuple[str, str]:
    """``+losses.grain.weight=10`` to key and value."""
    key, _, value = override.lstrip("+~").partition("=")
    return key, value


def _settings(run: Run) -> dict[str, str]:
    return _plain(dict(split_override(override) for override in run.overrides))


def _plain(settings: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in settings.items() if key.partition(".")[0] not in NO_AXES}


def _axes(given: Sequence[dict[str, str]]) -> Iterator[Axis]:
    taken = {name: dict.fromkeys(one.get(name, ABSENT) for one in given) for one in given for name in one}
    varied = {name: values for name, values in taken.items() if len(values) > 1}
    ends = Counter(_end(name) for name in varied)
    for name, values in varied.items():
        yield Axis(name, _end(name) if ends[_end(name)] == 1 else name, tuple(_sorted(values)))


def _end(name: str) -> str:
    return ".".join(name.split(".")[-2:])


def _agreed(given: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The same settings, equal numbers written one way: ``1e2`` where ``100`` came first becomes that."""
    texts: dict[tuple[str, float | str], str] = {}
    return [{key: texts.setdefault((key, _measure(value)), value) for key, value in one.items()} for one in given]


def _measure(value: str) -> float | str:
    """The number a value is; the text itself for others."""
    try:
        return float(value)
    except ValueError:
        return value


def _sorted(values: dict[str, None]) -> list[str]:
    """By size, the default first, if all are numbers; else as they come."""
    numbers = [value for value in values if value != ABSENT]
    if not all(isinstance(_measure(value), float) for value in numbers):
        return list(values)
    return [value for value in values if value == ABSENT] + sorted(numbers, key=float)


def short(value: str) -> str:
    """A value as a heading shows it: without Hydra's escapes, and of a path the file's name."""
    plain = re.sub(r"\\(.)", r"\1", value)
    return PurePath(plain).name if "/" in plain and not plain.startswith("[") else plain
