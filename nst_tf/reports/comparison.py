"""Figures that papers print, compared with the same figures of runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from nst_tf.reports.csv_text import csv_text
from nst_tf.reports.documents import MARKDOWN_ESCAPES
from nst_tf.reports.reading import Run
from nst_tf.runs.published import Measure, PublishedFigure
from nst_tf.util.files import write_text

FIGURE_COLUMNS = ("printed", "measured", "printed_ratio", "measured_ratio")
"""Columns of numbers in ``printed.csv``."""


@dataclass(frozen=True)
class FigureComparison:
    """One figure of a paper and of a run.

    Attributes:
        figure: Name of the figure, for example ``first loss``.
        run: Index of the run.
        step: The optimiser's step to which the figure belongs.
        printed: The paper's value; None where the paper prints none.
        measured: The run's value; None where the run did not reach or log the step.
        printed_ratio: Printed value over that of the first run with this figure; None for figures without a ratio.
        measured_ratio: Measured value over that of the first run with this figure; None for figures without a ratio.
    """

    figure: str
    run: int
    step: int
    printed: float | None
    measured: float | None
    printed_ratio: float | None
    measured_ratio: float | None

    @property
    def numbers(self) -> list[float | None]:
        """Values of the columns in `FIGURE_COLUMNS`."""
        return [getattr(self, name) for name in FIGURE_COLUMNS]


def compare_figures(runs: Sequence[Run]) -> list[FigureComparison]:
    """Compare printed and measured figures, figure by figure in the order of the first run that has it."""
    names = list(dict.fromkeys(name for run in runs for name in run.printed))
    return [comparison for name in names for comparison in _compare_figure(name, runs)]


def _compare_figure(name: str, runs: Sequence[Run]) -> list[FigureComparison]:
    figures = [(number, run.printed[name]) for number, run in enumerate(runs) if name in run.printed]
    printed = [figure.value for _, figure in figures]
    measured = [measured_value(runs[number].metrics, figure) for number, figure in figures]
    with_ratio = [figure.relative for _, figure in figures]
    return [
        FigureComparison(name.replace("_", " "), number, figure.step, *numbers)
        for (number, figure), *numbers in zip(
            figures, printed, measured, _ratios(printed, with_ratio), _ratios(measured, with_ratio), strict=True
        )
    ]


def _ratios(values: Sequence[float | None], wanted: Sequence[bool]) -> list[float | None]:
    """Divide each value by the first one; None where no ratio is wanted or a value is missing."""
    return [
        value / values[0] if is_wanted and values[0] and value is not None else None
        for value, is_wanted in zip(values, wanted, strict=True)
    ]


def pictured_steps(comparisons: Sequence[FigureComparison]) -> list[tuple[int, int]]:
    """Return run and step of the pictures that belong to the figures: the first step after 0 of each run."""
    steps: dict[int, int] = {}
    for comparison in comparisons:
        if comparison.step:
            steps[comparison.run] = min(comparison.step, steps.get(comparison.run, comparison.step))
    return sorted(steps.items())


def measured_value(metrics: pandas.DataFrame, figure: PublishedFigure) -> float | None:
    """Return the value of a figure in a run's `metrics.csv`; None where the needed rows are missing."""
    return _MEASURES[figure.measure](metrics, figure.step)


def _value_at_step(column: str) -> Callable[[pandas.DataFrame, int], float | None]:
    def read(metrics: pandas.DataFrame, step: int) -> float | None:
        values = metrics.loc[metrics.step == step, column]
        return float(values.iloc[0]) if len(values) and np.isfinite(values.iloc[0]) else None

    return read


def _seconds_per_step_after(metrics: pandas.DataFrame, step: int) -> float | None:
    before = _value_at_step("seconds")(metrics, step)
    if before is None or metrics.step.iloc[-1] <= step:
        return None
    return float((metrics.seconds.iloc[-1] - before) / (metrics.step.iloc[-1] - step))


_MEASURES: dict[Measure, Callable[[pandas.DataFrame, int], float | None]] = {
    Measure.total: _value_at_step("total"),
    Measure.seconds: _value_at_step("seconds"),
    Measure.seconds_per_step: _seconds_per_step_after,
}


def figure_text(value: float | None) -> str:
    """Write a figure with four significant digits, and large ones as integers: ``8079787520``, ``115``, ``0.8696``."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def write_comparisons(folder: Path, comparisons: Sequence[FigureComparison], names: Sequence[str]) -> None:
    """Write ``printed.csv`` with all digits and ``printed.md`` as the page shows it; remove both if there is no figure.

    Args:
        folder: Folder of the report.
        comparisons: The figures.
        names: Name of each run.
    """
    csv_path, markdown_path = folder / "printed.csv", folder / "printed.md"
    for path in (csv_path, markdown_path):
        path.unlink(missing_ok=True)
    if not comparisons:
        return
    columns = ["figure", "run", *FIGURE_COLUMNS]
    rows = [[one.figure, names[one.run], *one.numbers] for one in comparisons]
    write_text(csv_path, csv_text(pandas.DataFrame(rows, columns=columns)))
    rounded = [[one.figure, names[one.run], *map(figure_text, one.numbers)] for one in comparisons]
    texts = pandas.DataFrame(rounded, columns=columns).map(lambda text: text.translate(MARKDOWN_ESCAPES))
    texts.columns = [name.replace("_", " ") for name in columns]
    alignments = ["left", "left", *["right"] * len(FIGURE_COLUMNS)]
    write_text(markdown_path, str(texts.to_markdown(index=False, disable_numparse=True, colalign=alignments)) + "\n")
