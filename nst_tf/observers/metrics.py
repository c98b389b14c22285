"""The losses of a run as a table, `metrics.csv`."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nst_tf.observers.observer import Observer, RunningObserver, is_due
from nst_tf.runs.events import Finished, Iterate, Started
from nst_tf.runs.folder import METRICS_COUNTERS
from nst_tf.util.files import append_line, write_text


@dataclass
class Metrics(Observer):
    """Settings of the table `metrics.csv`, whose first row is step 0 and whose last row is the saved picture.

    The columns are `METRICS_COUNTERS`, then for each loss its weighted value (``style``), its raw value
    (``style/raw``), and the contribution of each layer to the raw value (``style/conv1_1``). Floats are written with
    all digits, so that a reader gets the float32 numbers of the run.

    Rows are appended as whole lines. A resumed run first removes the rows after its checkpoint.

    Attributes:
        every: Number of steps between two rows; 0 for none. Default 10.
    """

    def start(self, event: Started) -> RunningObserver:
        """Return the writer of one run's table; it writes nothing for a run without losses."""
        return RunningMetrics(event, self.every) if event.columns else RunningObserver()


class RunningMetrics(RunningObserver):
    """Writer of one run's table.

    Args:
        event: Start of the run. A new run replaces the table of an earlier one in the same folder.
        every: See `Metrics`.
    """

    survives_disk_errors = True

    def __init__(self, event: Started, every: int) -> None:
        self._every = every
        self._path = event.folder.metrics
        self._columns = [*METRICS_COUNTERS, *event.columns]
        kept = [] if event.resumed_at is None else _rows_until(event.resumed_at, self._path, len(self._columns))
        write_text(self._path, _csv_text([self._columns, *kept]))
        self._last_step = int(kept[-1][0]) if kept else -1

    def progressed(self, iterate: Iterate) -> None:
        """Append a row if it is due."""
        if is_due(iterate, self._every):
            self._append(iterate)

    def finished(self, event: Finished) -> None:
        """Append the row of the saved picture, unless the table has it already."""
        if self._every:
            self._append(event.iterate)

    def _append(self, iterate: Iterate) -> None:
        if iterate.step <= self._last_step or not iterate.terms:
            return
        counters = (iterate.step, iterate.evaluations, round(iterate.seconds, 3), iterate.total)
        row = dict(zip(METRICS_COUNTERS, counters, strict=True)) | dict(iterate.terms)
        append_line(self._path, _csv_text([[row[column] for column in self._columns]]))
        self._last_step = iterate.step


def _rows_until(step: int, path: Path, width: int) -> list[list[str]]:
    """Return the rows up to a step; rows of another width are damaged or from other losses, and are left out."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) == width]
    return [row for row in rows[1:] if int(row[0]) <= step]


def _csv_text(rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
