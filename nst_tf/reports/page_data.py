"""Contents of the page: the data of the report, and the texts that the page shows for each run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas

from nst_tf.reports.axes import Layout
from nst_tf.reports.choosing import BEST, FRONT, TOTAL, Choice
from nst_tf.reports.comparison import FigureComparison
from nst_tf.reports.pictures import Input, PictureCopy, RunPictures
from nst_tf.reports.reading import Run
from nst_tf.reports.study.view import StudyView
from nst_tf.reports.table import Column, Table, heading

MARKS_IN_WORDS = {BEST: "the best run", FRONT: "on the Pareto front", "": ""}
"""Marks of the chosen runs in words, for descriptions."""


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
    """Everything that the page shows. The lists of runs and pictures have one item per run.

    Attributes:
        title: Title of the page.
        runs: The runs.
        layout: The parameters that vary, and the arrangement of the pictures.
        table: The table of the runs.
        choice: The best run, or the runs on a front.
        pictures: The pictures of each run.
        inputs: Input pictures that all runs share.
        curves: Loss curves of the runs that logged their losses.
        comparisons: Figures that papers print, compared with the runs.
        step_pictures: Pictures that belong to these figures.
        bands: Means and deviations of the loss curves over seeds, from `nst_tf.reports.curves.band_data`.
        study: Statistics over seeds and pairs; None where there is nothing to average.
    """

    title: str
    runs: Sequence[Run]
    layout: Layout
    table: Table
    choice: Choice
    pictures: Sequence[RunPictures]
    inputs: Sequence[Input]
    curves: Sequence[dict[str, Any]]
    comparisons: Sequence[FigureComparison]
    step_pictures: Sequence[StepPicture]
    bands: Sequence[dict[str, Any]] = ()
    study: StudyView | None = None


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
        mark: ``best``, ``front``, or empty.
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
    mark: str
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
    mark = data.choice.mark_of(number)
    caption = _caption(data.table, data.choice.criterion, cells)
    status = ", ".join(filter(None, (run.status, MARKS_IN_WORDS[mark])))
    return RunView(
        number=number,
        label=run.label,
        status=run.status,
        reason=str(run.record.get("reason") or ""),
        mark=mark,
        succeeded=run.succeeded,
        name=name,
        alt="Picture of " + "; ".join(dict.fromkeys(filter(None, (f"run {run.label}", name, status, caption)))),
        caption=caption,
        picture=data.pictures[number].result,
        command=None if pandas.isna(command) else command,
        cells=cells,
    )


def _table_rows(table: Table) -> list[list[Cell]]:
    columns = [_column_cells(table, column) for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _column_cells(table: Table, column: Column) -> list[Cell]:
    values = table.frame[column.name]
    best_rows, is_number = table.best_rows(column), bool(pandas.api.types.is_numeric_dtype(values))
    return [
        Cell(text, "" if pandas.isna(value) else str(value), is_number, row in best_rows)
        for row, (text, value) in enumerate(zip(table.texts(column), values, strict=True))
    ]


def _caption(table: Table, criterion: Column | None, cells: Sequence[Cell]) -> str:
    """Return the run's value of the criterion, or its total loss where there is no criterion."""
    name = TOTAL if criterion is None else criterion.name
    shown = (pair for pair in zip(table.columns, cells, strict=True) if pair[0].name == name)
    return next((f"{heading(column)} {cell.text}" for column, cell in shown if cell.text), "")
