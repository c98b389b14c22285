"""Colours and dashes of the runs, the same in every figure."""

from collections.abc import Sequence
from dataclasses import dataclass

from nst_tf.reports.axes import Layout

COLOURS = ("#2f7ed8", "#d1620f", "#2e9150", "#8a5fd0", "#cf4a4a", "#16909c", "#a07a12", "#7d828a")
"""Colours of the curves. Each has a contrast of at least 3:1 against white and against the page's dark background."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""Dashes of the curves, by Plotly's names."""


@dataclass(frozen=True)
class LineStyle:
    """Style of a run's curve.

    Attributes:
        colour: Colour in CSS notation.
        dash: One of `DASHES`.
    """

    colour: str
    dash: str


def line_styles(layout: Layout) -> list[LineStyle]:
    """Return the style of each run. In a grid, the column decides on the colour and the row on the dashes."""
    if layout.columns is None or layout.rows is None:
        return [_line_style(number, number // len(COLOURS)) for number in range(len(layout.points))]
    rows, columns = layout.rows, layout.columns
    return [
        _line_style(columns.values.index(point[columns.name]), rows.values.index(point[rows.name]))
        for point in layout.points
    ]


def _line_style(colour: int, dash: int) -> LineStyle:
    return LineStyle(_cycle(COLOURS, colour), _cycle(DASHES, dash))


def _cycle(values: Sequence[str], number: int) -> str:
    return values[number % len(values)]
