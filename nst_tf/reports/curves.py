"""The losses on their way: numbers for the page, and a figure by Matplotlib for papers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.figure import Figure

from nst_tf.reports.axes import Sheet
from nst_tf.reports.line_styles import LineStyle, line_styles
from nst_tf.reports.reading import Run

MOST_ROWS = 1000
"""Points of a curve on the page; a longer one is thinned evenly, its ends kept."""

MOST_NAMED = 24
"""Curves that a legend can name."""

LINES: dict[str, Any] = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (8, 3))}


def curves(runs: Sequence[Run], sheet: Sheet) -> list[dict[str, Any]]:
    """What the page draws: name, look and columns of each run that logged its losses.

    Single layers are left out; each run's `metrics.csv` has them.
    """
    return [
        {"name": sheet.name(number, run.label), "run": number, "colour": style.colour, "dash": style.dash}
        | {"columns": _columns(run.metrics)}
        for number, (run, style) in enumerate(zip(runs, line_styles(sheet), strict=True))
        if not run.metrics.empty
    ]


def _columns(metrics: pandas.DataFrame) -> dict[str, list[float | None]]:
    rows = np.unique(np.linspace(0, len(metrics) - 1, min(len(metrics), MOST_ROWS)).round().astype(int))
    thinned = metrics.iloc[rows]
    shown = [name for name in thinned if "/" not in name or name.endswith("/raw")]
    return {name: [_finite(value) for value in thinned[name]] for name in shown}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def draw_losses(paths: Sequence[Path], runs: Sequence[Run], sheet: Sheet) -> None:
    """Draw the total loss per evaluation and per second, on a logarithmic scale.

    Args:
        paths: Files to write, one a format.
        runs: Whose losses.
        sheet: Their settings.
    """
    drawn = [
        (run, shorten(sheet.name(number, run.label)), style)
        for number, (run, style) in enumerate(zip(runs, line_styles(sheet), strict=True))
        if not run.metrics.empty
    ]
    width = 8.5 + 0.06 * max((len(name) for _, name, _ in drawn), default=0)
    height = max(3.6, 0.19 * min(len(drawn), MOST_NAMED) + 1)
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, column in zip(panels, ("evaluations", "seconds"), strict=True):
        for run, name, style in drawn:
            _draw(axes, run.metrics, column, style, name)
        axes.set(xlabel=column)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("total loss")
    _finish(figure, panels[0], len(drawn))
    for path in paths:
        figure.savefig(path, dpi=160)


def shorten(name: str, letters: int = 70) -> str:
    """A name that fits a legend."""
    return name if len(name) <= letters else name[: letters - 1] + "…"


def _draw(axes: Any, metrics: pandas.DataFrame, column: str, style: LineStyle, name: str) -> None:
    values = metrics.total.where(np.isfinite(metrics.total))
    marker = "o" if values.notna().sum() == 1 else None
    axes.plot(metrics[column], values, color=style.colour, ls=LINES[style.dash], lw=1.4, marker=marker, label=name)


def _finish(figure: Figure, axes: Any, drawn: int) -> None:
    if any((line.get_ydata() > 0).any() for line in axes.get_lines()):
        axes.set_yscale("log")
    handles, names = axes.get_legend_handles_labels()
    if not drawn:
        figure.suptitle("No run has logged its losses.", fontsize=10)
    elif drawn > 1:
        title = None if drawn <= MOST_NAMED else f"{MOST_NAMED} of {drawn} runs"
        figure.legend(
            handles[:MOST_NAMED],
            names[:MOST_NAMED],
            loc="outside right upper",
            fontsize=7,
            frameon=False,
            title=title,
            title_fontsize=7,
        )
