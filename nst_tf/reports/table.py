"""The runs as a table: parameters, losses, judged scores, cost."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas

from nst_tf.reports.axes import Sheet
from nst_tf.reports.commands import rerun_command
from nst_tf.reports.reading import STANDING, Run
from nst_tf.util.errors import InputError

SAME_OBJECTIVE = (
    *("name.", "content.", "style.", "steps.", "seed.", "optimizer.", "schedule.", "runtime.", "tracking."),
    "evaluation.",
    *("image.start.", "image.start_weights.", "image.noise.", "image.noise_scale.", "image.fit_memory."),
)
"""Settings in which runs may differ while their losses measure one thing; their pictures are known by their hashes."""

SCORES = {
    "content": "lowest",
    "style": "lowest",
    "style_ratio": "lowest",
    "histogram_distance": "lowest",
    "ssim": "highest",
}
"""Which end of a judge's score is the better one; other scores have none."""

CRITERIA = ("judged/style_ratio", "loss/total")
"""What decides on the best run: the first of these that compares."""

NUMBERS = ("Losses, weighted", "Losses, raw", "Judged", "Cost")
"""Groups whose columns hold numbers, but for the judge's name."""

JUDGE = "judged/judge"

WHOLE = ("steps_taken", "evaluations", "peak_memory_mb", "height", "width")
"""Columns of whole numbers."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        group: The heading it stands under.
        name: Its own.
        better: ``lowest`` or ``highest`` where that is better and the runs measured the same; else None.
    """

    group: str
    name: str
    better: str | None = None


@dataclass(frozen=True)
class Table:
    """The runs as a table.

    Attributes:
        frame: One row a run; numbers as they were recorded.
        columns: What a reader sees of it; the rest is for programs.
        criterion: The column that decides on the best run; None where none compares.
    """

    frame: pandas.DataFrame
    columns: tuple[Column, ...]
    criterion: Column | None

    @property
    def best(self) -> int | None:
        """The best run's row; None where there is none."""
        return None if self.criterion is None else min(self.marked(self.criterion), default=None)

    @property
    def judge(self) -> str | None:
        """Whose the scores are, where all are one judge's."""
        names = self.frame[JUDGE].dropna().unique() if JUDGE in self.frame else []
        return str(names[0]) if len(names) == 1 else None

    def marked(self, column: Column) -> set[int]:
        """Rows of a column's best value among runs that came to a good end; none where all have the same."""
        values = self.frame.loc[self.frame.status.isin(STANDING), column.name].dropna()
        if column.better is None or values.nunique() < 2:
            return set()
        return set(values.index[values == (values.min() if column.better == "lowest" else values.max())])


def build_table(runs: Sequence[Run], sheet: Sheet, best: str | None = None) -> Table:
    """Gather the runs.

    Args:
        runs: In the table's order.
        sheet: Their parameters.
        best: Column that decides on the best run, by its lowest value (of SSIM by its highest); by default the judged
            style ratio, or the total loss where all runs have the same objective.

    Raises:
        InputError: There is no such column of numbers.
    """
    frame = pandas.DataFrame([_row(run, point) for run, point in zip(runs, sheet.points, strict=True)])
    columns = tuple(_columns(runs, sheet, frame))
    numbers = [column.name for column in columns if column.group in NUMBERS and column.name != JUDGE]
    for name in [*numbers, *WHOLE]:
        frame[name] = pandas.to_numeric(frame[name], errors="coerce").astype("Int64" if name in WHOLE else "float64")
    return Table(frame, columns, _criterion(columns, numbers, best))


def _row(run: Run, point: dict[str, str]) -> dict[str, Any]:
    counted = {name: run.counted(name) for name in ("evaluations", "seconds")}
    losses = {_loss(name): _number(value) for name, value in run.final.items() if _is_shown(name)}
    kept = ("seconds_per_evaluation", "peak_memory_mb", "height", "width", "reason")
    return (
        {"run": run.label, "status": run.status}
        | point
        | losses
        | _scores(run)
        | {"steps_taken": run.counted("steps")}
        | counted
        | {name: run.record.get(name) for name in kept}
        | {"folder": str(run.folder.path), "command": rerun_command(run)}
    )


