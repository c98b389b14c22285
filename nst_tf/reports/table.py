"""The table of the runs: parameters, losses, judged scores and cost."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas

from nst_tf.config.keys import role_of
from nst_tf.reports.axes import UNSET, Layout
from nst_tf.reports.commands import rerun_command
from nst_tf.reports.reading import SUCCESSFUL, Run

SCORES = {
    "content": "lowest",
    "style": "lowest",
    "style_ratio": "lowest",
    "histogram_distance": "lowest",
    "ssim": "highest",
}
"""The best end of each score of the judge, lowest or highest. The other scores have no best value."""

FURTHER_MEASURES = ("cfsd", "histogan", "lpips")
"""Beginnings of the names of further scores, whose best end is the lowest."""

NUMERIC_GROUPS = ("Losses, weighted", "Losses, raw", "Judged", "Cost")
"""Groups whose columns hold numbers. The judge's name is the only exception."""

JUDGE = "judged/judge"
"""Column of the judge's name."""

PRECISION = "precision"
"""Column of the precision in which the network of an optimisation computed, as the run recorded it."""

INTEGER_COLUMNS = ("steps_taken", "evaluations", "peak_memory_mb", "height", "width")
"""Columns of integers."""

HEADINGS = {"peak_memory_mb": "memory, MB", "steps_taken": "steps"}
"""Headings of columns that have another name in ``table.csv``."""


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        group: Heading over the columns of its kind.
        name: Name of the column in ``table.csv``.
        better: ``lowest`` or ``highest``, the value that is best; None where there is no best value or the runs are not
            comparable.
    """

    group: str
    name: str
    better: str | None = None


@dataclass(frozen=True)
class Table:
    """The table of the runs.

    Attributes:
        frame: One row per run, with the numbers as they were recorded.
        columns: The columns that people see. The other columns of the frame are for programs.
        names: Short names of the values of parameters, by column and value.
    """

    frame: pandas.DataFrame
    columns: tuple[Column, ...]
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def texts(self, column: Column) -> list[str]:
        """Return the values of a column as people see them: rounded numbers and short names."""
        values = self.frame[column.name]
        if (names := self.names.get(column.name)) is not None:
            return [names[value] for value in values]
        return list(map(formatter(values), values))

    def is_equal(self, column: Column) -> bool:
        """Return whether several runs have all the same value in a column, or none has one."""
        return len(self.frame) > 1 and self.frame[column.name].nunique(dropna=False) == 1

    @property
    def succeeded(self) -> pandas.DataFrame:
        """The rows of the runs that completed or converged."""
        return self.frame[self.frame.status.isin(SUCCESSFUL)]

    @property
    def number_columns(self) -> list[Column]:
        """The visible columns of losses, scores and cost."""
        return [column for column in self.columns if column.group in NUMERIC_GROUPS and column.name != JUDGE]

    @property
    def judge(self) -> str | None:
        """Name of the judge where one judge gave all scores; else None."""
        names = self.frame[JUDGE].dropna().unique() if JUDGE in self.frame else []
        return str(names[0]) if len(names) == 1 else None

    @property
    def precisions(self) -> dict[str, int]:
        """Number of runs by the precision that they computed in, if there are several; else empty."""
        counts = self.frame[PRECISION].value_counts()
        return {str(name): int(count) for name, count in counts.items()} if len(counts) > 1 else {}

    @property
    def precision_note(self) -> str:
        """A sentence for readers if the runs computed in several precisions; else empty."""
        counts = ", ".join(f"{name} ({count})" for name, count in self.precisions.items())
        return counts and (
            f"The runs computed in several precisions: {counts}. Losses and times differ for this reason too."
        )

    def best_rows(self, column: Column) -> set[int]:
        """Return the rows with the best value among successful runs; none where all values are equal."""
        values = self.succeeded[column.name].dropna()
        if column.better is None or values.nunique() < 2:
            return set()
        return set(values.index[values == (values.min() if column.better == "lowest" else values.max())])


def build_table(runs: Sequence[Run], layout: Layout) -> Table:
    """Build the table of the runs.

    Args:
        runs: The runs in the order of the rows.
        layout: The parameters that vary.
    """
    frame = pandas.DataFrame([_row(run, point) for run, point in zip(runs, layout.points, strict=True)])
    table = Table(frame, tuple(_columns(runs, layout, frame)), {axis.name: axis.names for axis in layout.axes})
    for name in [*(column.name for column in table.number_columns), *INTEGER_COLUMNS]:
        dtype = "Int64" if name in INTEGER_COLUMNS else "float64"
        frame[name] = pandas.to_numeric(frame[name], errors="coerce").astype(dtype)
    return table


def _row(run: Run, point: dict[str, str]) -> dict[str, Any]:
    counts = {name: run.count(name) for name in ("evaluations", "seconds")}
    losses = {_loss_column(name): _finite_or_text(value) for name, value in run.final.items() if is_summary(name)}
    recorded = ("seconds_per_evaluation", "peak_memory_mb", "height", "width", "reason")
    return (
        {"run": run.label, "status": run.status}
        | point
        | losses
        | _scores(run)
        | {"steps_taken": run.count("steps")}
        | counts
        | {name: run.record.get(name) for name in recorded}
        | {PRECISION: computing_precision(run)}
        | {"folder": str(run.folder.path), "command": rerun_command(run)}
    )


def computing_precision(run: Run) -> str | None:
    """Return the precision of an optimisation; None for a run without one, and for a record without one."""
    precision = run.record.get("precision")
    return str(precision) if precision and run.settings.get("method", "optimize") == "optimize" else None


def is_summary(loss: str) -> bool:
    """Return whether a loss is a total or a raw value; the losses of single layers stay in `metrics.csv`."""
    return "/" not in loss or loss.endswith("/raw")


def _loss_column(name: str) -> str:
    """Return the column of a loss: ``loss/style`` for the weighted and ``raw/style`` for the raw value."""
    return f"raw/{name.removesuffix('/raw')}" if name.endswith("/raw") else f"loss/{name}"


def _scores(run: Run) -> dict[str, Any]:
    scores = run.record.get("scores")
    return (
        {f"judged/{name}": _finite_or_text(value) for name, value in scores.items()} if isinstance(scores, dict) else {}
    )


def _finite_or_text(value: Any) -> Any:
    """Return finite numbers and texts unchanged, and None for everything else."""
    if isinstance(value, str):
        return value
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _columns(runs: Sequence[Run], layout: Layout, frame: pandas.DataFrame) -> Iterator[Column]:
    varied = _varied_keys(runs)
    raw_comparable = all(key.startswith("losses.") and key.endswith(".weight") for key in varied)
    names = [str(name) for name in frame]
    yield from (Column("Run", "run"), Column("Run", "status"))
    yield from (Column("Parameters", axis.name) for axis in layout.axes)
    if frame[PRECISION].nunique() > 1:
        yield Column("Parameters", PRECISION)
    yield from _score_columns(frame)
    yield from (Column("Cost", "steps_taken"), Column("Cost", "evaluations"))
    yield from (Column("Cost", "seconds", "lowest"), Column("Cost", "peak_memory_mb", "lowest"))
    for name in (name for name in names if name.startswith("loss/")):
        yield Column("Losses, weighted", name, "lowest" if name == "loss/total" and not varied else None)
    for name in (name for name in names if name.startswith("raw/")):
        yield Column("Losses, raw", name, "lowest" if raw_comparable else None)


def _score_columns(frame: pandas.DataFrame) -> Iterator[Column]:
    """Yield the columns of the scores, which are comparable where one judge gave them all."""
    one_judge = JUDGE in frame and frame[JUDGE].dropna().nunique() == 1
    for name in (str(name) for name in frame if str(name).startswith("judged/")):
        if one_judge and name == JUDGE:
            continue  # the heading over the scores has the judge's name
        yield Column("Judged", name, best_end(name.partition("/")[2]) if one_judge else None)


def best_end(score: str) -> str | None:
    """Return the best end of a score, ``lowest`` or ``highest``; None for a score without a best value."""
    return SCORES.get(score) or ("lowest" if score.startswith(FURTHER_MEASURES) else None)


def _varied_keys(runs: Sequence[Run]) -> set[str]:
    """Return the settings and inputs that belong to the objective and differ between the runs."""
    objectives = [objective(run) for run in runs]
    keys = {key for one in objectives for key in one}
    return {key for key in keys if len({one.get(key) for one in objectives}) > 1}


def objective(run: Run) -> dict[str, str]:
    """Return the settings and inputs of a run that decide what its losses measure."""
    kept = {key: value for key, value in run.settings.items() if role_of(key).in_objective}
    if "random" not in (kept.get("backbone.weights"), kept.get("backbone.missing_weights")):
        kept.pop("backbone.seed", None)  # it draws random kernels alone
    if precision := computing_precision(run):
        kept[PRECISION] = precision
    inputs = run.record.get("inputs")
    return kept | ({key: str(value.get("sha256")) for key, value in inputs.items()} if isinstance(inputs, dict) else {})


def heading(column: Column) -> str:
    """Return the heading of a column: ``style`` for ``judged/style``, because the group has its own heading."""
    name = column.name.partition("/")[2] if column.group in NUMERIC_GROUPS[:-1] else column.name
    return HEADINGS.get(name, name).replace("_", " " if column.group in NUMERIC_GROUPS else "_")


def formatter(values: pandas.Series) -> Callable[[Any], str]:
    """Return the function that writes the numbers of a column.

    All numbers get the same number of decimals, so that the largest has four significant digits. Integers have none.
    Values that span four decades or more are written with an exponent.
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


def numbers_of(values: pandas.Series) -> list[float] | None:
    """Return a column as numbers with NaN for missing ones; None for one with other texts or without any number.

    Parameters are texts as they were typed.
    """
    numbers = pandas.to_numeric(values, errors="coerce").astype("float64")
    present = values.notna() & (values != UNSET)
    return None if numbers.isna().all() or (numbers.isna() & present).any() else numbers.tolist()
