"""Data of the plots on the page: the styles of the runs, and the measures between which the reader chooses."""

from typing import Any

from nst_tf.reports.choosing import JUDGED_PAIR, RAW_PAIR, TOTAL
from nst_tf.reports.curves import short_number
from nst_tf.reports.line_styles import style_data
from nst_tf.reports.page_data import PageData
from nst_tf.reports.page_table import full_name, group_name
from nst_tf.reports.table import Table, numbers_of

PAIRS = (JUDGED_PAIR, RAW_PAIR, ("seconds", TOTAL))
"""Pairs of columns that the trade-off shows at first; the first one that the table has."""


def plot_data(data: PageData) -> dict[str, Any]:
    """Return what the scripts of the plots read.

    Returns:
        ``styles``, see `nst_tf.reports.line_styles.style_data`; ``succeeded``, one truth value per run; ``measures``
        with name, group, best end and one number per run; and ``tradeoff``, the indices of the two measures that are
        shown at first.
    """
    measures = _measures(data.table)
    return {
        "styles": style_data(data.layout),
        "succeeded": [run.succeeded for run in data.runs],
        "measures": measures,
        "tradeoff": _first_pair(data, [measure["column"] for measure in measures]),
    }


def _measures(table: Table) -> list[dict[str, Any]]:
    """Return the columns of numbers that differ between the runs, parameters last."""
    columns = sorted(table.columns, key=lambda column: column.group == "Parameters")
    measures = []
    for column in columns:
        values = numbers_of(table.frame[column.name])
        if values is not None and not table.is_equal(column):
            measures.append(
                {
                    "column": column.name,
                    "name": full_name(table, column),
                    "group": group_name(table, column.group),
                    "better": column.better,
                    "values": [short_number(value) for value in values],
                }
            )
    return measures


def _first_pair(data: PageData, names: list[str]) -> list[int]:
    chosen = tuple(column.name for column in data.choice.columns)
    for pair in (chosen, *PAIRS, tuple(names[:2])):
        if len(pair) == 2 and all(name in names for name in pair):
            return [names.index(name) for name in pair]
    return []
