"""The table as CSV for programs, Markdown for notes, LaTeX for papers."""

from pathlib import Path

import pandas

from nst_tf.reports.table import Column, Table, formatter
from nst_tf.util.files import write_text

ESCAPED = str.maketrans({"|": r"\|", "*": r"\*", "_": r"\_", "<": "&lt;", "`": r"\`", "\n": " "})
"""What Markdown would take for its own."""


def write_documents(table: Table, folder: Path) -> None:
    """Write ``table.csv``, ``table.md`` and ``table.tex``.

    The CSV has every number as it was recorded, the folder and the command; the others have what the page shows,
    rounded, the best values in bold. LaTeX needs the package ``booktabs``.
    """
    write_text(folder / "table.csv", table.frame.to_csv(index=False, lineterminator="\n"))
    write_text(folder / "table.md", _markdown(table))
    write_text(folder / "table.tex", _latex(table))


def shown(table: Table) -> pandas.DataFrame:
    """The columns a reader sees, as text."""
    return pandas.DataFrame(
        {column.name: table.frame[column.name].map(formatter(table.frame[column.name])) for column in table.columns}
    )


def _markdown(table: Table) -> str:
    texts = shown(table).map(lambda text: text.translate(ESCAPED))
    for column in table.columns:
        for row in table.marked(column):
            texts.loc[row, column.name] = f"**{texts.loc[row, column.name]}**"
    texts.columns = [str(name).translate(ESCAPED) for name in texts.columns]
    right = ["right" if _is_number(table, column) else "left" for column in table.columns]
    return str(texts.to_markdown(index=False, disable_numparse=True, colalign=right)) + "\n"


def _latex(table: Table) -> str:
    style = shown(table).style.format(escape="latex").format_index(escape="latex", axis="columns").hide(axis="index")
    for column in table.columns:
        rows = sorted(table.marked(column))
        style = style.map(lambda text: "textbf:--rwrap;", subset=pandas.IndexSlice[rows, [column.name]])
    places = "".join("r" if _is_number(table, column) else "l" for column in table.columns)
    return str(style.to_latex(hrules=True, column_format=places))


def _is_number(table: Table, column: Column) -> bool:
    return bool(pandas.api.types.is_numeric_dtype(table.frame[column.name]))
