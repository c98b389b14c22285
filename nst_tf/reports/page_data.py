"""Contents of the page: the data of the report, and the texts that the page shows for each run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas

from nst_tf.reports.axes import Layout
from nst_tf.reports.comparison import FigureComparison
from nst_tf.reports.pictures import Input, PictureCopy
from nst_tf.reports.reading import Run
from nst_tf.reports.table import NUMERIC_GROUPS, Column, Table, formatter

HEADINGS = {"peak_memory_mb": "memory, MB", "steps_taken": "steps"}
"""Headings of columns that have another name in ``table.csv``."""


@dataclass(frozen=True)
class StepPicture:
    """The picture of a run after the step to which a paper's figures belong.

    Attributes:
        run: Index of the run.
        step: The optimiser's step.
        picture: The copy in the report.
    """

    run: int
    step: int
    picture: PictureCopy


@dataclass(frozen=True)
class PageData:
    """Everything that the page shows. The lists of runs, pictures and contents have one item per run.

    Attributes:
        title: Title of the page.
        runs: The runs.
        layout: The parameters that vary, and the arrangement of the pictures.
        table: The table of the runs.
        pictures: The results; None for a run without a picture.
        contents: Files with the photographs, relative to the page; None where a photograph is missing.
        inputs: Input pictures that all runs share.
        curves: Loss curves of the runs that logged their losses.
        comparisons: Figures that papers print, compared with the runs.
        step_pictures: Pictures that belong to these figures.
    """

    title: str
    runs: Sequence[Run]
    layout: Layout
    table: Table
    pictures: Sequence[PictureCopy | None]
    contents: Sequence[str | None]
    inputs: Sequence[Input]
    curves: Sequence[dict[str, Any]]
    comparisons: Sequence[FigureComparison]
    step_pictures: Sequence[StepPicture]


@dataclass(frozen=True)
class Cell:
    """A value in the table of the page.

    Attributes:
        text: The value as text.
        sort_key: The text by which the table sorts, with all digits.
        is_number: Whether the column holds numbers.
        is_best: Whether the value is the best of its column.
    """

    text: str
    sort_key: str
    is_number: bool
    is_best: bool


@dataclass(frozen=True)
class RunView:
    """A run as the page shows it.

    Attributes:
        number: Index of the run in all lists.
        label: Short unique name.
        status: How the run ended.
        reason: Why it ended.
        best: Whether it is the best run.
        succeeded: Whether it completed or converged.
        name: Its settings, or its label where no parameter varies or too many do.
        alt: Description of its picture.
        caption: The number below its picture, with a heading.
        picture: Its picture; None where there is none.
        command: The command that repeats it; None for a run started from Python.
        cells: Its row of the table.
    """

    number: int
    label: str
    status: str
    reason: str
    best: bool
    succeeded: bool
    name: str
    alt: str
    caption: str
    picture: PictureCopy | None
    command: str | None
    cells: Sequence[Cell]


def build_views(data: PageData) -> list[RunView]:
    """Return what the page shows of each run."""
    rows = _table_rows(data.table)
    return [_build_view(number, run, data, rows[number]) for number, run in enumerate(data.runs)]


def _build_view(number: int, run: Run, data: PageData, cells: Sequence[Cell]) -> RunView:
    command = data.table.frame.command[number]
    name = data.layout.run_name(number, run.label)
    best = number == data.table.best
    caption = _caption(data.table, number)
    status = run.status + (", the best run" if best else "")
    return RunView(
        number=number,
        label=run.label,
        status=run.status,
        reason=str(run.record.get("reason") or ""),
        best=best,
        succeeded=run.succeeded,
        name=name,
        alt="Picture of " + "; ".join(dict.fromkeys(filter(None, (f"run {run.label}", name, status, caption)))),
        caption=caption,
        picture=data.pictures[number],
        command=None if pandas.isna(command) else command,
        cells=cells,
    )


def _table_rows(table: Table) -> list[list[Cell]]:
    columns = [_column_cells(table, column) for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _column_cells(table: Table, column: Column) -> list[Cell]:
    values = table.frame[column.name]
    write, best_rows = formatter(values), table.best_rows(column)
    is_number = bool(pandas.api.types.is_numeric_dtype(values))
    return [
        Cell(write(value), "" if pandas.isna(value) else str(value), is_number, row in best_rows)
        for row, value in values.items()
    ]


def _caption(table: Table, number: int) -> str:
    """Return the run's value of the criterion, or its total loss where there is no criterion."""
    name = "loss/total" if table.criterion is None else table.criterion.name
    column = next((column for column in table.columns if column.name == name), None)
    if column is None or pandas.isna(table.frame[name][number]):
        return ""
    return f"{heading(column)} {formatter(table.frame[name])(table.frame[name][number])}"


def heading(column: Column) -> str:
    """Return the heading of a column: ``style`` for ``judged/style``, because the group has its own heading."""
    name = column.name.partition("/")[2] if column.group in NUMERIC_GROUPS[:-1] else column.name
    return HEADINGS.get(name, name).replace("_", " " if column.group in NUMERIC_GROUPS else "_")


def viewer_data(view: RunView, data: PageData) -> dict[str, Any]:
    """Return the data of a run for the dialog that shows its picture in full size."""
    picture = view.picture
    facts: dict[str, list[tuple[str, str]]] = {}
    for column, cell in zip(data.table.columns, view.cells, strict=True):
        if column.group != "Run" and cell.text:
            facts.setdefault(column.group, []).append((heading(column), cell.text))
    return {
        "label": view.label,
        "name": view.name,
        "status": view.status + (f": {view.reason}" if view.reason else ""),
        "best": view.best,
        "alt": view.alt,
        "file": picture and picture.file,
        "width": picture and picture.width,
        "height": picture and picture.height,
        "content": data.contents[view.number],
        "facts": list(facts.items()),
        "command": view.command,
    }
