"""The contact sheet: the runs' pictures in one PNG, in the rows and columns of the page.

Each facet is a subfigure with a `Grid` of Matplotlib's ``axes_grid1``. Its subclass ``ImageGrid`` is not used, because
it shares the axes along rows and columns, and the runs of one sheet may have pictures of different sizes.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from mpl_toolkits.axes_grid1.axes_grid import Grid
from PIL import Image

from nst_tf.reports.axes import Axis, Facet, Layout
from nst_tf.reports.choosing import Choice
from nst_tf.reports.fonts import drawable
from nst_tf.reports.reading import Run

CELL_WIDTH, ROW_NAME_WIDTH = 1.9, 1.5
"""Width of a picture and of the names of the rows, in inches."""

CAPTION_HEIGHT, HEADING_HEIGHT, GAP = 0.35, 0.3, 0.12
"""Height of the two lines below a picture, height of a heading, and space between cells, in inches."""

PICTURES_IN_A_ROW = 5
"""Pictures beside each other where the runs form no grid."""

MAX_PICTURES = 120
"""Largest number of pictures on the sheet. Of more pictures, it shows the first in the order of the page."""

DPI, MAX_SIDE = 160, 20_000
"""Resolution in dots per inch, and the longest side of the sheet in dots, which lowers the resolution if need be."""

COMPRESSION = 2
"""Level of the PNG's compression, 0 to 9: the default of 6 takes half of the time of a large sheet."""

FAILED, UNFINISHED, CHOSEN = "#b3261e", "#8a5a00", "#1a7f37"

FRAME_COLOURS = dict.fromkeys(("diverged", "failed", "killed"), FAILED) | dict.fromkeys(
    ("interrupted", "running"), UNFINISHED
)
"""Colours of the frames around pictures of runs that did not succeed."""


@dataclass(frozen=True)
class Block:
    """One grid of pictures.

    Attributes:
        title: Heading of the grid; empty for none.
        rows: Names of the rows; empty texts where the rows have none.
        columns: Names of the columns; empty texts where the columns have none.
        cells: Indices of the runs, by row and column.
        caption: Height of the caption below a picture in inches.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: dict[tuple[int, int], list[int]]
    caption: float = CAPTION_HEIGHT

    @property
    def left(self) -> float:
        """Distance of the pictures from the left edge in inches."""
        return ROW_NAME_WIDTH if any(self.rows) else GAP

    @property
    def top(self) -> float:
        """Distance of the pictures from the upper edge in inches."""
        return GAP + HEADING_HEIGHT * (bool(self.title) + any(self.columns))

    @property
    def width(self) -> float:
        """Width of the block in inches."""
        return self.left + len(self.columns) * (CELL_WIDTH + GAP)

    def height(self, picture_height: float) -> float:
        """Return the height of the block in inches."""
        return self.top + len(self.rows) * (picture_height + self.caption + GAP)


def draw_contact_sheet(
    path: Path, runs: Sequence[Run], layout: Layout, thumbnails: Sequence[Path | None], choice: Choice
) -> None:
    """Draw the picture of every run; of more than `MAX_PICTURES` pictures, the first ones, and say so in the heading.

    Args:
        path: The PNG file to write.
        runs: The runs.
        layout: Rows, columns and facets of the runs.
        thumbnails: One picture file per run; None where there is none.
        choice: The best run, or the runs on a front.
    """
    blocks = _blocks(layout, len(runs))
    shown = [numbers[0] for block in blocks for numbers in block.cells.values()]
    picture_height = CELL_WIDTH * max((_ratio(file) for n in shown if (file := thumbnails[n]) is not None), default=1)
    heights = [block.height(picture_height) for block in blocks]
    width = max(block.width for block in blocks)
    figure = Figure(figsize=(width, sum(heights)))
    subfigures = figure.subfigures(len(blocks), height_ratios=heights, squeeze=False)[:, 0]
    for block, subfigure, height in zip(blocks, subfigures, heights, strict=True):
        grid = make_grid(subfigure, block, width, height)
        for (row, column), numbers in block.cells.items():
            first, axes = numbers[0], grid.axes_row[row][column]
            name = f"run {runs[first].label}" if layout.is_grid else layout.run_name(first, runs[first].label)
            draw_picture(axes, runs[first].status, thumbnails[first], choice.mark_of(first))
            axes.set_xlabel(_caption(name, runs[first], choice.mark_of(first), len(numbers)))
    dpi = min(DPI, MAX_SIDE / max(figure.get_size_inches()))
    figure.savefig(path, dpi=dpi, pil_kwargs={"compress_level": COMPRESSION})


def _ratio(file: Path) -> float:
    with Image.open(file) as image:
        return image.height / image.width


def _blocks(layout: Layout, count: int) -> list[Block]:
    """Return the grids of the sheet, which have at most `MAX_PICTURES` pictures together."""
    if not layout.is_grid:
        return _with_note([_flow_block(min(count, MAX_PICTURES))], count)
    blocks: list[Block] = []
    for facet in layout.facets:
        space = MAX_PICTURES - sum(len(block.cells) for block in blocks)
        if space:
            blocks.append(_facet_block(layout, facet, space))
    return _with_note(blocks, sum(len(facet.cells) for facet in layout.facets))


def _with_note(blocks: list[Block], count: int) -> list[Block]:
    """Say in the first heading how many of the pictures the sheet has, unless it has all."""
    shown = sum(len(block.cells) for block in blocks)
    if shown == count:
        return blocks
    title = " · ".join(filter(None, (f"The first {shown} of {count} pictures", blocks[0].title)))
    return [replace(blocks[0], title=title), *blocks[1:]]


def _facet_block(layout: Layout, facet: Facet, most: int) -> Block:
    """Return the grid of a facet with at most so many pictures, without the rows that are cut off."""
    assert layout.rows is not None
    assert layout.columns is not None
    rows, columns = layout.rows.values, layout.columns.values
    places = {(rows.index(row), columns.index(column)): runs for (row, column), runs in facet.cells.items()}
    cells = dict(sorted(places.items())[:most])
    last = len(rows) if len(cells) == len(places) else max(row for row, _ in cells) + 1
    title = layout.describe(facet.point)
    return Block(title, _headings(layout.rows)[:last], _headings(layout.columns), cells)


def _headings(axis: Axis) -> list[str]:
    """Return the values of an axis as headings; the first also names the axis."""
    first, *others = (axis.names[value] for value in axis.values)
    return [wrap_name(text, 24) for text in (f"{axis.title} = {first}", *others)]


def _flow_block(count: int) -> Block:
    """Return runs that form no grid as rows of pictures without names."""
    columns = min(count, PICTURES_IN_A_ROW)
    cells = {divmod(number, columns): [number] for number in range(count)}
    return Block("", [""] * -(-count // columns), [""] * columns, cells)


def wrap_name(text: str, letters: int) -> str:
    """Return the text in at most two lines, which fit beside, above or below a picture."""
    return "\n".join(textwrap.wrap(drawable(text), letters, max_lines=2, placeholder=" …"))


def _caption(name: str, run: Run, mark: str, count: int) -> str:
    """Return a run's name, its status if it did not succeed, and the number of further runs in its cell."""
    parts = [name, *([] if run.succeeded else [run.status]), *filter(None, [mark])]
    return wrap_name(" · ".join(parts), 30) + (f" (+{count - 1})" if count > 1 else "")


