"""A report from run folders: everything is gathered first, then written, the page last."""

from collections.abc import Sequence
from pathlib import Path

from nst_tf.reports.axes import build_layout
from nst_tf.reports.comparison import compare_figures, pictured_steps, write_printed
from nst_tf.reports.contact_sheet import draw_contact_sheet
from nst_tf.reports.curves import curves, draw_losses
from nst_tf.reports.documents import write_documents
from nst_tf.reports.page import PageData, write_page
from nst_tf.reports.pictures import Gallery
from nst_tf.reports.reading import find_runs
from nst_tf.reports.table import build_table
from nst_tf.util.errors import InputError


def write_report(folders: Sequence[str | Path], destination: str | Path | None = None, best: str | None = None) -> Path:
    """Set runs side by side.

    Writes ``index.html``, ``pictures/``, ``table.csv``, ``table.md``, ``table.tex``, ``contact_sheet.png``,
    ``losses.png`` and ``losses.pdf``; where papers printed figures of such runs, ``printed.csv`` and ``printed.md``.
    The folder needs nothing outside itself and can be moved: the pictures are copies, and small ones, curves and
    scripts lie within the page.

    Args:
        folders: Run folders, sweeps, or folders of these.
        destination: The report's folder; by default ``report`` in the one folder given, ``outputs/report`` for
            several.
        best: Column of the table that decides on the best run; see `nst_tf.reports.table.build_table`.

    Returns:
        The page.

    Raises:
        InputError: A folder is missing, none holds a run, the report cannot be written, or ``best`` is no column.
    """
    runs = find_runs(folders)
    sheet = build_layout(runs)
    table = build_table(runs, sheet, best)
    comparisons = compare_figures(runs)
    folder = Path(destination or (Path(folders[0]) / "report" if len(folders) == 1 else Path("outputs/report")))
    try:
        gallery = Gallery(folder)
        shown = [gallery.of_run(run, number) for number, run in enumerate(runs)]
        contents = [gallery.content_of(run, picture) for run, picture in zip(runs, shown, strict=True)]
        write_documents(table, folder)
        write_printed(folder, comparisons, [sheet.name(number, run.label) for number, run in enumerate(runs)])
        images = [None if picture is None else picture.image for picture in shown]
        draw_contact_sheet(folder / "contact_sheet.png", runs, sheet, images, table.best)
        draw_losses([folder / "losses.png", folder / "losses.pdf"], runs, sheet)
        data = PageData(
            title=_title(folders),
            runs=runs,
            sheet=sheet,
            table=table,
            pictures=shown,
            contents=contents,
            inputs=gallery.inputs_of(runs),
            curves=curves(runs, sheet),
            comparisons=comparisons,
            early=[
                (n, step, at) for n, step in pictured_steps(comparisons) if (at := gallery.at_step(runs[n], n, step))
            ],
        )
        return write_page(folder / "index.html", data)
    except OSError as error:
        raise InputError(f"Cannot write the report '{folder}': {error.strerror or error}; choose another") from error


def _title(folders: Sequence[str | Path]) -> str:
    names = [Path(folder).absolute().name for folder in folders]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
