"""The page of a comparison: tables, pictures and claims in Markdown."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas

from nst_tf.reports import facts
from nst_tf.reports.commands import program_words
from nst_tf.reports.documents import MARKDOWN_ESCAPES
from nst_tf.reports.methods.catalog import MethodCatalog, PublishedTable, read_methods
from nst_tf.reports.methods.grid import draw_grid
from nst_tf.reports.methods.grouping import MethodComparison, MethodRuns, compare_methods, inline_code, picture_size
from nst_tf.reports.methods.table import Column, cost_columns, front, peak_memory, score_columns
from nst_tf.reports.reading import find_runs
from nst_tf.reports.reproduction import join_distinct, version_line
from nst_tf.reports.study.tables import NO_VALUE
from nst_tf.reports.table import computing_precision
from nst_tf.util.errors import InputError
from nst_tf.util.files import write_text

TEMPLATE = Path(__file__).with_name("page.md.jinja")
"""Jinja template of the page."""


def write_comparison(folders: Sequence[str | Path], page: Path, command: str) -> Path:
    """Write the page, and its picture grid as ``gallery/PAGE.jpg`` beside it.

    Args:
        folders: Run folders, sweeps, or folders of these.
        page: The Markdown file to write.
        command: The command that writes the page, to be shown on it.

    Raises:
        InputError: A folder is missing, the runs were not made under equal conditions, or the page cannot be written.
    """
    catalog = read_methods()
    comparison = compare_methods(find_runs(folders), catalog)
    try:
        grid = page.parent / "gallery" / f"{page.stem}.jpg"
        names = draw_grid(grid, comparison)
        write_text(page, _render(comparison, catalog, command, grid.relative_to(page.parent).as_posix(), names))
    except OSError as error:
        raise InputError(f"Cannot write '{page}': {error.strerror or error}. Choose another --output.") from error
    return page


def _render(
    comparison: MethodComparison, catalog: MethodCatalog, command: str, grid: str, grid_names: Sequence[str]
) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        command=command,
        program=shlex.join(program_words()),
        pairs=comparison.pairs,
        pair_names=_escaped(comparison.pairs.values()),
        sizes=_escaped(comparison.values(picture_size)),
        judge=_escaped(comparison.values(lambda run: facts.score(run, "judge"))),
        machines=join_distinct(comparison.values(lambda run: run.record.get("machine"))),
        precisions=_escaped(comparison.values(computing_precision)) or NO_VALUE,
        versions=join_distinct(comparison.values(lambda run: version_line(run.record.get("versions")))),
        scores=_table(comparison, score_columns(comparison), {"pairs": _pair_counts(comparison)}),
        costs=_table(comparison, cost_columns(comparison), _further_costs(comparison)),
        has_intervals=len(comparison.pairs) > 2,
        front=[method.title for method in front(comparison)] if len(comparison.methods) > 1 else [],
        notes=list(_notes(comparison)),
        grid=grid,
        grid_names=_escaped(grid_names),
        methods=[_claims_row(method) for method in comparison.methods],
        missing=[f"{method.title} ({inline_code(method.overrides)})" for method in comparison.missing],
        published=catalog.published,
        published_table=_published(catalog.published),
    )


def _escaped(texts: Iterable[Any]) -> str:
    return ", ".join(str(text).translate(MARKDOWN_ESCAPES) for text in texts)


def _table(comparison: MethodComparison, columns: Sequence[Column], further: dict[str, dict[MethodRuns, str]]) -> str:
    """Return a Markdown table with a row for each method.

    Args:
        comparison: The methods.
        columns: Means over the pairs.
        further: Texts of the columns behind them, by heading.
    """
    texts = {column.heading: column.texts for column in columns} | further
    rows = [
        [method.title, *(column.get(method, NO_VALUE) for column in texts.values())] for method in comparison.methods
    ]
    return _markdown(["method", *texts], rows)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    frame = pandas.DataFrame(list(rows), columns=list(header))
    alignments = ["left", *["right"] * (len(header) - 1)]
    return str(frame.to_markdown(index=False, disable_numparse=True, colalign=alignments))


def _pair_counts(comparison: MethodComparison) -> dict[MethodRuns, str]:
    """Return the number of pairs for each method, with the number of those on which it diverged."""
    return {method: _pair_count(method, comparison) for method in comparison.methods}


def _pair_count(method: MethodRuns, comparison: MethodComparison) -> str:
    diverged = sum(not run.succeeded for run in method.on(comparison.pairs))
    return f"{len(comparison.pairs)}" + (f" ({diverged} diverged)" if diverged else "")


def _further_costs(comparison: MethodComparison) -> dict[str, dict[MethodRuns, str]]:
    methods = comparison.methods
    return {
        "steps": {method: _counts(method, comparison, "steps") for method in methods},
        "evaluations": {method: _counts(method, comparison, "evaluations") for method in methods},
        "memory, MB": {method: peak_memory(method, comparison) for method in methods},
        "precision": {method: _precision(method, comparison) for method in methods},
    }


def _counts(method: MethodRuns, comparison: MethodComparison, name: str) -> str:
    """Return the number of steps or evaluations; the smallest and the largest where they differ."""
    counts = [count for run in method.on(comparison.pairs) if (count := run.count(name)) is not None]
    return "–".join(str(end) for end in dict.fromkeys([min(counts), max(counts)])) if counts else NO_VALUE


def _precision(method: MethodRuns, comparison: MethodComparison) -> str:
    found = dict.fromkeys(computing_precision(run) or NO_VALUE for run in method.on(comparison.pairs))
    return ", ".join(found).translate(MARKDOWN_ESCAPES)


def _notes(comparison: MethodComparison) -> Iterator[str]:
    """Yield sentences about what the tables leave out."""
    if comparison.unfinished:
        yield f"Runs that are left out because they have not ended or have no scores: {comparison.unfinished}."
    for method in comparison.methods:
        if len(method.runs) > len(comparison.pairs):
            yield f"{method.title} has {len(method.runs)} pairs, of which those that every method has are compared."
    if len(comparison.values(lambda run: run.record.get("machine"))) > 1:
        yield "The runs were made on several machines, so that their seconds do not compare."
    if len(comparison.values(computing_precision)) > 1:
        yield "The runs computed in several precisions, so that their seconds differ for this reason too."


def _claims_row(method: MethodRuns) -> dict[str, Any]:
    return {"method": method.method, "overrides": inline_code([*method.method.overrides, *method.extra]) or NO_VALUE}


def _published(table: PublishedTable) -> str:
    rows = [
        [method, *(f"{number:.{decimals}f}" for number, decimals in zip(numbers, table.decimals, strict=True))]
        for method, numbers in table.rows.items()
    ]
    return _markdown(["method", *table.columns], rows)
