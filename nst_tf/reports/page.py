"""The page: runs, table, pictures and curves in one HTML file that asks nothing of a network."""

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from nst_tf._version import __version__
from nst_tf.reports.axes import Sheet, short, split_override
from nst_tf.reports.comparison import FigureComparison, figure_text
from nst_tf.reports.pictures import Input, Shown
from nst_tf.reports.reading import Run
from nst_tf.reports.table import NUMBERS, Column, Table, formatter
from nst_tf.util.files import write_text

PARTS = Path(__file__).parent / "page"
SCRIPTS = ("theme.js", "table.js", "commands.js", "viewer.js", "curves.js")

HEADINGS = {"peak_memory_mb": "memory, MB", "steps_taken": "steps"}
"""Columns whose name in the CSV is not what a reader is shown."""


@dataclass(frozen=True)
class PageData:
    """What the page is made of; lists have one entry a run.

    Attributes:
        title: The page's.
        runs: All of them.
        sheet: Their parameters and layout.
        table: Their numbers.
        pictures: Their pictures.
        contents: Their photographs, as files beside the page.
        inputs: What all were given alike.
        curves: Their losses on the way.
        besides: Figures of papers and theirs; one a figure and run.
        early: Run, step and picture, at the steps that those figures speak of.
    """

    title: str
    runs: Sequence[Run]
    sheet: Sheet
    table: Table
    pictures: Sequence[Shown | None]
    contents: Sequence[str | None]
    inputs: Sequence[Input]
    curves: Sequence[dict[str, Any]]
    comparisons: Sequence[FigureComparison]
    early: Sequence[tuple[int, int, Shown]]


@dataclass(frozen=True)
class Cell:
    """One value of the table: as text, as what it sorts by, and whether it is the best of its column."""

    text: str
    key: str
    number: bool
    marked: bool


@dataclass(frozen=True)
class RunView:
    """One run, ready to be shown.

    Attributes:
        number: Its place in every list.
        label: What tells it from all others.
        status: How it ended.
        reason: Why.
        best: Whether it is the best run.
        stands: Whether it came to a good end.
        name: Its settings in a line; its label where none varies, or too many.
        alt: What its picture is, in words.
        line: The figure below its picture.
        picture: Its picture.
        command: What makes it again.
        cells: Its row of the table.
    """

    number: int
    label: str
    status: str
    reason: str
    best: bool
    stands: bool
    name: str
    alt: str
    line: str
    picture: Shown | None
    command: str | None
    cells: Sequence[Cell]


def write_page(path: Path, data: PageData) -> Path:
    """Write the page.

    Args:
        path: An HTML file; the pictures lie beside it.
        data: What it shows.

    Returns:
        The path.
    """
    entries = _entries(data)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PARTS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"short": short, "breakable": _breakable, "figure": figure_text}
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # curves and facts keep their order
    text = environment.get_template("index.html.jinja").render(
        title=data.title,
        sheet=data.sheet,
        entries=entries,
        inputs=data.inputs,
        table=data.table,
        groups=_groups(data.table),
        columns=[(column, _heading(column)) for column in data.table.columns],
        criterion=data.table.criterion and _heading(data.table.criterion),
        comparisons=data.comparisons,
        early=data.early,
        summary=_summary(data.runs),
        common=_common(data.runs),
        made=f"nst_tf {__version__}, {datetime.datetime.now(datetime.UTC):%d %B %Y, %H:%M} UTC",
        data={"runs": [_viewed(entry, data) for entry in entries], "curves": data.curves},
        style=_part("report.css"),
        scripts=Markup("\n").join(_part(name) for name in SCRIPTS),
        plotly=Markup(get_plotlyjs()),
    )
    write_text(path, text)
    return path


def _breakable(key: str) -> Markup:
    """A dotted key that may go on in the next line after each dot."""
    return Markup(".<wbr>").join(key.split("."))


def _part(name: str) -> Markup:
    """A file of this package, which is trusted to be what the page expects."""
    return Markup((PARTS / name).read_text(encoding="utf-8"))


def _entries(data: PageData) -> list[RunView]:
    rows = _rows(data.table)
    return [_entry(number, run, data, rows[number]) for number, run in enumerate(data.runs)]


def _entry(number: int, run: Run, data: PageData, cells: Sequence[Cell]) -> RunView:
    command = data.table.frame.command[number]
    name = data.sheet.name(number, run.label)
    best = number == data.table.best
    line = _line(data.table, number)
    ended = run.status + (", the best run" if best else "")
    return RunView(
        number=number,
        label=run.label,
        status=run.status,
        reason=str(run.record.get("reason") or ""),
        best=best,
        stands=run.stands,
        name=name,
        alt="Picture of " + "; ".join(dict.fromkeys(filter(None, (f"run {run.label}", name, ended, line)))),
        line=line,
        picture=data.pictures[number],
        command=None if pandas.isna(command) else command,
        cells=cells,
    )


def _rows(table: Table) -> list[list[Cell]]:
    columns = [_cells(table, column) for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _cells(table: Table, column: Column) -> list[Cell]:
    values = table.frame[column.name]
    write, marked = formatter(values), table.marked(column)
    number = bool(pandas.api.types.is_numeric_dtype(values))
    return [
        Cell(write(value), "" if pandas.isna(value) else str(value), number, row in marked)
        for row, value in values.items()
    ]


def _line(table: Table, number: int) -> str:
    """The criterion's value, or the total loss."""
    name = "loss/total" if table.criterion is None else table.criterion.name
    column = next((column for column in table.columns if column.name == name), None)
    if column is None or pandas.isna(table.frame[name][number]):
        return ""
    return f"{_heading(column)} {formatter(table.frame[name])(table.frame[name][number])}"


def _groups(table: Table) -> list[tuple[str, int]]:
    """Headings over the columns, and how many each spans."""
    spans = Counter(column.group for column in table.columns)
    names = {"Judged": f"Judged by {table.judge}" if table.judge else "Judged"}
    return [(names.get(group, group), span) for group, span in spans.items()]


def _heading(column: Column) -> str:
    """What stands over a column: ``style`` for ``judged/style`` and ``raw/style``, whose group says the rest."""
    name = column.name.partition("/")[2] if column.group in NUMBERS[:-1] else column.name
    return HEADINGS.get(name, name).replace("_", " " if column.group in NUMBERS else "_")


def _summary(runs: Sequence[Run]) -> list[tuple[str, int]]:
    """How many runs ended how, good ends first."""
    counts = Counter(run.status for run in sorted(runs, key=lambda run: not run.stands))
    return list(counts.items())


def _common(runs: Sequence[Run]) -> list[str]:
    """What was typed for every run alike."""
    return [
        override
        for override in runs[0].overrides
        if split_override(override)[0] not in ("content", "style", "name")
        and all(override in run.overrides for run in runs)
    ]


def _viewed(entry: RunView, data: PageData) -> dict[str, Any]:
    """What the enlarged view of a run needs."""
    picture, table = entry.picture, data.table
    facts: dict[str, list[tuple[str, str]]] = {}
    for column, cell in zip(table.columns, entry.cells, strict=True):
        if column.group != "Run" and cell.text:
            facts.setdefault(column.group, []).append((_heading(column), cell.text))
    return {
        "label": entry.label,
        "name": entry.name,
        "status": entry.status + (f": {entry.reason}" if entry.reason else ""),
        "best": entry.best,
        "alt": entry.alt,
        "file": picture and picture.file,
        "width": picture and picture.width,
        "height": picture and picture.height,
        "content": data.contents[entry.number],
        "facts": list(facts.items()),
        "command": entry.command,
    }
