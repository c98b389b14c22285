"""Films side by side: a table, a plot of the measures by frame, and a page that plays the films together."""

from __future__ import annotations

import hashlib
import io
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas

from nst_tf.reports.csv_text import csv_text
from nst_tf.reports.destination import naming_failures, report_folder
from nst_tf.reports.finding import find_films
from nst_tf.reports.reading import require_folders
from nst_tf.util.errors import InputError, message_of
from nst_tf.util.files import make_folder, read_regular_file, write_atomically, write_text
from nst_tf.util.parsing import LARGEST_TEXT
from nst_tf.video.folder import VideoFolder, place_copy
from nst_tf.video.measures import COSTS, ERRORS, JUDGED, LONG, SHORT
from nst_tf.video.page import number_text, rate_text, rendered
from nst_tf.video.plots import comparison_plot

log = logging.getLogger(__name__)

FILMS = "films"
"""Folder of the films, beside the page."""

WRITTEN = ("film_*.mp4", "source_*.mp4")
"""Patterns of the files in `FILMS`. The next comparison replaces them."""

SCORES = ("content", "style_ratio")
"""Scores of the judge that the table and the plot have."""

PLOTTED = {
    "error_short": f"error, {SHORT} frame apart",
    "error_long": f"error, {LONG} frames apart",
    **{f"{JUDGED}{name}": name for name in SCORES},
}
"""Labels of the plotted measures, by the columns of `frames.csv`."""


@dataclass(frozen=True, eq=False)
class Film:
    """A finished film.

    Attributes:
        label: Short unique name.
        folder: Its folder.
        record: Content of `video.json`.
        table: The table of `frames.csv`.
        source: A SHA-256 of the source's first frame and of its errors at all frames. Films share it if their errors
            compare: they have the same source, and its errors were measured by the same flow.
    """

    label: str
    folder: VideoFolder
    record: dict[str, Any]
    table: pandas.DataFrame
    source: str


def write_comparison(folders: Sequence[str | Path], destination: str | Path | None = None) -> Path:
    """Compare films in a folder of a page, a table and a plot.

    The folder has ``index.html``, ``films.csv``, ``films.md``, ``errors.png``, and the films in ``films/``, so that it
    can be moved, and opened without a server.

    Args:
        folders: Folders of films, sweeps of films, or folders of these. A film that is not finished is left out, with a
            warning.
        destination: Folder of the comparison. Default: ``report`` in the one folder given, or ``outputs/report`` for
            several.

    Returns:
        Path of the page.

    Raises:
        InputError: A folder is missing or has no film, no film is finished, or the comparison cannot be written.
    """
    require_folders(folders)
    paths = list(dict.fromkeys(path for folder in folders for path in _films_in(folder)))
    films = _read_films(paths)
    if not films:
        raise InputError(f"No film in '{paths[0]}' is finished: the command that began it continues it")
    target = report_folder(folders, destination)
    with naming_failures(target):
        return _write_files(target, films)


def _films_in(folder: str | Path) -> list[Path]:
    films, runs = find_films(folder)
    if runs or not films:
        kind = f"'{runs[0]}' is a run, and other folders are films" if runs else f"No film in '{folder}'"
        raise InputError(f"{kind}: compare runs and films in two commands")
    return films


# Reading


def _read_films(paths: Sequence[Path]) -> list[Film]:
    """Return the finished films, each with a name of its own."""
    found = {path: content for path in paths if (content := _read_film(VideoFolder(path))) is not None}
    labels = _labels(list(found))
    return [Film(label, VideoFolder(path), *found[path]) for path, label in zip(found, labels, strict=True)]


