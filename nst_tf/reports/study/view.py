"""The statistics of a study as the page shows them: tables, notes, and the pictures of all seeds side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nst_tf.reports.pictures import FOLDER, RunPictures
from nst_tf.reports.reading import Run
from nst_tf.reports.study.documents import remove_study_documents, write_study_documents
from nst_tf.reports.study.grouping import Study, compute_statistics
from nst_tf.reports.study.spread import write_spread
from nst_tf.reports.study.tables import TextTable, notes, text_tables
from nst_tf.reports.table import Table
from nst_tf.util.errors import InputError


@dataclass(frozen=True)
class Spread:
    """The standard deviation of the pictures of one setting on one pair, as a picture.

    Attributes:
        file: Path of the picture, relative to the page; empty where the pictures differ in size.
        note: The value of its white pixels, or why there is no picture.
    """

    file: str
    note: str


@dataclass(frozen=True)
class SeedPictures:
    """The pictures of one setting on one pair, which differ in their seeds alone.

    Attributes:
        title: Setting and pair.
        runs: Indices of the runs that have a picture.
        spread: Their spread; None where it was not asked for.
    """

    title: str
    runs: tuple[int, ...]
    spread: Spread | None


@dataclass(frozen=True)
class StudyView:
    """The contents of the page's section.

    Attributes:
        tables: The tables.
        notes: Sentences about what the tables leave out.
        seed_pictures: The pictures of each setting and pair with several seeds.
    """

    tables: Sequence[TextTable]
    notes: Sequence[str]
    seed_pictures: Sequence[SeedPictures]


def write_study(
    folder: Path,
    study: Study,
    runs: Sequence[Run],
    table: Table,
    pictures: Sequence[RunPictures],
    spread: bool = False,
) -> StudyView | None:
    """Write the statistics of runs as files, and return what the page shows of them.

    Args:
        folder: Folder of the report. Files of an earlier report are removed.
        study: The runs by setting and pair.
        runs: The runs.
        table: The table of the runs.
        pictures: The pictures of each run in the report.
        spread: Whether to write the spread over seeds as pictures.

    Returns:
        The contents of the page's section; None where no setting has several seeds or pairs.
    """
    remove_study_documents(folder)
    for path in (folder / FOLDER).glob("spread_*.png"):
        path.unlink()
    if not study.has_statistics:
        return None
    statistics = compute_statistics(study, runs, table)
    write_study_documents(statistics, folder)
    spreads = _write_spreads(folder, study, runs) if spread else {}
    return StudyView(text_tables(statistics), notes(statistics), _seed_pictures(study, pictures, spreads))


def _seed_pictures(
    study: Study, pictures: Sequence[RunPictures], spreads: Mapping[tuple[int, int], Spread]
) -> list[SeedPictures]:
    shown = {
        cell: tuple(number for number in numbers if pictures[number].result is not None)
        for cell, numbers in sorted(study.cells.items())
        if len(numbers) > 1
    }
    return [SeedPictures(study.title(cell), runs, spreads.get(cell)) for cell, runs in shown.items()]


def _write_spreads(folder: Path, study: Study, runs: Sequence[Run]) -> dict[tuple[int, int], Spread]:
    """Write a picture of the spread over seeds for each setting and pair with several seeds."""
    cells = [cell for cell, numbers in sorted(study.cells.items()) if len(numbers) > 1]
    return {cell: _write(folder, n, [runs[number] for number in study.cells[cell]]) for n, cell in enumerate(cells)}


def _write(folder: Path, number: int, runs: Sequence[Run]) -> Spread:
    file = f"{FOLDER}/spread_{number}.png"
    try:
        largest = write_spread(folder / file, [run.picture for run in runs if run.picture is not None])
    except InputError as error:
        return Spread("", f"no spread: {error}")
    return Spread(file, f"white is {largest:.3g}")
