"""The reproduction page: a table of the papers' systems, with the printed and the measured figures of each."""

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from nst_tf.config.keys import role_of
from nst_tf.config.overrides import override_key, split_override
from nst_tf.reports import facts
from nst_tf.reports.commands import portable_overrides, program_words
from nst_tf.reports.comparison import FigureComparison, compare_figures
from nst_tf.reports.documents import MARKDOWN_ESCAPES
from nst_tf.reports.pictures import write_thumbnail
from nst_tf.reports.reading import Run, find_runs
from nst_tf.reports.systems import System, SystemCatalog, read_systems
from nst_tf.runs.folder import FINAL
from nst_tf.util.errors import InputError
from nst_tf.util.files import write_text

log = logging.getLogger(__name__)

TEMPLATE = Path(__file__).with_name("reproduction.md.jinja")
"""Jinja template of the page."""

PICTURE_SIDE = 256
"""Longest side of a picture on the page in pixels."""


@dataclass(frozen=True)
class Row:
    """A row of the table. Lists are the lines of a cell; an empty list becomes a dash.

    Attributes:
        system: The system.
        settings: Network, weights, size and precision, as the run recorded them; empty without a run.
        overrides: The overrides of the run that the other rows do not share, as one text.
        printed: The paper's figures.
        measured: Losses, seconds and figures of the run.
        scores: Scores of the run.
        departures: Overrides that depart from the experiment, with their reasons.
        picture: The picture's path relative to the page; None without a picture.
    """

    system: System
    settings: list[str]
    overrides: str
    printed: list[str]
    measured: list[str]
    scores: list[str]
    departures: list[str]
    picture: str | None


def write_reproduction(folders: Sequence[str | Path], page: Path, command: str) -> Path:
    """Write the page, and its pictures in the folder ``gallery/PAGE/`` beside it.

    A run belongs to the system whose experiment was typed for it. Each network of a system has a row with its latest
    run that ended. A system without a run has a row that says so.

    Args:
        folders: Run folders, sweeps, or folders of these.
        page: The Markdown file to write.
        command: The command that writes the page, to be shown on it.

    Raises:
        InputError: A folder is missing, no run belongs to a system, or the page cannot be written.
    """
    catalog = read_systems()
    chosen = choose_runs(find_runs(folders), catalog)
    if not chosen:
        names = ", ".join(repr(str(folder)) for folder in folders)
        sweep = shlex.join([*program_words(), "sweep=papers"])
        raise InputError(f"No run of a paper's system in {names}. Make some: {sweep} …")
    try:
        write_text(page, _render(catalog, chosen, page, command))
    except OSError as error:
        raise InputError(f"Cannot write '{page}': {error.strerror or error}. Choose another --output.") from error
    return page


def choose_runs(runs: Sequence[Run], catalog: SystemCatalog) -> list[tuple[System, Run]]:
    """Return the latest run of each system and network, in the order of the systems."""
    systems = {system.experiment: system for system in catalog.systems}
    latest: dict[tuple[str, str], Run] = {}
    for run in sorted(runs, key=_rank):
        latest[_experiment(run), _network(run)] = run
    left_out = {experiment or "none" for experiment, _ in latest if experiment not in systems}
    if left_out:
        log.warning("Runs of no paper's system are left out: experiment=%s", ", ".join(sorted(left_out)))
    return [
        (system, run)
        for system in catalog.systems
        for (experiment, _), run in latest.items()
        if experiment == system.experiment
    ]


def _rank(run: Run) -> tuple[bool, str]:
    """Return a sort key by which later runs come last, after all runs that did not end."""
    return run.status in FINAL, str(run.record.get("started_at"))


def _experiment(run: Run) -> str:
    return dict(map(split_override, run.overrides)).get("experiment", "")


def _network(run: Run) -> str:
    return run.settings.get("backbone", "")


def _render(catalog: SystemCatalog, chosen: Sequence[tuple[System, Run]], page: Path, command: str) -> str:
    runs = [run for _, run in chosen]
    shared = _shared_overrides(runs)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        command=command,
        program=shlex.join(program_words()),
        shared=shlex.join([*program_words(), *shared]),
        departures=[line for override in shared if (line := _departure_line(override, catalog))],
        machines=join_distinct(run.record.get("machine") for run in runs),
        versions=join_distinct(version_line(run.record.get("versions")) for run in runs),
        judges=join_distinct(facts.score(run, "judge") for run in runs),
        rows=_rows(catalog, chosen, shared, _write_pictures(runs, page, catalog)),
    )


