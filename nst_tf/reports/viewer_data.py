"""Data of the pictures on the page: the parameters of each run, its files, its figures and its settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from nst_tf.reports.page_data import MARKS_IN_WORDS, PageData, RunView
from nst_tf.reports.short_names import short_names
from nst_tf.reports.table import heading

MISSING = -1
"""Index of a setting that a run does not have."""


def viewer_data(views: Sequence[RunView], data: PageData) -> dict[str, Any]:
    """Return what the scripts of the pictures read.

    Each text that many runs share is stored once: values of axes and settings as lists, to which a run has an index.

    Returns:
        ``axes`` with title and values; ``layout`` with the indices of the axes of rows and columns; ``columns`` with
        group and heading of each figure; ``settings`` that vary, as key, values and one index per run; and ``runs``.
    """
    layout = data.layout
    axes = {axis.name for axis in layout.axes}
    columns = [
        (index, column)
        for index, column in enumerate(data.table.columns)
        if column.group != "Run" and column.name not in axes
    ]
    names = short_names({one.source: None for pictures in data.pictures for one in pictures.styles})
    return {
        "axes": [{"title": axis.title, "values": [axis.names[value] for value in axis.values]} for axis in layout.axes],
        "layout": [layout.axes.index(axis) for axis in (layout.rows, layout.columns) if axis is not None],
        "columns": [(column.group, heading(column)) for _, column in columns],
        "settings": _varied_settings(data),
        "runs": [_run_data(view, data, [index for index, _ in columns], names) for view in views],
    }


def _run_data(view: RunView, data: PageData, columns: Sequence[int], names: Mapping[str, str]) -> dict[str, Any]:
    pictures, point = data.pictures[view.number], data.layout.points[view.number]
    result = pictures.result
    return {
        "label": view.label,
        "name": view.name,
        "status": view.status + (f": {view.reason}" if view.reason else ""),
        "mark": MARKS_IN_WORDS[view.mark],
        "alt": view.alt,
        "file": result and result.file,
        "thumbnail": result and result.thumbnail,
        "width": result and result.width,
        "height": result and result.height,
        "content": pictures.content,
        "styles": [(one.role, names[one.source], one.picture.file) for one in pictures.styles if one.picture],
        "film": pictures.film,
        "point": [axis.values.index(point[axis.name]) for axis in data.layout.axes],
        "figures": [view.cells[index].text for index in columns],
        "command": view.command,
    }


def _varied_settings(data: PageData) -> list[tuple[str, list[str], list[int]]]:
    """Return key, values and one index per run of each setting that differs between two runs.

    The axes come first. A group of settings that was typed (``optimizer=adam``) is an axis, but no setting of the
    resolved config.
    """
    resolved = [run.settings for run in data.runs]
    keys = dict.fromkeys(axis.name for axis in data.layout.axes) | dict.fromkeys(sorted(set().union(*resolved)))
    groups = {key for key in keys if not any(key in settings for settings in resolved)}
    varied = []
    for key in keys:
        texts = [
            (points if key in groups else settings).get(key)
            for points, settings in zip(data.layout.points, resolved, strict=True)
        ]
        values = [text for text in dict.fromkeys(texts) if text is not None]
        if len(set(texts)) > 1:
            places = {value: place for place, value in enumerate(values)}
            varied.append((key, values, [MISSING if text is None else places[text] for text in texts]))
    return varied
