"""Styles of the runs, the same in every figure: each parameter that varies has a feature of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.colors import LinearSegmentedColormap, to_hex

from nst_tf.reports.axes import Axis, Layout, is_seed

COLOURS = ("#2f7ed8", "#d1620f", "#2e9150", "#8a5fd0", "#cf4a4a", "#16909c", "#a07a12", "#7d828a")
"""Colours of the curves. Each has a contrast of at least 3:1 against white and against the page's dark background."""

SCALE = ("#2f7ed8", "#16909c", "#2e9150", "#a07a12", "#d1620f", "#cf4a4a")
"""Colours between which those of an axis with more values than `COLOURS` lie."""

MAX_COLOURS = 24
"""Most colours of one axis. Neighbouring values of a longer axis share a colour."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""Dashes of the curves, by Plotly's names."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
"""Symbols at some points of the curves, by Plotly's names. The first one is not drawn where no axis decides on it."""

WIDTHS = (1.75, 3.5, 0.9)
"""Widths of the curves in pixels."""

SEED = "seed"
"""Axis that gets a feature last: runs that differ in it alone repeat each other."""

FEATURES: dict[str, tuple[Any, ...]] = {"dash": DASHES, "symbol": SYMBOLS, "width": WIDTHS}
"""Features besides the colour, with their values, in the order in which axes get them."""


@dataclass(frozen=True)
class LineStyle:
    """Style of a run's curve.

    Attributes:
        colour: Colour in CSS notation.
        dash: One of `DASHES`.
        symbol: One of `SYMBOLS`; empty for none.
        width: Width in pixels.
    """

    colour: str
    dash: str = DASHES[0]
    symbol: str = ""
    width: float = WIDTHS[0]


def style_axes(layout: Layout) -> dict[str, int]:
    """Return for each feature the index of the axis that decides on it.

    The axes are served in the order: columns, rows, others, seeds. The first one gets the colour; an axis with more
    values than `COLOURS` comes before it, because only colours lie on a scale. Each other axis gets the first feature
    left that has a value for each of its values.

    Returns:
        Indices of `Layout.axes` by ``colour``, ``dash``, ``symbol`` and ``width``. A feature that no axis needs is left
        out; so is an axis with too many values.
    """
    grid = [layout.axes.index(axis) for axis in (layout.columns, layout.rows) if axis is not None]
    order = [*grid, *(number for number in range(len(layout.axes)) if number not in grid)]
    order.sort(key=lambda number: (is_seed(layout.axes[number].name), len(layout.axes[number].values) <= len(COLOURS)))
    if not order:
        return {}
    chosen, left = {"colour": order[0]}, list(FEATURES)
    for number in order[1:]:
        count = len(layout.axes[number].values)
        if (feature := next((name for name in left if count <= len(FEATURES[name])), None)) is not None:
            chosen[feature] = number
            left.remove(feature)
    return chosen


def axis_colours(axis: Axis) -> list[str]:
    """Return the colour of each value of an axis: distinct ones, or for many values those of a scale."""
    count = len(axis.values)
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    scale = LinearSegmentedColormap.from_list("scale", SCALE)
    steps = min(count, MAX_COLOURS) - 1
    return [to_hex(scale(round(number * steps / (count - 1)) / steps)) for number in range(count)]


def line_styles(layout: Layout) -> list[LineStyle]:
    """Return the style of each run. Runs without axes differ in colour, then in dashes."""
    features = style_axes(layout)
    if not features:
        return [
            LineStyle(_cycle(COLOURS, number), _cycle(DASHES, number // len(COLOURS)))
            for number in range(len(layout.points))
        ]
    colours = [axis_colours(axis) for axis in layout.axes]
    styles = []
    for indices in layout.indices:
        chosen = {name: FEATURES[name][indices[number]] for name, number in features.items() if name != "colour"}
        styles.append(LineStyle(colours[features["colour"]][indices[features["colour"]]], **chosen))
    return styles


def _cycle(values: Sequence[str], number: int) -> str:
    return values[number % len(values)]


def style_data(layout: Layout) -> dict[str, object]:
    """Return what the page's scripts need to style a run: the axis of each feature, and the values of all features."""
    return {
        "axes": style_axes(layout),
        "axisColours": [axis_colours(axis) for axis in layout.axes],
        "runColours": COLOURS,
        **{f"{name}Values": values for name, values in FEATURES.items()},
    }
