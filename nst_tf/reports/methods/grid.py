"""The picture grid of a comparison: a row for each method, a column for each pair of content and style."""

import tempfile
from pathlib import Path

from matplotlib.figure import Figure

from nst_tf.reports.contact_sheet import CELL_WIDTH, Block, draw_picture, make_grid, wrap_name
from nst_tf.reports.fonts import figure_fonts
from nst_tf.reports.methods.grouping import MethodComparison, Pair
from nst_tf.reports.pictures import write_thumbnail
from nst_tf.util.files import atomic_file

MOST_COLUMNS = 8
"""Largest number of pairs in the grid. Of more pairs, evenly spaced ones are shown."""

DPI, PICTURE_SIDE = 80, 192
"""Resolution of the grid in dots per inch, and the longest side of a picture in pixels before it is drawn."""


def draw_grid(path: Path, comparison: MethodComparison) -> list[str]:
    """Draw one picture of each method on each pair, or on some of the pairs, and return the names of these pairs.

    The photographs and paintings are left out, because they may belong to others.

    Args:
        path: The JPEG to write.
        comparison: The methods and pairs.
    """
    pairs = shown_pairs(list(comparison.pairs))
    columns = [comparison.pairs[pair] for pair in pairs]
    block = Block(
        "",
        [wrap_name(method.title.replace("`", ""), 20) for method in comparison.methods],
        [wrap_name(name, 28) for name in columns],
        {(row, column): [0] for row in range(len(comparison.methods)) for column in range(len(pairs))},
        caption=0,
    )
    width, height = block.width, block.height(CELL_WIDTH)
    figure = Figure(figsize=(width, height))
    with tempfile.TemporaryDirectory() as folder, figure_fonts():
        grid = make_grid(figure, block, width, height)
        for row, column in block.cells:
            run = comparison.methods[row].runs[pairs[column]][0]
            thumbnail = Path(folder) / f"{row}_{column}.jpg"
            is_written = run.picture is not None and write_thumbnail(thumbnail, run.picture, PICTURE_SIDE)
            draw_picture(grid.axes_row[row][column], run.status, thumbnail if is_written else None, "")
        with atomic_file(path) as file:
            figure.savefig(file, format="jpg", dpi=DPI, pil_kwargs={"quality": 88})
    return columns


def shown_pairs(pairs: list[Pair]) -> list[Pair]:
    """Return all pairs if they are few enough, else `MOST_COLUMNS` of them at even distances from the first on."""
    count = min(len(pairs), MOST_COLUMNS)
    return [pairs[number * len(pairs) // count] for number in range(count)]