def _is_shown(loss: str) -> bool:
    """Totals and raw values, not single layers, which each run's `metrics.csv` has."""
    return "/" not in loss or loss.endswith("/raw")


def _loss(name: str) -> str:
    """A loss's column, apart from parameters of the same name: ``loss/style`` weighted, ``raw/style`` not."""
    return f"raw/{name.removesuffix('/raw')}" if name.endswith("/raw") else f"loss/{name}"


def _scores(run: Run) -> dict[str, Any]:
    scores = run.record.get("scores")
    return {f"judged/{name}": _number(value) for name, value in scores.items()} if isinstance(scores, dict) else {}


def _number(value: Any) -> Any:
    """Finite numbers and texts as they are; None for the rest."""
    if isinstance(value, str):
        return value
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _columns(runs: Sequence[Run], sheet: Sheet, frame: pandas.DataFrame) -> Iterator[Column]:
    varied = _varied(runs)
    one_raw = all(key.startswith("losses.") and key.endswith(".weight") for key in varied)
    names = [str(name) for name in frame]
    yield from (Column("Run", "run"), Column("Run", "status"))
    yield from (Column("Parameters", axis.name) for axis in sheet.axes)
    for name in (name for name in names if name.startswith("loss/")):
        yield Column("Losses, weighted", name, "lowest" if name == "loss/total" and not varied else None)
    for name in (name for name in names if name.startswith("raw/")):
        yield Column("Losses, raw", name, "lowest" if one_raw else None)
    yield from _judged(frame)
    yield from (Column("Cost", "steps_taken"), Column("Cost", "evaluations"))
    yield from (Column("Cost", "seconds", "lowest"), Column("Cost", "peak_memory_mb", "lowest"))


def _judged(frame: pandas.DataFrame) -> Iterator[Column]:
    """Scores compare where one judge gave them all."""
    one_judge = JUDGE in frame and frame[JUDGE].dropna().nunique() == 1
    for name in (str(name) for name in frame if str(name).startswith("judged/")):
        if one_judge and name == JUDGE:
            continue  # said once, over the scores
        yield Column("Judged", name, SCORES.get(name.partition("/")[2]) if one_judge else None)


def _varied(runs: Sequence[Run]) -> set[str]:
    """Settings and inputs that change what a loss measures, and are not the same in all runs."""
    objectives = [_objective(run) for run in runs]
    keys = {key for one in objectives for key in one}
    return {key for key in keys if len({one.get(key) for one in objectives}) > 1}


def _objective(run: Run) -> dict[str, str]:
    kept = {key: value for key, value in run.settings.items() if not f"{key}.".startswith(SAME_OBJECTIVE)}
    inputs = run.record.get("inputs")
    return kept | ({key: str(value.get("sha256")) for key, value in inputs.items()} if isinstance(inputs, dict) else {})


def _criterion(columns: Sequence[Column], numbers: Sequence[str], best: str | None) -> Column | None:
    named = {column.name: column for column in columns}
    if best is None:
        return next((named[name] for name in CRITERIA if name in named and named[name].better), None)
    if best not in numbers:
        raise InputError(f"Unknown column --best {best!r}; available: {', '.join(numbers)}")
    return dataclasses.replace(named[best], better=named[best].better or "lowest")


def formatter(values: pandas.Series) -> Callable[[Any], str]:
    """How a column's numbers are written: alike, the largest with four significant digits.

    Integers stay whole; values over four decades or more are written with an exponent.
    """
    if not pandas.api.types.is_numeric_dtype(values):
        return lambda value: "" if pandas.isna(value) else str(value)
    sizes = [abs(value) for value in values.dropna() if value]
    if pandas.api.types.is_integer_dtype(values) or not sizes:
        pattern = "{:.0f}"
    elif max(sizes) >= 1e4 * min(sizes) or not 1e-3 <= max(sizes) < 1e6:
        pattern = "{:.3e}"
    else:
        pattern = f"{{:.{max(0, 3 - math.floor(math.log10(max(sizes))))}f}}"
    return lambda value: "" if pandas.isna(value) else pattern.format(value)
