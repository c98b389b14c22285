"""A study: runs that repeat settings over seeds and over pairs of content and style, and its statistics."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import PurePath
from typing import Any

import numpy as np

from nst_tf.reports.axes import Layout, is_seed
from nst_tf.reports.reading import Run
from nst_tf.reports.study.statistics import Mean, PairedDifference, compare_pair, holm, mean_of
from nst_tf.reports.table import JUDGE, Column, Table, best_end, objective

PICTURES = ("content", "style")
"""Keys whose values make a pair and no setting."""

EQUALS = "equals"
"""Key of `run.json` with the name of the run whose picture an equal run has received."""

MOST_COMPARED = 10
"""Most settings of which every two are compared: 45 comparisons for each measure."""


@dataclass(frozen=True)
class Setting:
    """Everything in which runs differ beside seed, content and style.

    Attributes:
        name: The values in one line, such as ``style.weight=10``; ``all runs`` where nothing else varies.
        point: The values by key.
    """

    name: str
    point: dict[str, str]


@dataclass(frozen=True)
class Study:
    """The runs by setting and by pair of content and style.

    Attributes:
        settings: The settings, in the order of their first runs.
        pairs: Names of the pairs, such as ``coffee.jpg × night_swirls``, in the order of their first runs.
        cells: Indices of the runs with a setting on a pair; they differ in their seeds alone.
        left_out: Number of runs that did not succeed.
        copies: Number of runs that are copies of another run of their cell, whose seed has no effect.
    """

    settings: tuple[Setting, ...]
    pairs: tuple[str, ...]
    cells: Mapping[tuple[int, int], tuple[int, ...]]
    left_out: int
    copies: int

    @property
    def has_seeds(self) -> bool:
        """True if a setting was run with several seeds on one pair."""
        return any(len(runs) > 1 for runs in self.cells.values())

    @property
    def has_statistics(self) -> bool:
        """True if there is something to average: several seeds, or several pairs."""
        return self.has_seeds or len(self.pairs) > 1

    def title(self, cell: tuple[int, int]) -> str:
        """Return a name for the runs with a setting on a pair, from what there are several of."""
        setting, pair = self.settings[cell[0]].name, self.pairs[cell[1]]
        return "; ".join([setting] * (len(self.settings) > 1 or len(self.pairs) == 1) + [pair] * (len(self.pairs) > 1))


@dataclass(frozen=True)
class Comparison:
    """The paired differences between settings that are comparable in one measure.

    Attributes:
        measure: The column of the table.
        lower_is_better: Whether the lower value wins.
        differences: One for each two settings, with p-values after Holm's correction over all of them.
    """

    measure: Column
    lower_is_better: bool
    differences: tuple[PairedDifference, ...]


@dataclass(frozen=True)
class Statistics:
    """The statistics of a study.

    Attributes:
        study: The study.
        measures: The columns that are averaged.
        cell_means: Mean over the seeds, for each setting and pair, by the name of the measure.
        setting_means: Mean over the pairs for each setting, of values that are averaged over seeds first.
        comparisons: Paired differences, one entry for each measure with a better end and each comparable group.
        uncompared: Names of the measures with more comparable settings than `MOST_COMPARED`.
    """

    study: Study
    measures: tuple[Column, ...]
    cell_means: Mapping[str, Mapping[tuple[int, int], Mean]]
    setting_means: Mapping[str, Mapping[int, Mean]]
    comparisons: tuple[Comparison, ...]
    uncompared: tuple[str, ...]


def build_study(runs: Sequence[Run], layout: Layout) -> Study:
    """Group the runs that succeeded by setting and pair.

    A pair is recognised by the SHA-256 of its pictures, and not by their paths. A run that is a copy of another run of
    its cell, because its seed has no effect, is no further observation and is left out.

    Args:
        runs: The runs.
        layout: The parameters that vary.
    """
    settings: dict[tuple[str, ...], Setting] = {}
    pairs: dict[tuple[str, ...], str] = {}
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, run in enumerate(runs):
        if not run.succeeded:
            continue
        point = {key: value for key, value in layout.points[number].items() if not is_seed(key) and key not in PICTURES}
        settings.setdefault(tuple(point.values()), Setting(layout.describe(point) or "all runs", point))
        pairs.setdefault(pair_key(run), pair_name(run))
        cells[list(settings).index(tuple(point.values())), list(pairs).index(pair_key(run))].append(number)
    observed = {cell: without_copies(numbers, runs) for cell, numbers in cells.items()}
    return Study(
        tuple(settings.values()),
        tuple(_distinct(pairs.values())),
        observed,
        left_out=sum(not run.succeeded for run in runs),
        copies=sum(len(cells[cell]) - len(observed[cell]) for cell in cells),
    )


def pair_key(run: Run) -> tuple[str, ...]:
    """Return the SHA-256 of the contents and styles of a run; their settings where it recorded no pictures."""
    inputs = _inputs(run)
    return tuple(str(recorded.get("sha256")) for recorded in inputs.values()) or _pair_texts(run)


def pair_name(run: Run) -> str:
    """Return the names of the contents and styles of a run, such as ``coffee.jpg × night_swirls``."""
    sources = [str(recorded.get("source")) for recorded in _inputs(run).values()] or list(_pair_texts(run))
    return " × ".join(PurePath(source.removeprefix("sample:")).name for source in sources)


def _pair_texts(run: Run) -> tuple[str, ...]:
    return tuple(run.settings.get(key, "") for key in PICTURES)


def _inputs(run: Run) -> dict[str, dict[str, Any]]:
    """Return the recorded contents and styles of a run, in that order."""
    inputs = run.record.get("inputs")
    recorded = inputs if isinstance(inputs, dict) else {}
    roles = sorted(role for role in recorded if str(role).partition(":")[0] in PICTURES)
    return {role: recorded[role] for role in roles if isinstance(recorded[role], dict)}


def _distinct(names: Iterator[str] | Any) -> Iterator[str]:
    """Yield names with a number behind those that another pair has too."""
    counts: dict[str, int] = defaultdict(int)
    for name in names:
        counts[name] += 1
        yield name if counts[name] == 1 else f"{name} ({counts[name]})"


def without_copies(numbers: Sequence[int], runs: Sequence[Run]) -> tuple[int, ...]:
    """Return the runs among those with some indices that are no copies of another one of them."""
    folders = {runs[number].folder.path.name for number in numbers}
    return tuple(number for number in numbers if runs[number].record.get(EQUALS) not in folders)


def compute_statistics(study: Study, runs: Sequence[Run], table: Table) -> Statistics:
    """Compute means over seeds and pairs, and the paired differences between settings.

    Args:
        study: The study.
        runs: Its runs.
        table: Their table, whose columns of numbers are the measures.
    """
    measures = tuple(column for column in table.number_columns if table.frame[column.name].notna().any())
    cell_means = {column.name: _cell_means(study, table, column.name) for column in measures}
    setting_means = {name: _setting_means(cells) for name, cells in cell_means.items()}
    comparisons, uncompared = [], []
    groups = _comparable_groups(study, runs, table) if len(study.pairs) > 1 else {}
    for column in (column for column in measures if _lower_is_better(column) is not None):
        for group in groups.get(_kind(column), ()):
            if len(group) > MOST_COMPARED:
                uncompared.append(column.name)
            elif comparison := _compare(column, group, cell_means[column.name], len(study.pairs)):
                comparisons.append(comparison)
    return Statistics(study, measures, cell_means, setting_means, tuple(comparisons), tuple(dict.fromkeys(uncompared)))


def _cell_means(study: Study, table: Table, measure: str) -> dict[tuple[int, int], Mean]:
    values = table.frame[measure].to_numpy(dtype="float64", na_value=math.nan)
    observed = {cell: values[list(numbers)] for cell, numbers in study.cells.items()}
    finite = {cell: found[np.isfinite(found)] for cell, found in observed.items()}
    return {cell: mean_of(found) for cell, found in finite.items() if found.size}


def _setting_means(cells: Mapping[tuple[int, int], Mean]) -> dict[int, Mean]:
    by_setting: dict[int, list[float]] = defaultdict(list)
    for (setting, _), mean in cells.items():
        by_setting[setting].append(mean.value)
    return {setting: mean_of(values, interval=True) for setting, values in sorted(by_setting.items())}


def _comparable_groups(study: Study, runs: Sequence[Run], table: Table) -> dict[str, list[list[int]]]:
    """Return the groups of comparable settings for each kind of measure, without groups of a single setting.

    Runs of one setting under several judges or objectives are not comparable even among themselves.
    """
    keys: dict[tuple[str, int], set[Any]] = defaultdict(set)
    for (setting, _), numbers in study.cells.items():
        for number in numbers:
            for kind, key in _comparable_keys(runs[number], number, table).items():
                keys[kind, setting].add(key)
    groups: dict[str, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))
    for (kind, setting), found in sorted(keys.items(), key=lambda item: item[0]):
        if len(found) == 1:
            groups[kind][found.pop()].append(setting)
    return {kind: [group for group in found.values() if len(group) > 1] for kind, found in groups.items()}


def _kind(column: Column) -> str:
    """Return the kind of a measure: ``judged``, ``loss``, ``raw``, or ``cost``."""
    kind, slash, _ = column.name.partition("/")
    return kind if slash else "cost"


def _lower_is_better(column: Column) -> bool | None:
    """Return whether the lower value of a measure is better; None if it has no better end."""
    group, _, score = column.name.partition("/")
    if group == "judged":
        return {"lowest": True, "highest": False}.get(best_end(score) or "")
    return True if column.name in ("loss/total", "seconds") or group == "raw" else None


def _comparable_keys(run: Run, number: int, table: Table) -> dict[str, Any]:
    """Return what two runs on one pair must share to be comparable, by kind of measure.

    These are the judge for scores, the objective for weighted losses, and the objective without its weights for raw
    losses. The cost of all runs is comparable.
    """
    inputs = _inputs(run)
    kept = {key: value for key, value in objective(run).items() if not is_seed(key) and key not in inputs}
    raw = [item for item in kept.items() if not (item[0].startswith("losses.") and item[0].endswith(".weight"))]
    judge = str(table.frame[JUDGE][number]) if JUDGE in table.frame else None
    return {"judged": judge, "loss": frozenset(kept.items()), "raw": frozenset(raw), "cost": ()}


def _compare(
    measure: Column, group: Sequence[int], cells: Mapping[tuple[int, int], Mean], pairs: int
) -> Comparison | None:
    """Compare every two settings of a group on the pairs that both have."""
    values = np.full((pairs, max(group) + 1), math.nan)
    for (setting, pair), mean in cells.items():
        if setting in group:
            values[pair, setting] = mean.value
    lower = bool(_lower_is_better(measure))
    found = [compare_pair(first, second, values, lower) for first, second in combinations(group, 2)]
    differences = _corrected([difference for difference in found if difference is not None])
    return Comparison(measure, lower, tuple(differences)) if differences else None


def _corrected(differences: Sequence[PairedDifference]) -> list[PairedDifference]:
    """Add the p-values after Holm's correction over all tests that were made."""
    adjusted = iter(holm([one.p_value for one in differences if one.p_value is not None]))
    return [one if one.p_value is None else replace(one, adjusted=next(adjusted)) for one in differences]