def make_grid(subfigure: Figure | SubFigure, block: Block, width: float, height: float) -> Grid:
    """Make empty axes for all cells of a block of this size, and write the title and the rows' and columns' names."""
    bottom = block.caption + GAP
    grid = Grid(
        subfigure,
        (block.left / width, bottom / height, 1 - (block.left + GAP) / width, 1 - (bottom + block.top) / height),
        (len(block.rows), len(block.columns)),
        axes_pad=(GAP, bottom),
        share_x=False,
        share_y=False,
        label_mode="keep",
        axes_class=Axes,
    )
    for axes in grid.axes_all:
        axes.set(xticks=[], yticks=[], anchor="NW")
        axes.patch.set_visible(False)
        axes.spines[:].set_visible(False)
    for axes, name in zip(grid.axes_row[0], block.columns, strict=True):
        axes.set_title(name, fontsize=8, pad=5)
    for axes, name in zip(grid.axes_column[0], block.rows, strict=True):
        axes.set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center", labelpad=7)
    if block.title:
        y = 1 - (GAP + HEADING_HEIGHT / 2) / height
        subfigure.text(GAP / width, y, block.title, fontsize=8, weight="bold", va="center")
    return grid


def draw_picture(axes: Axes, status: str, thumbnail: Path | None, mark: str) -> None:
    """Draw a picture and the frame that marks chosen runs and runs that did not succeed."""
    colour = CHOSEN if mark else FRAME_COLOURS.get(status)
    axes.xaxis.label.set(fontsize=7, color=colour or "black")
    axes.xaxis.labelpad = 4
    if thumbnail is not None:
        with Image.open(thumbnail) as picture:
            axes.imshow(np.asarray(picture), interpolation="bicubic")
    else:
        axes.text(0.5, 0.5, "no picture", ha="center", va="center", fontsize=8, transform=axes.transAxes)
    axes.spines[:].set(visible=colour is not None or thumbnail is None, color=colour or "#999999", linewidth=2)
