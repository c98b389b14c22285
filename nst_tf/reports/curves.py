"""The loss curves: data for the plot on the page, and figures by Matplotlib for papers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.figure import Figure

from nst_tf.reports.axes import Layout
from nst_tf.reports.fonts import drawable
from nst_tf.reports.line_styles import SYMBOLS, LineStyle, line_styles, style_axes
from nst_tf.reports.reading import Run
from nst_tf.reports.study.bands import Band
from nst_tf.reports.table import is_summary
from nst_tf.runs.folder import METRICS_COUNTERS

MAX_POINTS, MIN_POINTS, ALL_POINTS = 1000, 40, 60_000
"""Most points of a curve, fewest points to which it is thinned, and points at which all curves together are thinned."""

DIGITS = 6
"""Significant digits of a value on the page."""

MARKED_POINTS = 8
"""Points of a curve with a symbol, if an axis decides on the symbol."""

MAX_LEGEND_ENTRIES = 24
"""Most curves that the legend names."""

MAX_NAME_LENGTH = 70
"""Most characters of a name in the legend."""

DPI = 160
"""Resolution of the PNG in dots per inch."""

MATPLOTLIB_SYMBOLS = dict(zip(SYMBOLS, "osD^PX*h", strict=True))
"""Matplotlib's marker for each of Plotly's symbols."""

MATPLOTLIB_DASHES: dict[str, Any] = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (8, 3))}
"""Matplotlib's line style for each of Plotly's dashes."""


def curve_data(runs: Sequence[Run], layout: Layout) -> list[dict[str, Any]]:
    """Return name and columns of each run with logged losses, for the page.

    The losses of single layers are left out; each run's `metrics.csv` has them.
    """
    most = _points_of_a_curve(runs)
    return [
        {"name": layout.run_name(number, run.label), "run": number, "columns": _columns(thin(run.metrics, most))}
        for number, run in enumerate(runs)
        if not run.metrics.empty
    ]


def band_data(bands: Sequence[Band], runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return name, runs, and the columns of means and standard deviations of each band, for the page."""
    most = _points_of_a_curve(runs)
    return [
        {"name": band.name, "runs": band.runs, "columns": _columns(thin(band.mean, most))}
        | {"deviations": _columns(thin(band.deviation, most))}
        for band in bands
    ]