def _read_film(folder: VideoFolder) -> tuple[dict[str, Any], pandas.DataFrame, str] | None:
    """Return record, table and source of a film; None for one that is not finished or whose files are damaged."""
    try:
        record = _finished_record(folder)
        table = _read_table(folder.table)
        source = hashlib.sha256(folder.source_frame(1).read_bytes())
        rate_text(record["rate"])
    except (InputError, OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        log.warning("%s. It is left out.", message_of(error).rstrip("."))
        return None
    source.update(table[["source_short", "source_long"]].round(6).to_csv(index=False).encode())
    return record, table, source.hexdigest()


def _finished_record(folder: VideoFolder) -> dict[str, Any]:
    """Return the record of a film, with those measures alone that are numbers, and the name of the judge.

    Raises:
        InputError: The film is not finished.
    """
    record = folder.read_record()
    measures = record.get("measures")
    if record.get("status") != "completed" or not isinstance(measures, dict):
        raise InputError(f"The film '{folder.path}' is not finished")
    numbers = {name: value for name, value in measures.items() if isinstance(value, (int, float))}
    judge = {"judge": str(measures["judge"])} if "judge" in measures else {}
    return record | {"measures": numbers | judge}


def _read_table(path: Path) -> pandas.DataFrame:
    """Return the table of a film, with numbers where it has numbers.

    Raises:
        InputError: A column is missing.
    """
    table = pandas.read_csv(io.BytesIO(read_regular_file(path, LARGEST_TEXT)))
    numbers = ("frame", *ERRORS, *COSTS)
    if missing := [name for name in numbers if name not in table]:
        raise InputError(f"'{path}' has no column {missing[0]}")
    for name in (*numbers, *PLOTTED):
        if name in table:
            table[name] = pandas.to_numeric(table[name], errors="coerce")
    return table


def _labels(paths: Sequence[Path]) -> list[str]:
    """Return a short unique name for each film: that of its folder, in a sweep without the film's number.

    Films of equal names have those of their parents too, or else their paths.
    """
    folders = [path.absolute() for path in paths]
    names = [path.name for path in folders]
    settings = [re.sub(r"^\d+_(?=.*=)", "", name) for name in names]
    with_parents = [f"{path.parent.name}/{path.name}" for path in folders]
    for labels in (settings, names, with_parents):
        if len(set(labels)) == len(paths):
            return labels
    return [str(path) for path in folders]


# Writing


class _Group(NamedTuple):
    """Films of one source on the page.

    Attributes:
        file: File of the source, relative to the page.
        source: Name of the source.
        rate: Frames per second.
        films: ``file`` and ``label`` of each film.
    """

    file: str
    source: str
    rate: str
    films: list[dict[str, str]]


def _write_files(folder: Path, films: Sequence[Film]) -> Path:
    sources = list(dict.fromkeys(film.source for film in films))
    table = _table(films, sources)
    make_folder(folder / FILMS)
    for pattern in WRITTEN:
        for path in (folder / FILMS).glob(pattern):
            path.unlink()
    write_text(folder / "films.csv", csv_text(table))
    texts = table.map(_cell)
    write_text(folder / "films.md", f"{texts.to_markdown(index=False, disable_numparse=True)}\n")
    write_atomically(folder / "errors.png", comparison_plot(*_plotted(films, sources), PLOTTED))
    page = rendered(
        "comparison.html.jinja",
        title=f"{len(films)} film{'s' * (len(films) != 1)}",
        width="320px",
        groups=[_copy_group(folder, films, sources, source) for source in sources],
        header=list(table),
        rows=texts.to_numpy().tolist(),
    )
    write_text(folder / "index.html", page)
    return folder / "index.html"


def _copy_group(folder: Path, films: Sequence[Film], sources: Sequence[str], source: str) -> _Group:
    """Put the films of one source beside the page, and return what the page says of them."""
    own = [film for film in films if film.source == source]
    file = f"{FILMS}/source_{sources.index(source) + 1}.mp4"
    place_copy(own[0].folder.film(".mp4", "source"), folder / file)
    entries = []
    for film in own:
        entries.append({"file": f"{FILMS}/film_{films.index(film) + 1}.mp4", "label": film.label})
        place_copy(film.folder.film(".mp4"), folder / entries[-1]["file"])
    return _Group(file, _source_name(sources, source), rate_text(own[0].record["rate"]), entries)


def _source_name(sources: Sequence[str], source: str) -> str:
    return "source" if len(sources) == 1 else f"source {sources.index(source) + 1}"


def _table(films: Sequence[Film], sources: Sequence[str]) -> pandas.DataFrame:
    """Return a row for each film, below that of its source."""
    rows = []
    for source in sources:
        own = [film for film in films if film.source == source]
        measures = own[0].record["measures"]
        errors = {f"error_{name}": measures.get(f"source_{name}") for name in ("short", "long")}
        rows.append({"film": _source_name(sources, source), "frames": len(own[0].table), **errors})
        rows += [_row(film) for film in own]
    return pandas.DataFrame(rows)


def _row(film: Film) -> dict[str, Any]:
    """Return the measures of a film over all its frames."""
    measures = film.record["measures"]
    costs = [f"{prefix}{name}" for name in COSTS for prefix in ("first_", "")]
    scores = [name for name in (*(f"{JUDGED}{score}" for score in SCORES), "judge") if name in measures]
    names = ["error_short", "error_long", *costs]
    row = {"film": film.label, "frames": len(film.table), **{name: measures.get(name) for name in names}}
    return row | {"total_seconds": float(film.table["seconds"].sum())} | {name: measures[name] for name in scores}


def _cell(value: Any) -> str:
    """Return a cell of the table as text."""
    if isinstance(value, str):
        return value
    return number_text(None if value is None or np.isnan(value) else value)


def _plotted(
    films: Sequence[Film], sources: Sequence[str]
) -> tuple[dict[str, pandas.DataFrame], dict[str, pandas.DataFrame]]:
    """Return the tables of the films, and those of their sources."""
    of_sources = {}
    for source in sources:
        first = next(film for film in films if film.source == source)
        table = first.table[["frame", "source_short", "source_long"]]
        named = table.rename(columns={"source_short": "error_short", "source_long": "error_long"})
        of_sources[_source_name(sources, source)] = named
    return {film.label: film.table for film in films}, of_sources
