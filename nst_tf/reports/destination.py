"""The folder of a report: its default, and the one line that names it when it cannot be written."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from nst_tf.util.errors import InputError


def report_folder(folders: Sequence[str | Path], destination: str | Path | None) -> Path:
    """Return the destination, by default ``report`` in the one folder given, or ``outputs/report`` for several."""
    return Path(destination or (Path(folders[0]) / "report" if len(folders) == 1 else Path("outputs/report")))


@contextlib.contextmanager
def naming_failures(folder: Path) -> Iterator[None]:
    """Raise `InputError` in place of an error of the file system within the block.

    Args:
        folder: The folder of the report.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"Cannot write the report '{folder}': {error.strerror or error}. Choose another folder."
        ) from error
