"""The tables of a study's statistics as texts, which the page, Markdown and LaTeX share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas

from nst_tf.reports.study.grouping import MOST_COMPARED, Comparison, Statistics
from nst_tf.reports.study.statistics import Mean
from nst_tf.reports.table import Column, best_end, formatter, heading

NO_VALUE = "–"
"""Text of a value that is not given."""

SPREAD_NOTE = "A value is the mean over n seeds ± the standard deviation (divisor n - 1)."

INTERVAL_NOTE = (
    "A value is the mean over the pairs of content and style, with its 95 % bootstrap interval (BCa, 9999 samples, a "
    "fixed seed). Seeds are averaged within a pair first. Fewer than 3 pairs give no interval."
)

DIFFERENCE_NOTE = (
    "A difference is that of the first setting minus the second on the same pair: its mean with the 95 % bootstrap "
    "interval, the number of pairs on which either is better, and the two-sided p-value of Wilcoxon's signed-rank test "
    "with SciPy's defaults (differences of 0 are left out, tied ones share their mean rank). Fewer than 6 pairs that "
    "differ give no p-value, because 5 cannot give one below 0.06."
)

HOLM_NOTE = "The corrected p-value is Holm's, for all comparisons of the measure."


@dataclass(frozen=True)
class TextTable:
    """A table of texts.

    Attributes:
        title: Its heading.
        note: What its values mean.
        header: Headings of the columns.
        rows: The texts.
        words: Number of columns, from the first on, that hold words and no numbers.
    """

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int


def text_tables(statistics: Statistics) -> list[TextTable]:
    """Return the tables of a study that are not empty: means over pairs, differences, and means over seeds."""
    measures = shown_measures(statistics)
    tables = [_pairs_table(statistics, measures), _differences_table(statistics, measures)]
    tables += [_seeds_table(statistics, measures)] if statistics.study.has_seeds else []
    return [table for table in tables if table.rows]


def notes(statistics: Statistics) -> list[str]:
    """Return sentences about runs and settings that the tables leave out or treat in their own way."""
    study = statistics.study
    found = []
    if study.left_out:
        found.append(f"{_runs(study.left_out)} did not succeed and {_are(study.left_out)} left out.")
    if study.copies:
        found.append(
            f"{_runs(study.copies)} {_are(study.copies)} left out: copies of another run of the same setting and pair, "
            f"from which they differ in nothing with an effect. A seed has one with image.start=noise, for example."
        )
    if len(study.settings) * len(study.pairs) > len(study.cells):
        found.append(
            "Not every setting has every pair. Means over different pairs are not comparable; differences are."
        )
    if statistics.uncompared:
        names = ", ".join(statistics.uncompared)
        found.append(
            f"More than {MOST_COMPARED} settings are comparable in {names}, so that they are not compared two by two. "
            f"Compare fewer of them: give only their run folders to the command compare."
        )
    return found


def _runs(count: int) -> str:
    return f"{count} run{'s' if count > 1 else ''}"


def _are(count: int) -> str:
    return "are" if count > 1 else "is"


def shown_measures(statistics: Statistics) -> list[Column]:
    """Return the measures that people see; ``statistics.csv`` has all of them.

    These are the judge's scores if there are any, else total and raw losses, and the seconds.
    """
    scores = [column for column in statistics.measures if best_end(column.name.removeprefix("judged/"))]
    losses = [column for column in statistics.measures if column.name == "loss/total" or column.name.startswith("raw/")]
    return [*(scores or losses), *(column for column in statistics.measures if column.name == "seconds")]


def _pairs_table(statistics: Statistics, measures: Sequence[Column]) -> TextTable:
    study = statistics.study
    counts = {setting: sum(1 for one, _ in study.cells if one == setting) for setting in range(len(study.settings))}
    columns = [interval_texts(statistics.setting_means[measure.name]) for measure in measures]
    rows = [
        (study.settings[setting].name, *(column.get(setting, NO_VALUE) for column in columns), str(count))
        for setting, count in counts.items()
        if len(study.pairs) > 1
    ]
    header = ("setting", *(heading(measure) for measure in measures), "pairs")
    return TextTable(f"Means over {len(study.pairs)} pairs", INTERVAL_NOTE, header, tuple(rows), words=1)


def _seeds_table(statistics: Statistics, measures: Sequence[Column]) -> TextTable:
    study = statistics.study
    columns = [_texts(statistics.cell_means[measure.name], _with_deviation) for measure in measures]
    rows = [
        (
            study.settings[cell[0]].name,
            study.pairs[cell[1]],
            *(one.get(cell, NO_VALUE) for one in columns),
            str(len(runs)),
        )
        for cell, runs in sorted(study.cells.items())
    ]
    header = ("setting", "pair", *(heading(measure) for measure in measures), "n")
    return TextTable("Means over seeds", SPREAD_NOTE, header, tuple(rows), words=2)


def _differences_table(statistics: Statistics, measures: Sequence[Column]) -> TextTable:
    shown = [comparison for comparison in statistics.comparisons if comparison.measure in measures]
    corrects = any(len(comparison.differences) > 1 for comparison in shown)
    rows = [row for comparison in shown for row in _difference_rows(statistics, comparison, corrects)]
    header = (
        "measure",
        "first",
        "second",
        "difference",
        "first wins",
        "second wins",
        "ties",
        "p",
        *["p (Holm)"] * corrects,
    )
    note = f"{DIFFERENCE_NOTE} {HOLM_NOTE}" if corrects else DIFFERENCE_NOTE
    return TextTable("Differences on the same pairs", note, header, tuple(rows), words=3)


def _difference_rows(statistics: Statistics, comparison: Comparison, corrects: bool) -> Iterable[tuple[str, ...]]:
    settings = statistics.study.settings
    means = interval_texts({each: each.mean for each in comparison.differences})
    better = "lower" if comparison.lower_is_better else "higher"
    for each in comparison.differences:
        yield (
            f"{heading(comparison.measure)} ({better} wins)",
            settings[each.first].name,
            settings[each.second].name,
            means[each],
            *map(str, (each.first_wins, each.second_wins, each.ties)),
            *map(_p_text, (each.p_value, each.adjusted) if corrects else (each.p_value,)),
        )


def _p_text(value: float | None) -> str:
    return NO_VALUE if value is None else f"{value:.3g}"


def _texts(means: Mapping[Any, Mean], write: Callable[[Mean, Callable[[float], str]], str]) -> dict[Any, str]:
    """Return the texts of one column, whose numbers have the same number of decimals."""
    number = formatter(pandas.Series([mean.value for mean in means.values()], dtype="float64"))
    return {key: write(mean, number) for key, mean in means.items()}


def interval_texts(means: Mapping[Any, Mean]) -> dict[Any, str]:
    """Return means with their intervals as the texts of one column, ``0.812 [0.753, 0.871]``."""
    return _texts(means, _with_interval)


def _with_deviation(mean: Mean, number: Callable[[float], str]) -> str:
    return number(mean.value) + ("" if mean.deviation is None else f" ± {number(mean.deviation)}")


def _with_interval(mean: Mean, number: Callable[[float], str]) -> str:
    if mean.interval is None:
        return number(mean.value)
    return f"{number(mean.value)} [{', '.join(map(number, mean.interval))}]"
