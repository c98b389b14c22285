"""The loss curves: data for the plot on the page, and figures by Matplotlib for papers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.figure import Figure

from nst_tf.reports.axes import Layout
from nst_tf.reports.line_styles import LineStyle, line_styles
from nst_tf.reports.reading import Run
from nst_tf.reports.table import is_summary

MAX_POINTS = 1000
"""Most points of a curve on the page. Longer curves are thinned evenly; the first and last points are kept."""

MAX_LEGEND_ENTRIES = 24
"""Most curves that the legend names."""

MAX_NAME_LENGTH = 70
"""Most characters of a name in the legend."""

DPI = 160
"""Resolution of the PNG in dots per inch."""

MATPLOTLIB_DASHES: dict[str, Any] = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (8, 3))}
"""Matplotlib's line style for each of Plotly's dashes."""


def curve_data(runs: Sequence[Run], layout: Layout) -> list[dict[str, Any]]:
    """Return name, line style and columns of each run with logged losses, for the page.

    The losses of single layers are left out; each run's `metrics.csv` has them.
    """
    return [
        {"name": layout.run_name(number, run.label), "run": number, "colour": style.colour, "dash": style.dash}
        | {"columns": _columns(run.metrics)}
        for number, (run, style) in enumerate(zip(runs, line_styles(layout), strict=True))
        if not run.metrics.empty
    ]


def _columns(metrics: pandas.DataFrame) -> dict[str, list[float | None]]:
    rows = np.unique(np.linspace(0, len(metrics) - 1, min(len(metrics), MAX_POINTS)).round().astype(int))
    thinned = metrics.iloc[rows]
    return {name: [_finite_or_none(value) for value in thinned[name]] for name in thinned if is_summary(name)}


def _finite_or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def draw_losses(paths: Sequence[Path], runs: Sequence[Run], layout: Layout) -> None:
    """Draw the total loss against evaluations and against seconds, on a logarithmic scale.

    Args:
        paths: The files to write, one for each format.
        runs: The runs.
        layout: The parameters that vary, which give names and line styles.
    """
    curves = [
        (run.metrics, shorten(layout.run_name(number, run.label)), style)
        for number, (run, style) in enumerate(zip(runs, line_styles(layout), strict=True))
        if not run.metrics.empty
    ]
    width = 8.5 + 0.06 * max((len(name) for _, name, _ in curves), default=0)
    height = max(3.6, 0.19 * min(len(curves), MAX_LEGEND_ENTRIES) + 1)
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, column in zip(panels, ("evaluations", "seconds"), strict=True):
        for metrics, name, style in curves:
            _draw_curve(axes, metrics, column, style, name)
        axes.set(xlabel=column)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("total loss")
    if any((line.get_ydata() > 0).any() for line in panels[0].get_lines()):
        panels[0].set_yscale("log")
    _draw_legend(figure, panels[0], len(curves))
    for path in paths:
        figure.savefig(path, dpi=DPI)


def shorten(name: str) -> str:
    """Cut a name to the length that fits the legend."""
    return name if len(name) <= MAX_NAME_LENGTH else name[: MAX_NAME_LENGTH - 1] + "…"


def _draw_curve(axes: Any, metrics: pandas.DataFrame, column: str, style: LineStyle, name: str) -> None:
    values = metrics.total.where(np.isfinite(metrics.total))
    marker = "o" if values.notna().sum() == 1 else None
    dashes = MATPLOTLIB_DASHES[style.dash]
    axes.plot(metrics[column], values, color=style.colour, ls=dashes, lw=1.4, marker=marker, label=name)


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
            title=None if count <= MAX_LEGEND_ENTRIES else f"{MAX_LEGEND_ENTRIES} of {count} runs",
            title_fontsize=7,
        )
