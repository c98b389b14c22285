"""Reading of `metrics.csv`, the table of losses."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from nst_tf.runs.folder import METRICS_COUNTERS
from nst_tf.runs.record_fields import LARGEST_COUNT
from nst_tf.util.files import read_regular_file

LARGEST_TABLE = 2**28
"""Largest size of a table in bytes. A table of 100000 steps and 100 columns has about 200 MB."""

if TYPE_CHECKING:
    import pandas


def read_metrics(path: Path) -> pandas.DataFrame:
    """Read the complete rows of a `metrics.csv`; return an empty frame where there are none.

    Args:
        path: The file, which may come from elsewhere. No file is read that is not regular or exceeds `LARGEST_TABLE`.
    """
    import pandas

    empty = pandas.DataFrame(columns=list(METRICS_COUNTERS))
    try:
        content = read_regular_file(path, LARGEST_TABLE)
        frame = pandas.read_csv(io.BytesIO(content), on_bad_lines="skip")
    except (OSError, ValueError):  # missing, empty, or not a text
        return empty
    if not set(METRICS_COUNTERS) <= set(frame.columns):
        return empty
    for name in frame.columns[[not pandas.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]]:
        frame[name] = pandas.to_numeric(frame[name], errors="coerce")
    counters = frame[["step", "evaluations", "seconds"]].to_numpy()
    valid = ((counters >= 0) & (counters <= LARGEST_COUNT)).all(axis=1)  # NaN is neither
    return frame if valid.all() else frame[valid].reset_index(drop=True)
