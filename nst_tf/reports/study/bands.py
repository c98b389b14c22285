"""Loss curves over several seeds: their mean, and a band of one standard deviation on each side."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas

from nst_tf.reports.reading import Run
from nst_tf.reports.study.grouping import Study
from nst_tf.reports.table import is_summary

MOST_BANDS = 100
"""Most bands in a figure. Curves with more groups of seeds are drawn one by one."""


@dataclass(frozen=True)
class Band:
    """Mean and standard deviation of the curves of several seeds.

    Attributes:
        name: Setting and pair.
        runs: Indices of the runs.
        mean: One row for each step that all runs have, with the columns of `metrics.csv`.
        deviation: Standard deviation (divisor n - 1) of the same rows and columns.
    """

    name: str
    runs: tuple[int, ...]
    mean: pandas.DataFrame
    deviation: pandas.DataFrame


def seed_bands(study: Study, runs: Sequence[Run]) -> list[Band]:
    """Return a band for each setting and pair with several seeds; none where there would be more than `MOST_BANDS`.

    Args:
        study: The runs by setting and pair.
        runs: The runs.
    """
    cells = {
        cell: logged
        for cell, numbers in sorted(study.cells.items())
        if len(logged := tuple(number for number in numbers if not runs[number].metrics.empty)) > 1
    }
    if len(cells) > MOST_BANDS:
        return []
    return [_band(study.title(cell), numbers, runs) for cell, numbers in cells.items()]


def _band(name: str, numbers: tuple[int, ...], runs: Sequence[Run]) -> Band:
    columns = [column for column in runs[numbers[0]].metrics if is_summary(column)]
    rows = pandas.concat([runs[number].metrics for number in numbers]).reindex(columns=columns)
    by_step = rows.set_index("step", drop=False).groupby(level=0)
    shared = by_step.size() == len(numbers)
    return Band(name, numbers, by_step.mean()[shared], by_step.std(ddof=1)[shared])