def _points_of_a_curve(runs: Sequence[Run]) -> int:
    return max(MIN_POINTS, min(MAX_POINTS, ALL_POINTS // max(1, len(runs))))


def thin(metrics: pandas.DataFrame, most: int) -> pandas.DataFrame:
    """Return at most so many rows of a table, with the first and the last one.

    Half of them are evenly spaced, and half are spaced by a constant factor, because losses fall fast at the start.
    """
    count = len(metrics)
    if count <= most:
        return metrics
    rows = np.append(np.linspace(0, count - 1, most - most // 2), np.geomspace(1, count, most // 2) - 1)
    return metrics.iloc[np.unique(rows.round().astype(int))]


def _columns(metrics: pandas.DataFrame) -> dict[str, list[float | int | None]]:
    return {name: [short_number(value) for value in metrics[name].tolist()] for name in metrics if is_summary(name)}


def short_number(value: float) -> float | int | None:
    """Return a number with `DIGITS` significant digits, or None where it is not finite."""
    if not math.isfinite(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


def draw_losses(paths: Sequence[Path], runs: Sequence[Run], layout: Layout, bands: Sequence[Band] = ()) -> None:
    """Draw the total loss against evaluations and against seconds, on a logarithmic scale.

    Args:
        paths: The files to write, one for each format.
        runs: The runs.
        layout: The parameters that vary, which give names and line styles.
        bands: Groups of runs that are drawn as their mean, with a band of one standard deviation on each side.
    """
    grouped = {number for band in bands for number in band.runs}
    curves = _styled_curves(runs, layout, [number for number in range(len(runs)) if number not in grouped])
    curves += _mean_curves(bands, runs, layout)
    width = 8.5 + 0.06 * max((len(curve.name) for curve in curves), default=0)
    height = max(3.6, 0.19 * min(len(curves), MAX_LEGEND_ENTRIES) + 1)
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, column in zip(panels, ("evaluations", "seconds"), strict=True):
        for curve in curves:
            _draw_curve(axes, curve, column)
        for band, curve in zip(bands, curves[len(curves) - len(bands) :], strict=True):
            _draw_band(axes, band, column, curve.style)
        axes.set(xlabel=column)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("total loss")
    if any((line.get_ydata() > 0).any() for line in panels[0].get_lines()):
        panels[0].set_yscale("log")
    _draw_legend(figure, panels[0], len(curves))
    for path in paths:
        figure.savefig(path, dpi=DPI)


@dataclass(frozen=True)
class StyledCurve:
    """Curves of one style.

    Attributes:
        name: Name of the run, or the values that all runs of this style share.
        style: The style.
        metrics: Tables of the runs below each other, with a row of NaN between two of them, where the line has a gap.
        points: Number of points of the longest curve.
    """

    name: str
    style: LineStyle
    metrics: pandas.DataFrame
    points: int


def _styled_curves(runs: Sequence[Run], layout: Layout, numbers: Sequence[int]) -> list[StyledCurve]:
    """Return one curve for each run of these numbers, or for each style where the legend cannot name all runs."""
    logged = [number for number in numbers if not runs[number].metrics.empty]
    styles, most = line_styles(layout), _points_of_a_curve(runs)
    names = {number: layout.run_name(number, runs[number].label) for number in logged}
    if len(logged) > MAX_LEGEND_ENTRIES:
        styled = [layout.axes[axis] for axis in style_axes(layout).values()]
        names = {
            number: layout.describe({axis.name: layout.points[number][axis.name] for axis in styled})
            for number in logged
        }
    groups: dict[tuple[str, LineStyle], list[pandas.DataFrame]] = {}
    for number in logged:
        metrics = thin(runs[number].metrics[list(METRICS_COUNTERS)], most)
        groups.setdefault((shorten(names[number]), styles[number]), []).append(metrics)
    gap = pandas.DataFrame(np.nan, index=[0], columns=list(METRICS_COUNTERS))
    return [
        StyledCurve(
            name, style, pandas.concat([table for one in tables for table in (one, gap)][:-1]), max(map(len, tables))
        )
        for (name, style), tables in groups.items()
    ]


def _mean_curves(bands: Sequence[Band], runs: Sequence[Run], layout: Layout) -> list[StyledCurve]:
    """Return the mean of each band as a curve in the style of its first run."""
    styles, most = line_styles(layout), _points_of_a_curve(runs)
    means = [thin(band.mean, most) for band in bands]
    return [
        StyledCurve(shorten(band.name), styles[band.runs[0]], mean, len(mean))
        for band, mean in zip(bands, means, strict=True)
    ]


def _draw_band(axes: Any, band: Band, column: str, style: LineStyle) -> None:
    """Draw one standard deviation on each side of a mean, but no edge below a hundredth of it, for the log scale."""
    mean, deviation = thin(band.mean, MIN_POINTS), thin(band.deviation, MIN_POINTS).total
    low, high = (mean.total - deviation).clip(lower=mean.total / 100), mean.total + deviation
    axes.fill_between(mean[column], low, high, color=style.colour, alpha=0.2, linewidth=0)


def shorten(name: str) -> str:
    """Return a name that fonts can draw, cut to the length that fits the legend."""
    name = drawable(name)
    return name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1] + "…"


def _draw_curve(axes: Any, curve: StyledCurve, column: str) -> None:
    values = curve.metrics.total.where(np.isfinite(curve.metrics.total))
    axes.plot(
        curve.metrics[column],
        values,
        color=curve.style.colour,
        linestyle=MATPLOTLIB_DASHES[curve.style.dash],
        linewidth=0.8 * curve.style.width,
        marker=MATPLOTLIB_SYMBOLS.get(curve.style.symbol, "o" if values.notna().sum() == 1 else ""),
        markersize=4,
        markevery=max(1, curve.points // MARKED_POINTS),
        label=curve.name,
    )


def _draw_legend(figure: Figure, axes: Any, count: int) -> None:
    """Name the curves beside the panels, or say that there is none."""
    if not count:
        figure.suptitle("No run has logged its losses.", fontsize=10)
    elif count > 1:
        handles, names = axes.get_legend_handles_labels()
        figure.legend(
            handles[:MAX_LEGEND_ENTRIES],
            names[:MAX_LEGEND_ENTRIES],
            loc="outside right upper",
            fontsize=7,
            frameon=False,
            title=None if count <= MAX_LEGEND_ENTRIES else f"{MAX_LEGEND_ENTRIES} of {count} curves",
            title_fontsize=7,
        )
