"""Losses as a table."""

import csv
import io
from dataclasses import dataclass

from nst_tf.observers.observer import Observer, is_due
from nst_tf.runs.events import Finished, Iterate, Started
from nst_tf.util.files import write_text

COUNTERS = ("step", "evaluations", "seconds", "total")
"""The columns before the terms."""


@dataclass
class Metrics(Observer):
    """`metrics.csv`: a row every ``every`` steps, the first at step 0, the last at the run's end.

    Columns: ``step, evaluations, seconds, total``; then for each loss its weighted share (``style``), its raw
    value (``style/raw``) and what each layer adds to that (``style/conv1_1``). Floats are written in full, so
    that reading them gives the float32 numbers of the run. A row per finished line: a killed run leaves none
    torn, and a continued one drops the rows after its checkpoint first.
    """

    def started(self, event: Started) -> None:
        """Write the header, or keep the rows a continued run stands on; nothing for a run without losses."""
        self._last = -1
        if not event.columns:
            return
        self._path, self._columns = event.folder.metrics, [*COUNTERS, *event.columns]
        rows = [] if event.resumed_at is None else self._rows_until(event.resumed_at)
        write_text(self._path, self._text([self._columns, *rows]))
        self._last = int(rows[-1][0]) if rows else self._last

    def progressed(self, iterate: Iterate) -> None:
        """Add a row when one is due."""
        if is_due(iterate, self.every):
            self._append(iterate)

    def finished(self, event: Finished) -> None:
        """Add the row of the run's picture, if it has none yet."""
        if self.every:
            self._append(event.iterate)

    def _append(self, iterate: Iterate) -> None:
        if iterate.step <= self._last or not iterate.terms:
            return
        counters = (iterate.step, iterate.evaluations, round(iterate.seconds, 3), iterate.total)
        row = dict(zip(COUNTERS, counters, strict=True)) | dict(iterate.terms)
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(self._text([[row[column] for column in self._columns]]))
        self._last = iterate.step

    def _rows_until(self, step: int) -> list[list[str]]:
        if not self._path.exists():
            return []
        with self._path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if len(row) == len(self._columns)]
        return [row for row in rows[1:] if int(row[0]) <= step]

    @staticmethod
    def _text(rows: list[list]) -> str:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(rows)
        return buffer.getvalue()
