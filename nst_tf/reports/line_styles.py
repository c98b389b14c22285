"""How each run is drawn: its colour and its dashes, the same in every figure."""

from collections.abc import Sequence
from dataclasses import dataclass

from nst_tf.reports.axes import Sheet

COLOURS = ("#2f7ed8", "#d1620f", "#2e9150", "#8a5fd0", "#cf4a4a", "#16909c", "#a07a12", "#7d828a")
"""Told apart by most eyes; each at least 3:1 against white and against the dark page."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


@dataclass(frozen=True)
class LineStyle:
    """A curve's colour as CSS writes it, and one of `DASHES`."""

    colour: str
    dash: str


def line_styles(sheet: Sheet) -> list[LineStyle]:
    """One look a run: in a grid, the colour tells the column and the dashes tell the row."""
    if sheet.across is None or sheet.down is None:
        return [_line_style(number, number // len(COLOURS)) for number in range(len(sheet.points))]
    across, down = sheet.across, sheet.down
    return [
        _line_style(across.values.index(point[across.name]), down.values.index(point[down.name]))
        for point in sheet.points
    ]


def _line_style(colour: int, dash: int) -> LineStyle:
    return LineStyle(_of(COLOURS, colour), _of(DASHES, dash))


def _of(values: Sequence[str], number: int) -> str:
    return values[number % len(values)]
