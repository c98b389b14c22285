"""The report of several runs: read the run folders, then write tables, figures and the page."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from nst_tf.reports.axes import Layout, build_layout
from nst_tf.reports.choosing import Choice, choose
from nst_tf.reports.comparison import compare_figures, pictured_steps, write_comparisons
from nst_tf.reports.destination import naming_failures, report_folder
from nst_tf.reports.documents import write_documents
from nst_tf.reports.page_data import PageData, StepPicture
from nst_tf.reports.pictures import FOLDER, Gallery
from nst_tf.reports.reading import Run, find_runs, require_folders
from nst_tf.reports.study.bands import seed_bands
from nst_tf.reports.study.grouping import build_study
from nst_tf.reports.study.view import write_study
from nst_tf.reports.table import Table, build_table
from nst_tf.util.errors import InputError
from nst_tf.util.files import remove_partial_files
from nst_tf.util.locks import LockedError, hold_lock

PATIENCE = 600.0
"""Seconds for which a process waits until another one has written the same report."""


def write_report(
    folders: Sequence[str | Path],
    destination: str | Path | None = None,
    best: str | None = None,
    at_most: str | None = None,
    at_least: str | None = None,
    spread: bool = False,
) -> Path:
    """Compare runs in a folder of tables, figures and a page.

    The folder has ``index.html``, ``pictures/``, ``table.csv``, ``table.md``, ``table.tex``, ``contact_sheet.png``,
    ``losses.png`` and ``losses.pdf``. Where papers print figures of such runs, it also has ``printed.csv`` and
    ``printed.md``. The folder can be moved: it contains copies of the pictures and their thumbnails, and the page
    contains curves and scripts.

    Args:
        folders: Run folders, sweeps, or folders of these.
        destination: Folder of the report. Default: ``report`` in the one folder given, or ``outputs/report`` for
            several.
        best: Column of the table that decides on the best run; see `nst_tf.reports.choosing.choose`.
        at_most: Largest value of a column that the best run may have, as ``COLUMN=NUMBER``.
        at_least: Smallest value of a column that the best run may have, as ``COLUMN=NUMBER``.
        spread: Whether to write a picture of the standard deviation over seeds for each setting and pair of pictures.

    Returns:
        Path of the page.

    Raises:
        InputError: A folder is missing, no folder contains a run, a column is not one of numbers, a limit is no number,
            or the report cannot be written.
    """
    folder = report_folder(folders, destination)
    require_folders(folders)
    with naming_failures(folder), _only_writer(folder):
        runs = find_runs(folders)
        layout = build_layout(runs)
        table = build_table(runs, layout)
        choice = choose(table, best, at_most, at_least)
        return _write_files(folder, _title(folders), runs, layout, table, choice, spread)


@contextlib.contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Let one process at a time read the runs and write their report, so that the last report has all runs.

    The folder is removed again if nothing is written into it.
    """
    lock = folder / ".lock"
    try:
        with hold_lock(lock, PATIENCE, remove=True):
            for written in (folder, folder / FOLDER):
                remove_partial_files(written)
            yield
    except LockedError as error:
        raise InputError(f"Another process is writing the report '{folder}'. Wait for it.") from error
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _write_files(
    folder: Path, title: str, runs: Sequence[Run], layout: Layout, table: Table, choice: Choice, spread: bool
) -> Path:
    # Matplotlib and Plotly take 0.7 s, which a refused comparison is spared.
    from nst_tf.reports.contact_sheet import draw_contact_sheet
    from nst_tf.reports.curves import band_data, curve_data, draw_losses
    from nst_tf.reports.fonts import figure_fonts
    from nst_tf.reports.page import write_page

    comparisons = compare_figures(runs)
    gallery = Gallery(folder)
    pictures = [gallery.copy_run(run, number) for number, run in enumerate(runs)]
    write_documents(table, folder)
    write_comparisons(folder, comparisons, [layout.run_name(number, run.label) for number, run in enumerate(runs)])
    thumbnails = [None if one.result is None else folder / one.result.thumbnail for one in pictures]
    study = build_study(runs, layout)
    bands = seed_bands(study, runs)
    with figure_fonts():
        draw_contact_sheet(folder / "contact_sheet.png", runs, layout, thumbnails, choice)
        draw_losses([folder / "losses.png", folder / "losses.pdf"], runs, layout, bands)
    data = PageData(
        title=title,
        runs=runs,
        layout=layout,
        table=table,
        choice=choice,
        pictures=pictures,
        inputs=gallery.copy_shared_inputs(runs),
        curves=curve_data(runs, layout),
        comparisons=comparisons,
        step_pictures=[
            StepPicture(number, step, picture)
            for number, step in pictured_steps(comparisons)
            if (picture := gallery.copy_snapshot(runs[number], number, step)) is not None
        ],
        bands=band_data(bands, runs),
        study=write_study(folder, study, runs, table, pictures, spread),
    )
    return write_page(folder / "index.html", data)


def _title(folders: Sequence[str | Path]) -> str:
    names = [Path(folder).absolute().name for folder in folders]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
