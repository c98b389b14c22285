"""The choice between runs: the best run by one column, or the Pareto front of two."""

import math
from dataclasses import dataclass, replace

import pandas

from nst_tf.reports.table import Column, Table, heading
from nst_tf.util.errors import InputError

JUDGED_PAIR, RAW_PAIR = ("judged/content", "judged/style_ratio"), ("raw/content", "raw/style")
"""Columns of content and style whose front is shown: the judge's scores, or the losses without their weights."""

TOTAL = "loss/total"
"""Column of the total loss, which decides between runs with one objective if they were not judged."""

BEST, FRONT = "best", "front"
"""Marks of the chosen runs: the one best run, or the runs on a front."""


@dataclass(frozen=True)
class Limit:
    """A bound that a run has to keep.

    Attributes:
        column: The column.
        value: The bound, which is allowed itself.
        relation: ``at most`` or ``at least``.
    """

    column: Column
    value: float
    relation: str

    def rows(self, frame: pandas.DataFrame) -> pandas.Series:
        """Return for each row whether it keeps the bound. A missing number does not."""
        numbers = frame[self.column.name].astype("float64")
        return numbers <= self.value if self.relation == "at most" else numbers >= self.value

    def __str__(self) -> str:
        """Return the bound in words."""
        return f"{heading(self.column)} of {self.relation} {self.value:g}"


@dataclass(frozen=True)
class Choice:
    """The runs that a report marks.

    Attributes:
        columns: One column that decides on the best run, two columns of a front, or none where runs are not comparable.
        rows: Rows of the chosen runs; those of a front in the order of its first column.
        limit: A bound that the best run keeps; None for none.
    """

    columns: tuple[Column, ...] = ()
    rows: tuple[int, ...] = ()
    limit: Limit | None = None

    @property
    def mark(self) -> str:
        """The mark of the chosen runs: `FRONT` for several, `BEST` for one."""
        return FRONT if len(self.rows) > 1 else BEST

    @property
    def criterion(self) -> Column | None:
        """The column whose value stands below each picture: the one that decides, or the second one of a front."""
        return self.columns[-1] if self.columns else None

    def mark_of(self, row: int) -> str:
        """Return the mark of a run; empty for a run that is not chosen."""
        return self.mark if row in self.rows else ""

    def sentences(self, table: Table) -> str:
        """Return what the marks say, for readers; empty where runs are not comparable."""
        if not self.columns:
            return ""
        judge = f", judged by {table.judge}" if table.judge and self.columns[-1].group == "Judged" else ""
        names = " and ".join(map(heading, self.columns))
        ends = " and ".join(f"the {column.better} {heading(column)}" for column in self.columns)
        if self.limit is not None:
            return (
                f"The best run has {ends} of the runs with a {self.limit}{judge}."
                if self.rows
                else f"No run has a {self.limit}, so none is marked as the best."
            )
        if len(self.rows) == 1:
            return f"The best run has {ends}{judge}."
        if not self.rows:
            return f"No run is marked as the best, because the runs are equal in {names}."
        return (
            f"{len(self.rows)} of {len(table.frame)} runs are on the Pareto front of {names}{judge}: "
            "no other run is better in one of them without being worse in the other."
        )


def choose(table: Table, best: str | None = None, at_most: str | None = None, at_least: str | None = None) -> Choice:
    """Choose the best run, or the runs on the front of content and style.

    Without arguments, the choice is the Pareto front of the judge's content and style ratio where one judge gave all
    scores; else the lowest total where all runs have one objective; else the front of the raw losses of content and
    style where only weights of the objective differ.

    Args:
        table: The table of the runs.
        best: Column that decides on the best run. The lowest value is best, except for SSIM, where it is the highest.
            Default with a limit: the judged style ratio, the total or the raw style loss.
        at_most: Largest value of a column that the best run may have, as ``COLUMN=NUMBER``.
        at_least: Smallest value of a column that the best run may have, as ``COLUMN=NUMBER``.

    Raises:
        InputError: The table has no such column of numbers, or the limit is no number.
    """
    limit = _limit(table, at_most, at_least)
    columns = _default_columns(table) if best is None else (_number_column(table, "--best", best),)
    if limit is not None:
        if not columns:
            raise InputError("The runs are not comparable by default. With a limit, add --best COLUMN.")
        columns = columns[-1:]
    if len(columns) == 2:
        return Choice(columns, front_rows(table, *columns))
    return Choice(columns, _best_rows(table, columns[0], limit) if columns else (), limit)


def front_rows(table: Table, first: Column, second: Column) -> tuple[int, ...]:
    """Return the rows of the Pareto front among successful runs, in the order of the first column, best first.

    A run is on the front if no other run is at least as good in both columns and better in one of them. There is no
    front where all runs are equal in both columns, or where a column has no best end.
    """
    values = table.succeeded[[first.name, second.name]].astype("float64").dropna()
    if first.better is None or second.better is None or not (values.nunique() > 1).any():
        return ()
    return pareto_front(values * [1 if column.better == "lowest" else -1 for column in (first, second)])


def pareto_front(costs: pandas.DataFrame) -> tuple[int, ...]:
    """Return the rows to which no other row is better in one of two columns and at least equal in the other.

    Args:
        costs: Two columns of numbers, of which the lower is better.

    Returns:
        Index of the rows, sorted by the first column and then the second.
    """
    first, second = costs.columns
    ordered = costs.sort_values([first, second], kind="stable")
    rows: list[int] = []
    lowest = math.inf
    for _, equals in ordered.groupby(first, sort=False)[second]:
        if equals.min() < lowest:
            lowest = equals.min()
            rows.extend(equals.index[equals == lowest])
    return tuple(rows)


def _best_rows(table: Table, column: Column, limit: Limit | None) -> tuple[int, ...]:
    """Return the first row with the best value; none where all values are equal, or where no run keeps the limit."""
    if limit is None:
        return tuple(sorted(table.best_rows(column))[:1])
    values = table.succeeded[column.name].astype("float64")[limit.rows(table.succeeded)].dropna()
    if values.empty:
        return ()
    return (int(values.idxmin() if column.better == "lowest" else values.idxmax()),)


def _default_columns(table: Table) -> tuple[Column, ...]:
    """Return the columns of the default choice, in which the runs are comparable."""
    named = {column.name: column for column in table.columns if column.better is not None}
    for names in (JUDGED_PAIR, JUDGED_PAIR[1:], (TOTAL,), RAW_PAIR):
        if all(name in named for name in names):
            return tuple(named[name] for name in names)
    return ()


def _limit(table: Table, at_most: str | None, at_least: str | None) -> Limit | None:
    limits = {"--at-most": at_most, "--at-least": at_least}
    given = {option: text for option, text in limits.items() if text is not None}
    if len(given) == 2:
        raise InputError("--at-most and --at-least were both given. Give one of them.")
    for option, text in given.items():
        name, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not name or not math.isfinite(value):
            raise InputError(f"{option} {text!r}: must be COLUMN=NUMBER, for example judged/content=0.9")
        return Limit(_number_column(table, option, name), value, option.strip("-").replace("-", " "))
    return None


def _number_column(table: Table, option: str, name: str) -> Column:
    """Return a column of numbers, whose lowest value is best unless it has another best end."""
    column = next((column for column in table.number_columns if column.name == name), None)
    if column is None:
        available = ", ".join(column.name for column in table.number_columns)
        raise InputError(f"Unknown column {option} {name!r}; available: {available}")
    return replace(column, better=column.better or "lowest")
