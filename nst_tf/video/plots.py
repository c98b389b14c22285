"""Plots of the measures of films over their frames."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKER = "."
"""Marker of a frame."""


def film_plot(table: pandas.DataFrame, short: int, long: int) -> bytes:
    """Return a PNG of the temporal errors of one film and of its source.

    Args:
        table: The table of `frames.csv`.
        short: Distance in frames of the short-term error.
        long: Distance in frames of the long-term error.
    """
    from matplotlib.figure import Figure  # takes half a second to import

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    for name, label, style in (
        ("error_short", f"result, {short} frame apart", "C0-"),
        ("error_long", f"result, {long} frames apart", "C1-"),
        ("source_short", f"source, {short} frame apart", "C0:"),
        ("source_long", f"source, {long} frames apart", "C1:"),
    ):
        if table[name].notna().any():
            axes.plot(table["frame"], table[name], style, marker=MARKER, label=label)
    axes.set(xlabel="frame", ylabel="temporal error", ylim=(0, None))
    if axes.lines:
        axes.legend(fontsize="small")
    return _png(figure)


def comparison_plot(
    films: Mapping[str, pandas.DataFrame], sources: Mapping[str, pandas.DataFrame], columns: Mapping[str, str]
) -> bytes:
    """Return a PNG with a row for each measure and a line for each film.

    Args:
        films: The tables of `frames.csv`, by the names of the films.
        sources: Tables of the sources, which are dotted.
        columns: Labels of the measures by their columns. A measure that no film has is left out.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    from nst_tf.reports.fonts import drawable, figure_fonts
    from nst_tf.reports.line_styles import COLOURS

    styles = [{"color": COLOURS[number % len(COLOURS)]} for number in range(len(films))]
    styles += [{"color": "0.4", "linestyle": ":"} for _ in sources]
    tables = [*films.values(), *sources.values()]
    names = [drawable(name).replace("$", r"\$") for name in (*films, *sources)]
    present = [name for name in columns if any(_has(table, name) for table in tables)] or ["error_short"]
    with figure_fonts():
        figure = Figure(figsize=(9, 0.6 + 2.6 * len(present)), layout="constrained")
        rows = figure.subplots(len(present), sharex=True, squeeze=False)[:, 0]
        for axes, name in zip(rows, present, strict=True):
            for table, style in zip(tables, styles, strict=True):
                values = table[name] if _has(table, name) else pandas.Series(float("nan"), table.index)
                axes.plot(table["frame"], values, marker=MARKER, **style)
            axes.set(ylabel=columns[name], ylim=(0, None))
        rows[-1].set(xlabel="frame")
        rows[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(rows[0].lines, names, loc="outside upper center", ncols=3, fontsize="small")
        return _png(figure)


def _has(table: pandas.DataFrame, name: str) -> bool:
    """Return whether a table has a number in a column."""
    return name in table and bool(table[name].notna().any())


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
