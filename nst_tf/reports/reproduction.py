"""The papers' systems as a table: what each paper printed, and what runs of it measured."""

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from nst_tf.config.overrides import NOT_TELLING, matches_key
from nst_tf.reports import facts
from nst_tf.reports.axes import split_override
from nst_tf.reports.commands import portable_overrides
from nst_tf.reports.comparison import FigureComparison, compare_figures
from nst_tf.reports.documents import ESCAPED
from nst_tf.reports.pictures import write_small
from nst_tf.reports.reading import Run, find_runs
from nst_tf.reports.systems import System, SystemCatalog, read_systems
from nst_tf.runs.folder import FINAL
from nst_tf.util.errors import InputError
from nst_tf.util.files import write_text

log = logging.getLogger(__name__)

PAGE = Path(__file__).with_name("reproduction.md.jinja")

LONGEST = 256
"""Side of a picture on the page at most, in pixels."""


@dataclass(frozen=True)
class Row:
    """A line of the table; lists are lines within a cell, and an empty one is shown as a dash.

    Attributes:
        system: Whose it is.
        run: Network, weights, size and precision, as recorded; empty where nothing has run.
        words: What to type beside what all rows share.
        printed: The paper's figures.
        measured: The run's, the same ones first losses and seconds.
        judged: Scores.
        departures: What was typed beside the experiment, and why.
        picture: The small picture, relative to the page; None where there is none.
    """

    system: System
    run: list[str]
    words: str
    printed: list[str]
    measured: list[str]
    judged: list[str]
    departures: list[str]
    picture: str | None


def write_reproduction(folders: Sequence[str | Path], page: Path, command: str) -> Path:
    """Write the page, and its pictures in ``gallery/`` and its name beside it.

    A run belongs to the system whose experiment was typed for it. Of several of one system and network the latest that
    came to an end is taken; another network is a row of its own; a system without a run is one that says so.

    Args:
        folders: Run folders, sweeps, or folders of these.
        page: A Markdown file.
        command: What was typed to get it.

    Raises:
        InputError: A folder is missing, no run in any is one of a system, or the page cannot be written.
    """
    known = read_systems()
    chosen = choose(find_runs(folders), known)
    if not chosen:
        names = ", ".join(repr(str(folder)) for folder in folders)
        raise InputError(f"No run of a paper's system in {names}; make some: python scripts/stylize.py sweep=papers …")
    try:
        text = _rendered(known, chosen, page, command)
        write_text(page, text)
    except OSError as error:
        raise InputError(f"Cannot write '{page}': {error.strerror or error}; choose another --output") from error
    return page


def choose(runs: Sequence[Run], known: SystemCatalog) -> list[tuple[System, Run]]:
    """The run of each system and network, in the systems' order."""
    systems = {system.experiment: system for system in known.systems}
    latest: dict[tuple[str, str], Run] = {}
    for run in sorted(runs, key=_rank):
        latest[_experiment(run), _network(run)] = run
    left_out = {experiment or "none" for experiment, _ in latest if experiment not in systems}
    if left_out:
        log.warning("Runs of no paper's system are left out: experiment=%s", ", ".join(sorted(left_out)))
    return [
        (system, run)
        for system in known.systems
        for (experiment, _), run in latest.items()
        if experiment == system.experiment
    ]


def _rank(run: Run) -> tuple[bool, str]:
    """Later ones sort last, and those that came to an end after all others."""
    return run.status in FINAL, str(run.record.get("started_at"))


def _experiment(run: Run) -> str:
    return dict(map(split_override, run.overrides)).get("experiment", "")


def _network(run: Run) -> str:
    return run.settings.get("backbone", "")


