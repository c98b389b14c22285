"""The page: pictures, curves, table and commands in one HTML file that needs no network."""

import datetime
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from nst_tf._version import __version__
from nst_tf.config.overrides import split_override
from nst_tf.reports.commands import program_words
from nst_tf.reports.comparison import figure_text
from nst_tf.reports.page_data import PageData, build_views
from nst_tf.reports.page_table import column_groups, folded_columns, page_columns
from nst_tf.reports.plot_data import plot_data
from nst_tf.reports.reading import Run
from nst_tf.reports.short_names import short_names
from nst_tf.reports.viewer_data import viewer_data
from nst_tf.util.files import write_text

TEMPLATES = Path(__file__).parent / "page"
"""Folder of the template, the style sheet and the scripts."""

JAVASCRIPT_FILES = (
    *("theme.js", "dom.js", "plots.js", "table.js", "commands.js"),
    *("sheet.js", "stage.js", "viewer.js", "curves.js", "tradeoff.js"),
)
"""Scripts of the page, in the order in which they run."""

STYLE_SHEETS = ("report.css", "viewer.css", "statistics.css")
"""Style sheets of the page, in the order in which they apply."""


def write_page(path: Path, data: PageData) -> Path:
    """Write the page.

    Args:
        path: The HTML file to write. The full-size pictures lie beside it.
        data: The contents.

    Returns:
        The path.
    """
    views = build_views(data)
    table = data.table
    text = _template().render(
        title=data.title,
        layout=data.layout,
        views=views,
        inputs=data.inputs,
        input_names=short_names(one.source for one in data.inputs),
        table=table,
        groups=column_groups(table),
        columns=page_columns(table),
        folded=folded_columns(table),
        choice=data.choice,
        comparisons=data.comparisons,
        step_pictures=data.step_pictures,
        study=data.study,
        spread_command=shlex.join([*program_words("compare"), "FOLDER", "--spread"]),
        statuses=_count_statuses(data.runs),
        shared_overrides=_shared_overrides(data.runs),
        compare_command=shlex.join([*program_words("compare"), "--best"]),
        created=f"nst_tf {__version__}, {datetime.datetime.now(datetime.UTC):%d %B %Y, %H:%M} UTC",
        data=viewer_data(views, data) | plot_data(data),
        curves=data.curves,
        bands=data.bands,
        style=Markup("\n").join(_read_trusted(name) for name in STYLE_SHEETS),
        scripts=Markup("\n").join(_read_trusted(name) for name in JAVASCRIPT_FILES),
        plotly=Markup(get_plotlyjs()),
    )
    write_text(path, text)
    return path


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"breakable": _break_after_dots, "figure": figure_text}
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "separators": (",", ":")}
    return environment.get_template("index.html.jinja")


def _break_after_dots(key: str) -> Markup:
    """Allow a line break after each dot of a key."""
    return Markup(".<wbr>").join(key.split("."))


def _read_trusted(name: str) -> Markup:
    """Read a file of this package, which is inserted into the page without escapes."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _count_statuses(runs: Sequence[Run]) -> list[tuple[str, int]]:
    """Return the number of runs of each status, successful ones first."""
    counts = Counter(run.status for run in sorted(runs, key=lambda run: not run.succeeded))
    return list(counts.items())


def _shared_overrides(runs: Sequence[Run]) -> list[str]:
    """Return the overrides that all runs have, without the pictures and the name."""
    return [
        override
        for override in runs[0].overrides
        if split_override(override)[0] not in ("content", "style", "name")
        and all(override in run.overrides for run in runs)
    ]
