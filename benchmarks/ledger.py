"""The file of measurements, written after each measurement so that an interrupted benchmark can continue."""

import csv
from dataclasses import astuple, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """One measured value.

    Attributes:
        measurement: Kind of the measurement: ``evaluation``, ``peak``, ``memory``, ``startup``, ``area``, or
            ``target seconds``, ``target loss`` and ``target curve``.
        contestant: The program and settings that were measured.
        size: Long side of the picture in pixels; 0 where there is no picture.
        value: The value.
        unit: Unit of the value.
    """

    measurement: str
    contestant: str
    size: int
    value: float
    unit: str


class Ledger:
    """A CSV file of measurements with one row each.

    Args:
        path: The file. It is created by the first measurement.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: list[Measurement] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            self.entries = [
                Measurement(row["measurement"], row["contestant"], int(row["size"]), float(row["value"]), row["unit"])
                for row in rows
            ]

    def add(self, *entries: Measurement) -> None:
        """Append measurements to the file."""
        is_new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if is_new:
                writer.writerow(field.name for field in fields(Measurement))
            writer.writerows(astuple(entry) for entry in entries)
        self.entries += entries

    def values(self, measurement: str, contestant: str, size: int = 0) -> list[float]:
        """Return all values of one kind, contestant and size, in the order in which they were measured."""
        key = (measurement, contestant, size)
        return [entry.value for entry in self.entries if (entry.measurement, entry.contestant, entry.size) == key]
