"""What papers printed beside what runs measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from nst_tf.reports.documents import ESCAPED
from nst_tf.reports.reading import Run
from nst_tf.runs.published import Measure, PublishedFigure
from nst_tf.util.files import write_text

NUMBERS = ("printed", "measured", "printed_ratio", "measured_ratio")
"""Columns that hold numbers."""


@dataclass(frozen=True)
class FigureComparison:
    """A printed figure and a measured one.

    Attributes:
        figure: The figure's name, ``first loss``.
        run: Number of the run.
        step: The step it speaks of.
        printed: What the paper has; None for nothing.
        measured: What the run has; None while it has not come so far, or did not log that step.
        printed_ratio: To the first run that has it; None for figures that are not told so.
        measured_ratio: Likewise.
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
        """The values of `NUMBERS`."""
        return [getattr(self, name) for name in NUMBERS]


def compare_figures(runs: Sequence[Run]) -> list[FigureComparison]:
    """Printed and measured figures of the runs, figure by figure in the order of the first run that has it."""
    names = list(dict.fromkeys(name for run in runs for name in run.printed))
    return [comparison for name in names for comparison in _of_figure(name, runs)]


def _of_figure(name: str, runs: Sequence[Run]) -> list[FigureComparison]:
    having = [(number, run.printed[name]) for number, run in enumerate(runs) if name in run.printed]
    printed = [figure.value for _, figure in having]
    values = [measured(runs[number].metrics, figure) for number, figure in having]
    relative = [figure.relative for _, figure in having]
    return [
        FigureComparison(name.replace("_", " "), number, figure.step, *numbers)
        for (number, figure), *numbers in zip(
            having, printed, values, _ratios(printed, relative), _ratios(values, relative), strict=True
        )
    ]


def _ratios(values: Sequence[float | None], relative: Sequence[bool]) -> list[float | None]:
    """Each value over the first run's."""
    return [
        value / values[0] if asked and values[0] and value is not None else None
        for value, asked in zip(values, relative, strict=True)
    ]


def pictured_steps(comparisons: Sequence[FigureComparison]) -> list[tuple[int, int]]:
    """Run and step of the pictures that papers print beside their figures: each run's first step spoken of."""
    steps: dict[int, int] = {}
    for one in comparisons:
        if one.step:
            steps[one.run] = min(one.step, steps.get(one.run, one.step))
    return sorted(steps.items())


def measured(metrics: pandas.DataFrame, figure: PublishedFigure) -> float | None:
    """What a run's `metrics.csv` says of a figure; None where it logged no row that tells."""
    return _MEASURES[figure.measure](metrics, figure.step)


def _at(column: str) -> Callable[[pandas.DataFrame, int], float | None]:
    def read(metrics: pandas.DataFrame, step: int) -> float | None:
        values = metrics.loc[metrics.step == step, column]
        return float(values.iloc[0]) if len(values) and np.isfinite(values.iloc[0]) else None

    return read


def _per_step(metrics: pandas.DataFrame, step: int) -> float | None:
    before = _at("seconds")(metrics, step)
    if before is None or metrics.step.iloc[-1] <= step:
        return None
    return float((metrics.seconds.iloc[-1] - before) / (metrics.step.iloc[-1] - step))


_MEASURES: dict[Measure, Callable[[pandas.DataFrame, int], float | None]] = {
    Measure.total: _at("total"),
    Measure.seconds: _at("seconds"),
    Measure.seconds_per_step: _per_step,
}


def figure_text(value: float | None) -> str:
    """A figure to four digits, whole where it is large: ``8079787520``, ``115``, ``0.8696``."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def write_printed(folder: Path, comparisons: Sequence[FigureComparison], names: Sequence[str]) -> None:
    """Write ``printed.csv`` with every number and ``printed.md`` as the page shows it; neither where none is printed.

    Args:
        folder: The report's.
        comparisons: The figures.
        names: What each run is called.
    """
    paths = (folder / "printed.csv", folder / "printed.md")
    for path in paths:
        path.unlink(missing_ok=True)
    if not comparisons:
        return
    rows = [[one.figure, names[one.run], *one.numbers] for one in comparisons]
    frame = pandas.DataFrame(rows, columns=["figure", "run", *NUMBERS])
    write_text(paths[0], frame.to_csv(index=False, lineterminator="\n"))
    shown = [[one.figure, names[one.run], *map(figure_text, one.numbers)] for one in comparisons]
    texts = pandas.DataFrame(shown, columns=frame.columns).map(lambda text: text.translate(ESCAPED))
    texts.columns = [str(name).replace("_", " ") for name in frame]
    right = ["left", "left", *["right"] * len(NUMBERS)]
    write_text(paths[1], str(texts.to_markdown(index=False, disable_numparse=True, colalign=right)) + "\n")
