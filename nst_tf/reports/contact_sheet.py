"""The contact sheet as a picture, by Matplotlib: rows and columns as on the page."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from nst_tf.reports.axes import Facet, Sheet, short
from nst_tf.reports.reading import Run

CELL, CAPTION, HEADING, SIDE, GAP = 1.9, 0.35, 0.3, 1.5, 0.12
"""Inches: a picture's width, two lines below it, a heading's height, the rows' names, the space between."""

BESIDE = 5
"""Pictures in a row where there is no grid."""

DOTS, MOST_DOTS = 160, 20_000
"""Dots an inch, and the longest side a sheet may have."""

BAD, UNFINISHED = "#b3261e", "#8a5a00"

FRAMES = dict.fromkeys(("diverged", "failed", "killed"), BAD) | dict.fromkeys(("interrupted", "running"), UNFINISHED)
"""Colours around pictures that did not come to a good end."""

BEST = "#1a7f37"


@dataclass(frozen=True)
class Block:
    """Pictures in rows and columns.

    Attributes:
        title: Above all; empty for none.
        rows: Names of the rows; empty texts where they have none.
        columns: Names of the columns, likewise.
        cells: Runs by row and column number.
        tall: Height of a picture's place in inches.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: dict[tuple[int, int], list[int]]
    tall: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        side = SIDE if any(self.rows) else 0.0
        headings = HEADING * (bool(self.title) + any(self.columns))
        return side + len(self.columns) * (CELL + GAP), headings + len(self.rows) * self.row

    @property
    def row(self) -> float:
        """Height of a row in inches."""
        return self.tall + CAPTION + GAP


def draw_contact_sheet(
    path: Path, runs: Sequence[Run], sheet: Sheet, pictures: Sequence[Image.Image | None], best: int | None
) -> None:
    """Draw every run's picture.

    Args:
        path: A PNG file.
        runs: What is shown.
        sheet: Its layout.
        pictures: One a run; None where there is none.
        best: The best run's number.
    """
    tall = CELL * max((image.height / image.width for image in pictures if image is not None), default=1.0)
    blocks = [_facet(sheet, facet, tall) for facet in sheet.facets] or [_strip(len(runs), tall)]
    width = max(block.size[0] for block in blocks) + GAP
    height = sum(block.size[1] for block in blocks) + GAP
    figure = Figure(figsize=(width, height))
    top = GAP
    for block in blocks:
        for axes, numbers in _places(figure, block, top):
            first = numbers[0]
            more = f" (+{len(numbers) - 1})" if len(numbers) > 1 else ""
            run = runs[first]
            name = f"run {run.label}" if sheet.is_grid else sheet.name(first, run.label)
            _draw(axes, run.status, pictures[first], first == best)
            axes.set_xlabel(_caption(name, run, first == best) + more)
        top += block.size[1]
    figure.savefig(path, dpi=min(DOTS, MOST_DOTS / max(width, height)))


def _facet(sheet: Sheet, facet: Facet, tall: float) -> Block:
    assert sheet.down is not None
    assert sheet.across is not None
    rows, columns = sheet.down.values, sheet.across.values
    cells = {(rows.index(row), columns.index(column)): runs for (row, column), runs in facet.cells.items()}
    across = [f"{sheet.across.title} = {short(columns[0])}", *map(short, columns[1:])]
    down = [f"{sheet.down.title} = {short(rows[0])}", *map(short, rows[1:])]
    return Block(sheet.described(facet.point), _folded(down), _folded(across), cells, tall)


def _folded(names: Sequence[str], letters: int = 24) -> list[str]:
    """Names in at most two lines that fit beside, above or below a picture."""
    lines = (textwrap.wrap(name, letters, max_lines=2, placeholder=" …") for name in names)
    return ["\n".join(parts) for parts in lines]


def _strip(count: int, tall: float) -> Block:
    columns = min(count, BESIDE)
    cells = {divmod(number, columns): [number] for number in range(count)}
    return Block("", [""] * -(-count // columns), [""] * columns, cells, tall)


def _caption(name: str, run: Run, best: bool) -> str:
    """What stands below a picture: its name, how it ended if badly, whether it is best."""
    return _folded([" · ".join([name, *([] if run.stands else [run.status]), *(["best"] if best else [])])], 30)[0]


def _places(figure: Figure, block: Block, top: float) -> Iterator[tuple[Axes, list[int]]]:
    """Write the headings; yield each filled cell's axes with its runs."""
    width, height = figure.get_size_inches()
    side = SIDE if any(block.rows) else GAP

    def write(x: float, y: float, text: str, **style: Any) -> None:
        figure.text(x / width, 1 - y / height, text, fontsize=8, va="center", **style)

    if block.title:
        write(GAP, top + HEADING / 2, block.title, weight="bold")
    top += HEADING * bool(block.title)
    for column, name in enumerate(block.columns):
        write(side + column * (CELL + GAP) + CELL / 2, top + HEADING / 2, name, ha="center")
    top += HEADING * any(block.columns)
    for row, name in enumerate(block.rows):
        write(side - GAP, top + row * block.row + block.tall / 2, name, ha="right")
    for (row, column), numbers in sorted(block.cells.items()):
        x, y = side + column * (CELL + GAP), top + row * block.row
        yield figure.add_axes((x / width, 1 - (y + block.tall) / height, CELL / width, block.tall / height)), numbers


def _draw(axes: Axes, status: str, picture: Image.Image | None, best: bool) -> None:
    """A picture in its frame; the cell's line below is left to be written."""
    colour = BEST if best else FRAMES.get(status)
    axes.set(xticks=[], yticks=[])
    axes.xaxis.label.set(fontsize=7, color=colour or "black")
    axes.xaxis.labelpad = 4
    if picture is not None:
        axes.imshow(np.asarray(picture), interpolation="bicubic")
    else:
        axes.text(0.5, 0.5, "no picture", ha="center", va="center", fontsize=8, transform=axes.transAxes)
    axes.spines[:].set(visible=colour is not None or picture is None, color=colour or "#999999", linewidth=2)
