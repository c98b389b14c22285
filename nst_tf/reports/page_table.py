"""The table on the page: its columns, their groups, and the columns that are folded away because all runs are equal."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pandas

from nst_tf.reports.table import Column, Table, heading

GROUP_WORDS = {"Judged": "judged", "Losses, weighted": "weighted", "Losses, raw": "raw"}
"""Words that tell columns with the same heading apart, by group."""


@dataclass(frozen=True)
class PageColumn:
    """A column of the table on the page.

    Attributes:
        heading: Its heading.
        classes: Its classes in the style sheet: ``number``, ``first`` for the first one of its group, ``folded``.
    """

    heading: str
    classes: str


@dataclass(frozen=True)
class ColumnGroup:
    """A heading over several columns.

    Attributes:
        name: The heading.
        shown: Number of columns that are not folded away.
        all: Number of all columns.
    """

    name: str
    shown: int
    all: int


def page_columns(table: Table) -> list[PageColumn]:
    """Return the columns of the table with their headings and classes."""
    return [
        PageColumn(heading(column), " ".join(_classes(table, column, number)))
        for number, column in enumerate(table.columns)
    ]


def _classes(table: Table, column: Column, number: int) -> Iterator[str]:
    if pandas.api.types.is_numeric_dtype(table.frame[column.name]):
        yield "number"
    group = [other for other in table.columns if other.group == column.group]
    if number and column == next((other for other in group if not is_folded(table, other)), group[0]):
        yield "first"
    if is_folded(table, column):
        yield "folded"


def is_folded(table: Table, column: Column) -> bool:
    """Return whether a column is folded away: it has the same value in all of several runs."""
    return column.name != "run" and table.is_equal(column)


def folded_columns(table: Table) -> list[tuple[str, str]]:
    """Return name and value of each column that is folded away."""
    return [(full_name(table, column), table.texts(column)[0]) for column in table.columns if is_folded(table, column)]


def full_name(table: Table, column: Column) -> str:
    """Return the heading of a column, with its group where another column has the same heading: ``raw style``."""
    counts = Counter(map(heading, table.columns))
    name = heading(column)
    return name if counts[name] == 1 else f"{GROUP_WORDS.get(column.group, column.group)} {name}"


def column_groups(table: Table) -> list[ColumnGroup]:
    """Return the headings of the groups with the numbers of their columns."""
    shown = Counter(column.group for column in table.columns if not is_folded(table, column))
    spans = Counter(column.group for column in table.columns)
    return [ColumnGroup(group_name(table, group), shown[group], span) for group, span in spans.items()]


def group_name(table: Table, group: str) -> str:
    """Return the heading of a group; that of the scores names the judge."""
    return f"Judged by {table.judge}" if group == "Judged" and table.judge else group