def _rendered(known: SystemCatalog, chosen: Sequence[tuple[System, Run]], page: Path, command: str) -> str:
    runs = [run for _, run in chosen]
    shared = _shared(runs)
    pictures = _pictures(runs, page, known)
    comparisons = compare_figures(runs)
    rows: list[Row] = []
    for system in known.systems:
        own = [number for number, (one, _) in enumerate(chosen) if one is system]
        made = [_row(system, runs[n], known, shared, [b for b in comparisons if b.run == n], pictures[n]) for n in own]
        rows += made or [_awaited(system)]
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    return environment.from_string(PAGE.read_text(encoding="utf-8")).render(
        command=command,
        shared=shlex.join(["python", "scripts/stylize.py", *shared]),
        departures=[line for override in shared if (line := _because(override, known))],
        machines=_distinct(run.record.get("machine") for run in runs),
        versions=_distinct(_versions(run.record.get("versions")) for run in runs),
        judges=_distinct(facts.score(run, "judge") for run in runs),
        rows=rows,
    )


def _shared(runs: Sequence[Run]) -> list[str]:
    """What was typed for every run alike, but the experiment, which a row is about."""
    typed = [portable_overrides(run) for run in runs]
    return [
        word for word in typed[0] if split_override(word)[0] != "experiment" and all(word in others for others in typed)
    ]


def _pictures(runs: Sequence[Run], page: Path, known: SystemCatalog) -> list[str | None]:
    """Small pictures of the runs, relative to the page; those of an earlier page go."""
    folder = page.parent / "gallery" / page.stem
    for system in known.systems:
        for path in folder.glob(f"{system.experiment}-*.jpg"):
            path.unlink()
    written = []
    for run in runs:
        path = folder / f"{_experiment(run)}-{_network(run) or 'unknown'}.jpg"
        there = run.picture is not None and write_small(path, run.picture, LONGEST)
        written.append(path.relative_to(page.parent).as_posix() if there else None)
    return written


def _awaited(system: System) -> Row:
    words = f"experiment={system.experiment}"
    return Row(system, [], words, [], ["no run yet: the command fills this in"], [], [], None)


def _row(
    system: System,
    run: Run,
    known: SystemCatalog,
    shared: Sequence[str],
    comparisons: Sequence[FigureComparison],
    picture: str | None,
) -> Row:
    words = [word for word in portable_overrides(run) if word not in shared]
    return Row(
        system=system,
        run=[text.translate(ESCAPED) for text in facts.recorded(run)],
        words=shlex.join(_breakable(_without_file(word, run)) for word in words).replace("|", r"\|"),
        printed=list(facts.figures(comparisons, "printed")),
        measured=[*facts.measured(run), *facts.figures(comparisons, "measured")],
        judged=list(facts.judged(run)),
        departures=[line for word in words if (line := _because(word, known))],
        picture=picture,
    )


def _without_file(word: str, run: Run) -> str:
    """``FILE`` for a file of weights, whose name the row tells as it was recorded."""
    key, weights = split_override(word)[0], run.record.get("weights")
    given = isinstance(weights, dict) and weights.get("weights") == weights.get("path")
    return f"{key}=FILE" if given and key in ("backbone.weights", "feedforward.weights") else word


def _breakable(word: str) -> str:
    """A list of plain names with spaces, at which a line can break and which Hydra reads alike."""
    return word if set(word) & set("'\"\\") else word.replace(",", ", ")


def _because(override: str, known: SystemCatalog) -> str | None:
    """An override that tells runs apart, and why it was typed; None of one that is no departure from the experiment."""
    key = split_override(override)[0]
    if matches_key(key, (*NOT_TELLING, "experiment", "style_weights", "hydra.")):
        return None
    reason = known.because(override)
    typed = override if reason is None or override in known.departures else key
    return f"`{typed}`" + (f": {reason}" if reason else "")


def _versions(versions: Any) -> str | None:
    return ", ".join(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else None


def _distinct(texts: Any) -> str:
    """All that is said, each once; a dash where nothing is."""
    return "; or ".join(dict.fromkeys(str(text).translate(ESCAPED) for text in texts if text)) or "–"