def _rows(
    catalog: SystemCatalog,
    chosen: Sequence[tuple[System, Run]],
    shared: Sequence[str],
    pictures: Sequence[str | None],
) -> list[Row]:
    comparisons = compare_figures([run for _, run in chosen])
    rows: list[Row] = []
    for system in catalog.systems:
        system_rows = [
            _row(system, run, catalog, shared, [one for one in comparisons if one.run == number], pictures[number])
            for number, (owner, run) in enumerate(chosen)
            if owner is system
        ]
        rows += system_rows or [_row_without_run(system)]
    return rows


def _shared_overrides(runs: Sequence[Run]) -> list[str]:
    """Return the overrides that all runs have, without the experiment."""
    typed = [portable_overrides(run) for run in runs]
    return [
        word for word in typed[0] if split_override(word)[0] != "experiment" and all(word in others for others in typed)
    ]


def _write_pictures(runs: Sequence[Run], page: Path, catalog: SystemCatalog) -> list[str | None]:
    """Write the pictures, remove those of an earlier page, and return the paths relative to the page."""
    folder = page.parent / "gallery" / page.stem
    for system in catalog.systems:
        for path in folder.glob(f"{system.experiment}-*.jpg"):
            path.unlink()
    paths = []
    for run in runs:
        path = folder / f"{_experiment(run)}-{_network(run) or 'unknown'}.jpg"
        is_written = run.picture is not None and write_thumbnail(path, run.picture, PICTURE_SIDE)
        paths.append(path.relative_to(page.parent).as_posix() if is_written else None)
    return paths


def _row_without_run(system: System) -> Row:
    return Row(system, [], f"experiment={system.experiment}", [], ["no run yet"], [], [], None)


def _row(
    system: System,
    run: Run,
    catalog: SystemCatalog,
    shared: Sequence[str],
    comparisons: Sequence[FigureComparison],
    picture: str | None,
) -> Row:
    words = [word for word in portable_overrides(run) if word not in shared]
    return Row(
        system=system,
        settings=[text.translate(MARKDOWN_ESCAPES) for text in facts.settings_lines(run)],
        overrides=shlex.join(_space_list(_hide_weights_file(word, run)) for word in words).replace("|", r"\|"),
        printed=list(facts.figure_lines(comparisons, "printed")),
        measured=[*facts.result_lines(run), *facts.figure_lines(comparisons, "measured")],
        scores=list(facts.score_lines(run)),
        departures=[line for word in words if (line := _departure_line(word, catalog))],
        picture=picture,
    )


def _hide_weights_file(override: str, run: Run) -> str:
    """Write ``FILE`` for the path of a file of weights; the settings in the row have its name."""
    key, weights = split_override(override)[0], run.record.get("weights")
    is_file = isinstance(weights, dict) and weights.get("weights") == weights.get("path")
    return f"{key}=FILE" if is_file and key in ("backbone.weights", "feedforward.weights") else override


def _space_list(override: str) -> str:
    """Add spaces to a list of plain names, so that the line can break there; Hydra ignores them."""
    return override if set(override) & set("'\"\\") else override.replace(",", ", ")


def _departure_line(override: str, catalog: SystemCatalog) -> str | None:
    """Return an override with its reason; None for an override that is no departure from the experiment."""
    key = override_key(override)
    role = role_of(key)
    if not (role.in_run_name and role.is_axis) or key in ("experiment", "style_weights"):
        return None
    reason = catalog.reason_for(override)
    typed = override if reason is None or override in catalog.departures else key
    return f"`{typed}`" + (f": {reason}" if reason else "")


def version_line(versions: Any) -> str | None:
    """Return the recorded versions of packages in one line; None for a record without them."""
    return ", ".join(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else None


def join_distinct(texts: Any) -> str:
    """Join the distinct texts; return a dash where there is none."""
    return "; or ".join(dict.fromkeys(str(text).translate(MARKDOWN_ESCAPES) for text in texts if text)) or "–"
