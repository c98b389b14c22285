"""The file of measurements, written after each measurement so that an interrupted benchmark can continue."""

import csv
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from nst_tf.util.errors import InputError


@dataclass(frozen=True)
class Measurement:
    """One measured value.

    Attributes:
        measurement: Kind of the measurement: ``evaluation``, ``peak``, ``memory``, ``startup``, ``area``, ``picture``,
            or ``target seconds``, ``target loss``, ``target loss by nst_tf``, ``target difference`` and
            ``target curve``.
        contestant: The program and settings that were measured. In a race it is ``PEER: SETTING``.
        size: Long side of the picture in pixels; 0 where there is no picture.
        value: The value.
        unit: Unit of the value.
        pair: Names of the photograph and the painting in a race; empty in other measurements.
    """

    measurement: str
    contestant: str
    size: int
    value: float
    unit: str
    pair: str = ""


COLUMNS = [field.name for field in fields(Measurement)]
"""Columns of the file."""


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
                self.entries = [_measurement(row) for row in csv.DictReader(file)]

    def add(self, *entries: Measurement) -> None:
        """Append measurements to the file."""
        is_new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if is_new:
                writer.writerow(COLUMNS)
            writer.writerows(astuple(entry) for entry in entries)
        self.entries += entries

    def values(self, measurement: str, contestant: str, size: int = 0, pair: str = "") -> list[float]:
        """Return all values of one kind, contestant, size and pair, in the order in which they were measured."""
        key = (measurement, contestant, size, pair)
        return [
            entry.value
            for entry in self.entries
            if (entry.measurement, entry.contestant, entry.size, entry.pair) == key
        ]


def _measurement(row: dict[str, str]) -> Measurement:
    """Return the measurement of one row of the file.

    Raises:
        InputError: The file is of a version whose measurements had no pair.
    """
    if row.get("pair") is None:
        raise InputError("figures.csv has no column pair, as a file of an earlier version: choose another --folder")
    size, value = int(row["size"]), float(row["value"])
    return Measurement(row["measurement"], row["contestant"], size, value, row["unit"], row["pair"])
