"""The table of a comparison: means over the pairs with their intervals, and the cost of each method."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import pandas

from nst_tf.reports import facts
from nst_tf.reports.choosing import pareto_front
from nst_tf.reports.methods.grouping import MethodComparison, MethodRuns, Pair
from nst_tf.reports.reading import Run
from nst_tf.reports.study.statistics import Mean, mean_of
from nst_tf.reports.study.tables import NO_VALUE, interval_texts
from nst_tf.reports.table import best_end

SCORES = ("content", "style_ratio", "cfsd", "histogan", "ssim")
"""Beginnings of the names of the scores in the table; CFSD's has the judge's network behind it."""

FRONT = ("content", "style_ratio")
"""The two scores that conflict, and whose Pareto front is given."""

COSTS: dict[str, Callable[[Run], float | None]] = {
    "seconds": lambda run: run.count("seconds"),
    "seconds a step": facts.seconds_per_iteration,
}
"""Columns of seconds, and the functions that read them from a run."""

DECIMALS = 9
"""Decimals to which scores are rounded: a HistoGAN distance of equal histograms is 3e-16."""

ARROWS = {"lowest": "↓", "highest": "↑"}
"""Signs behind the heading of a score, for its best end."""


@dataclass(frozen=True)
class Column:
    """One column of numbers.

    Attributes:
        heading: Its heading.
        means: Mean over the pairs by method; methods without values are left out.
        better: ``lowest`` or ``highest`` value that is best; None where none is.
    """

    heading: str
    means: Mapping[MethodRuns, Mean]
    better: str | None = None

    @property
    def texts(self) -> dict[MethodRuns, str]:
        """Means with their intervals as texts, the best one in bold."""
        texts = interval_texts(self.means)
        return {method: f"**{text}**" if method in self._best else text for method, text in texts.items()}

    @property
    def _best(self) -> list[MethodRuns]:
        values = {mean.value for mean in self.means.values()}
        if self.better is None or len(values) < 2:
            return []
        best = min(values) if self.better == "lowest" else max(values)
        return [method for method, mean in self.means.items() if mean.value == best]


def score_columns(comparison: MethodComparison) -> list[Column]:
    """Return the columns of the scores that some run has."""
    names = list(dict.fromkeys(name for run in comparison.runs for name in run.record["scores"]))
    shown = [name for beginning in SCORES for name in names if _begins(name, beginning)]
    columns = [Column(_heading(name), means_over_pairs(comparison, _reader(name)), best_end(name)) for name in shown]
    return [column for column in columns if column.means]


def cost_columns(comparison: MethodComparison) -> list[Column]:
    """Return the columns of seconds."""
    return [Column(heading, means_over_pairs(comparison, read)) for heading, read in COSTS.items()]


def _begins(name: str, beginning: str) -> bool:
    return name == beginning or name.startswith(f"{beginning}_")


def _heading(score: str) -> str:
    return f"{score.replace('_', ' ')} {ARROWS.get(best_end(score) or '', '')}".rstrip()


def _reader(score: str) -> Callable[[Run], float | None]:
    """Return a function that reads a score, without the rounding errors of one that is 0."""

    def read(run: Run) -> float | None:
        value = facts.score(run, score)
        return round(value, DECIMALS) if _is_finite(value) else None

    return read


def means_over_pairs(comparison: MethodComparison, read: Callable[[Run], float | None]) -> dict[MethodRuns, Mean]:
    """Return the mean over the pairs for each method, with its 95 % bootstrap interval.

    The values of one pair, which differ in their seeds, are averaged first.

    Args:
        comparison: The methods and pairs.
        read: Reads the value of a run; None where it has none.
    """
    values = {method: _values(method, list(comparison.pairs), read) for method in comparison.methods}
    return {method: mean_of(found, interval=True) for method, found in values.items() if found}


def _values(method: MethodRuns, pairs: Sequence[Pair], read: Callable[[Run], float | None]) -> list[float]:
    by_pair = [[value for run in method.runs[pair] if _is_finite(value := read(run))] for pair in pairs]
    return [statistics.fmean(found) for found in by_pair if found]


def _is_finite(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def peak_memory(method: MethodRuns, comparison: MethodComparison) -> str:
    """Return the smallest peak memory of the process among a method's runs, in MB.

    Runs of one process share its peak, and the judge adds to that of all but the first.
    """
    peaks = [run.record.get("peak_memory_mb") for run in method.on(comparison.pairs)]
    found = [peak for peak in peaks if isinstance(peak, int | float)]
    return f"{min(found):.0f}" if found else NO_VALUE


def front(comparison: MethodComparison) -> list[MethodRuns]:
    """Return the methods on the Pareto front of the scores `FRONT`, sorted by the first of them."""
    scores = [means_over_pairs(comparison, _reader(name)) for name in FRONT]
    costs = {
        number: [means[method].value for means in scores]
        for number, method in enumerate(comparison.methods)
        if all(method in means for means in scores)
    }
    rows = pareto_front(pandas.DataFrame.from_dict(costs, orient="index", columns=list(FRONT), dtype="float64"))
    return [comparison.methods[number] for number in rows]
