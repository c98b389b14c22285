"""The table as files: CSV for programs, Markdown for notes, LaTeX for papers."""

from pathlib import Path

import pandas

from nst_tf.reports.csv_text import csv_text
from nst_tf.reports.table import Column, Table
from nst_tf.util.files import write_text

MARKDOWN_ESCAPES = str.maketrans({"|": r"\|", "*": r"\*", "_": r"\_", "<": "&lt;", "`": r"\`", "\n": " "})
"""Characters with a meaning in Markdown, and the texts that stand for them."""


def write_documents(table: Table, folder: Path) -> None:
    """Write ``table.csv``, ``table.md`` and ``table.tex``.

    The CSV has every number as it was recorded, and also the run's folder and command. The other two have the rounded
    numbers of the page, with the best values in bold. The LaTeX table needs the package ``booktabs``.
    """
    write_text(folder / "table.csv", csv_text(table.frame))
    write_text(folder / "table.md", _markdown(table))
    write_text(folder / "table.tex", _latex(table))


def _rounded_texts(table: Table) -> pandas.DataFrame:
    """Return the columns that people see, as text."""
    return pandas.DataFrame({column.name: table.texts(column) for column in table.columns})


def _markdown(table: Table) -> str:
    texts = _rounded_texts(table).map(lambda text: text.translate(MARKDOWN_ESCAPES))
    for column in table.columns:
        for row in table.best_rows(column):
            texts.loc[row, column.name] = f"**{texts.loc[row, column.name]}**"
    texts.columns = [str(name).translate(MARKDOWN_ESCAPES) for name in texts.columns]
    alignments = ["right" if _is_numeric(table, column) else "left" for column in table.columns]
    rows = str(texts.to_markdown(index=False, disable_numparse=True, colalign=alignments)) + "\n"
    note = table.precision_note.translate(MARKDOWN_ESCAPES)
    return rows + (f"\n{note}\n" if note else "")


def _latex(table: Table) -> str:
    style = _rounded_texts(table).style.format(escape="latex")
    style = style.format_index(escape="latex", axis="columns").hide(axis="index")
    for column in table.columns:
        rows = sorted(table.best_rows(column))
        style = style.map(lambda text: "textbf:--rwrap;", subset=pandas.IndexSlice[rows, [column.name]])
    alignments = "".join("r" if _is_numeric(table, column) else "l" for column in table.columns)
    return str(style.to_latex(hrules=True, column_format=alignments))


def _is_numeric(table: Table, column: Column) -> bool:
    return bool(pandas.api.types.is_numeric_dtype(table.frame[column.name]))
