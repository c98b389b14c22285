"""The layout of a set of runs: the parameters that vary, and each run's place in the grid of their values."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from nst_tf.config.keys import role_of
from nst_tf.config.overrides import split_override
from nst_tf.reports.reading import Run
from nst_tf.reports.short_names import short_names

UNSET = "default"
"""Value of a run without an override of a parameter that other runs override."""

MAX_AXES_IN_NAME = 4
"""Largest number of axes whose values are used as the name of a run."""

MAX_COLUMNS = 6
"""Largest number of pictures that fit beside each other on the page."""


@dataclass(frozen=True)
class Axis:
    """A parameter that varies.

    Attributes:
        name: The key, for example ``losses.style.weight``.
        title: The last two parts of the key, ``style.weight``, or the whole key where another axis has the same two.
        values: The values of the runs, sorted by size where all are numbers, else in the order of the runs.
    """

    name: str
    title: str
    values: tuple[str, ...]

    @cached_property
    def names(self) -> dict[str, str]:
        """Short name of each value for headings; see `nst_tf.reports.short_names`."""
        return short_names(self.values)


@dataclass(frozen=True)
class Facet:
    """A grid of runs that have the same values on all axes except the last two.

    Attributes:
        point: The shared values by key; empty where there are only two axes.
        cells: Indices of the runs by row and column value. Runs with equal settings share a cell.
    """

    point: dict[str, str]
    cells: dict[tuple[str, str], list[int]]


@dataclass(frozen=True)
class Layout:
    """The place of every picture on the page and on the contact sheet.

    Attributes:
        axes: All parameters that vary, in the order in which they were typed.
        points: The values of each run on these axes, by key.
        rows: The axis of the rows; None where the runs form no grid.
        columns: The axis of the columns; None where the runs form no grid.
        facets: One grid for each combination of values on the other axes.
    """

    axes: tuple[Axis, ...]
    points: tuple[dict[str, str], ...]
    rows: Axis | None
    columns: Axis | None
    facets: tuple[Facet, ...]

    @cached_property
    def indices(self) -> list[list[int]]:
        """The values of each run as indices of the values of each axis."""
        places = [{value: place for place, value in enumerate(axis.values)} for axis in self.axes]
        return [
            [place[point[axis.name]] for axis, place in zip(self.axes, places, strict=True)] for point in self.points
        ]

    @property
    def is_grid(self) -> bool:
        """True where the pictures are arranged in rows and columns."""
        return self.columns is not None

    def describe(self, point: dict[str, str]) -> str:
        """Return values of some axes in one line: ``style.weight=10, seed=1``."""
        return ", ".join(f"{axis.title}={axis.names[point[axis.name]]}" for axis in self.axes if axis.name in point)

    def run_name(self, number: int, label: str) -> str:
        """Return the name of a run: its settings where these are few, else its label."""
        return self.describe(self.points[number]) if 1 <= len(self.axes) <= MAX_AXES_IN_NAME else f"run {label}"


def build_layout(runs: Sequence[Run]) -> Layout:
    """Find the axes of the runs and lay them out.

    The last two axes that were typed span the grid. The one with more values gives the columns, unless these do not
    fit on the page. Each combination of the other axes makes a facet. The runs form no grid where only one parameter
    varies or more than half of the cells would be empty, as in a random search.
    """
    settings = [_typed_settings(run) for run in runs]
    if not all(run.overrides for run in runs):  # some were started from Python, where nothing is typed
        settings = [_without_ignored(run.settings) for run in runs]
    settings = _unify_numbers(settings)
    axes = tuple(_find_axes(settings))
    points = tuple({axis.name: one.get(axis.name, UNSET) for axis in axes} for one in settings)
    size = math.prod(len(axis.values) for axis in axes)
    if len(axes) < 2 or size > 2 * len(runs):
        return Layout(axes, points, None, None, ())
    rows, columns = sorted(axes[-2:], key=lambda axis: len(axis.values))
    if len(columns.values) > MAX_COLUMNS:
        rows, columns = columns, rows
    return Layout(axes, points, rows, columns, tuple(_facets(axes[:-2], points, rows, columns)))


def _facets(outer: Sequence[Axis], points: Sequence[dict[str, str]], rows: Axis, columns: Axis) -> Iterator[Facet]:
    for values in product(*(axis.values for axis in outer)):
        shared = dict(zip((axis.name for axis in outer), values, strict=True))
        cells: dict[tuple[str, str], list[int]] = {}
        for number, point in enumerate(points):
            if shared.items() <= point.items():
                cells.setdefault((point[rows.name], point[columns.name]), []).append(number)
        if cells:
            yield Facet(shared, cells)


def _typed_settings(run: Run) -> dict[str, str]:
    return _without_ignored(dict(split_override(override) for override in run.overrides))


def _without_ignored(settings: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in settings.items() if role_of(key).is_axis}


def _find_axes(settings: Sequence[dict[str, str]]) -> Iterator[Axis]:
    values_by_key = {key: dict.fromkeys(one.get(key, UNSET) for one in settings) for one in settings for key in one}
    varied = {key: values for key, values in values_by_key.items() if len(values) > 1}
    titles = Counter(_title(key) for key in varied)
    for key, values in varied.items():
        yield Axis(key, _title(key) if titles[_title(key)] == 1 else key, tuple(_sorted(values)))


def is_seed(key: str) -> bool:
    """Return whether a key is that of a seed: ``seed``, ``backbone.seed``, ``losses.style.seed``."""
    return key.rpartition(".")[2] == "seed"


def _title(key: str) -> str:
    return ".".join(key.split(".")[-2:])


def _unify_numbers(settings: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Write equal numbers alike: ``1e2`` becomes ``100`` where an earlier run has ``100``."""
    texts: dict[tuple[str, float | str], str] = {}
    return [{key: texts.setdefault((key, _parse(value)), value) for key, value in one.items()} for one in settings]


def _parse(value: str) -> float | str:
    """Return the value as a number, or the text itself where it is none."""
    try:
        return float(value)
    except ValueError:
        return value


def _sorted(values: dict[str, None]) -> list[str]:
    """Sort numbers by size, with the unset value first; keep the order of other values."""
    numbers = [value for value in values if value != UNSET]
    if not all(isinstance(_parse(value), float) for value in numbers):
        return list(values)
    return [value for value in values if value == UNSET] + sorted(numbers, key=float)
