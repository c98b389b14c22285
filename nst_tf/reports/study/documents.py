"""The statistics of a study as files: CSV for programs, Markdown for notes, LaTeX for papers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas

from nst_tf.reports.csv_text import csv_text
from nst_tf.reports.documents import MARKDOWN_ESCAPES
from nst_tf.reports.study.grouping import Statistics
from nst_tf.reports.study.statistics import Mean
from nst_tf.reports.study.tables import TextTable, notes, text_tables
from nst_tf.util.files import write_text

NAMES = ("statistics.csv", "differences.csv", "statistics.md", "statistics.tex")
"""Names of the files."""


def write_study_documents(statistics: Statistics, folder: Path) -> None:
    """Write ``statistics.csv``, ``differences.csv``, ``statistics.md`` and ``statistics.tex``.

    ``statistics.csv`` has one row for each mean: of every measure, over the seeds of a setting on a pair (``over`` is
    ``seeds``) and over the pairs of a setting (``pairs``). ``differences.csv`` has one row for each comparison. The
    other two have the rounded numbers of the page. The LaTeX tables need the package ``booktabs``.
    """
    write_text(folder / "statistics.csv", csv_text(pandas.DataFrame(_mean_rows(statistics), columns=MEAN_COLUMNS)))
    differences = pandas.DataFrame(_difference_rows(statistics), columns=DIFFERENCE_COLUMNS)
    write_text(folder / "differences.csv", csv_text(differences))
    tables = text_tables(statistics)
    remarks = "".join(f"\n{sentence.translate(MARKDOWN_ESCAPES)}\n" for sentence in notes(statistics))
    write_text(folder / "statistics.md", "\n".join(map(_markdown, tables)) + remarks)
    write_text(folder / "statistics.tex", "\n".join(map(_latex, tables)))


def remove_study_documents(folder: Path) -> None:
    """Remove the files of an earlier report."""
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)


MEAN_COLUMNS = ["over", "setting", "pair", "measure", "mean", "standard_deviation", "low", "high", "n"]
"""Columns of ``statistics.csv``; low and high bound the 95 % interval."""

DIFFERENCE_COLUMNS = [
    *("measure", "better", "first", "second", "mean_difference", "low", "high", "n"),
    *("first_wins", "second_wins", "ties", "p", "p_holm"),
]
"""Columns of ``differences.csv``."""


def _mean_rows(statistics: Statistics) -> Iterator[list[Any]]:
    study = statistics.study
    for measure, cells in statistics.cell_means.items():
        for (setting, pair), mean in sorted(cells.items()):
            yield ["seeds", study.settings[setting].name, study.pairs[pair], measure, *_numbers(mean), mean.count]
    for measure, means in statistics.setting_means.items():
        for setting, mean in means.items():
            yield ["pairs", study.settings[setting].name, None, measure, *_numbers(mean), mean.count]


def _numbers(mean: Mean) -> tuple[float | None, ...]:
    return mean.value, mean.deviation, *(mean.interval or (None, None))


def _difference_rows(statistics: Statistics) -> Iterator[list[Any]]:
    settings = statistics.study.settings
    for comparison in statistics.comparisons:
        better = "lowest" if comparison.lower_is_better else "highest"
        for each in comparison.differences:
            names = (settings[each.first].name, settings[each.second].name)
            numbers = (each.mean.value, *(each.mean.interval or (None, None)), each.mean.count)
            wins = (each.first_wins, each.second_wins, each.ties, each.p_value, each.adjusted)
            yield [comparison.measure.name, better, *names, *numbers, *wins]


def _markdown(table: TextTable) -> str:
    escaped = _frame(table).map(lambda text: text.translate(MARKDOWN_ESCAPES))
    escaped.columns = [name.translate(MARKDOWN_ESCAPES) for name in table.header]
    alignments = ["left" if column < table.words else "right" for column in range(len(table.header))]
    rows = escaped.to_markdown(index=False, disable_numparse=True, colalign=alignments)
    return f"## {table.title}\n\n{rows}\n\n{table.note.translate(MARKDOWN_ESCAPES)}\n"


def _latex(table: TextTable) -> str:
    style = _frame(table).style.format(escape="latex").format_index(escape="latex", axis="columns").hide(axis="index")
    alignments = "".join("l" if column < table.words else "r" for column in range(len(table.header)))
    return f"% {table.title}. {table.note}\n{style.to_latex(hrules=True, column_format=alignments)}"


def _frame(table: TextTable) -> pandas.DataFrame:
    return pandas.DataFrame(list(table.rows), columns=list(table.header))
