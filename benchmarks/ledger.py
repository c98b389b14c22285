"""What has been measured, on disk as soon as it is."""

import csv
from dataclasses import astuple, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """One figure.

    Attributes:
        measurement: What was measured: ``evaluation``, ``peak``, ``memory``, ``startup``, ``race`` …
        contestant: Whose figure it is.
        size: Of the picture's long side in pixels; 0 where there is none.
        value: The figure.
        unit: Its unit.
    """

    measurement: str
    contestant: str
    size: int
    value: float
    unit: str


class Ledger:
    """A CSV file of `Entry`, one a row; a benchmark that was cut short goes on from it.

    Args:
        path: The file; made where there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: list[Measurement] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            self.entries = [
                Measurement(r["measurement"], r["contestant"], int(r["size"]), float(r["value"]), r["unit"])
                for r in rows
            ]

    def add(self, *entries: Measurement) -> None:
        """Write figures down."""
        fresh = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if fresh:
                writer.writerow(field.name for field in fields(Measurement))
            writer.writerows(astuple(entry) for entry in entries)
        self.entries += entries

    def values(self, measurement: str, contestant: str, size: int = 0) -> list[float]:
        """All figures of a kind, in the order they were measured."""
        key = (measurement, contestant, size)
        return [entry.value for entry in self.entries if (entry.measurement, entry.contestant, entry.size) == key]
