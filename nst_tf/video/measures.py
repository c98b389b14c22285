"""Measures of the temporal consistency of a film, a row for each frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas

from nst_tf.images import read_picture
from nst_tf.util.files import write_atomically, write_text
from nst_tf.video.consistency import temporal_error, warp
from nst_tf.video.folder import VideoFolder
from nst_tf.video.neighbours import Flows
from nst_tf.video.plots import film_plot

SHORT, LONG = 1, 5
"""Distances in frames of the short-term and of the long-term error."""

ERRORS = ("error_short", "error_long", "source_short", "source_long")
"""Columns of the temporal errors of a frame and of its source."""

COSTS = ("steps", "seconds")
"""Columns of the costs of a frame that the record has."""

JUDGED = "judged/"
"""Prefix of the columns of the judge's scores."""

JUDGE = f"{JUDGED}judge"
"""Column with the name of the judge."""


def measure_film(folder: VideoFolder, flows: Flows, count: int, passes: int = 1) -> dict[str, Any]:
    """Write `frames.csv` and the plot of the errors, and return the measures of the whole film.

    The error of a frame is ``√(Σ m |x − ω|² / Σ m)`` towards the frame `SHORT` or `LONG` frames before; that of the
    film is the square root of the mean square over the frames. The weights m are exact for a made-up scene. For any
    other film they are the consistency weights of the flow, without their softening.

    Args:
        folder: The folder, with all frames.
        flows: Flows between the frames.
        count: Number of frames.
        passes: Number of passes, over which steps, evaluations and seconds are added up.

    Returns:
        ``error_short``, ``error_long``, ``source_short`` and ``source_long`` in units of [0, 1]; the last two are those
        of the source, whose changes are no fault of the method. Also ``steps`` and ``seconds``, the means by frame from
        the second frame on, and ``first_steps`` and ``first_seconds``, the same of the first frame. If one judge
        has scored all frames, ``judge`` is its name, and ``judged/NAME`` the mean of a score over the frames.
    """
    flows = flows.known()
    flows = replace(flows, consistency=replace(flows.consistency, sigma=0.0))
    table = pandas.DataFrame([_row(folder, flows, number, passes) for number in range(1, count + 1)])
    write_text(folder.table, table.to_csv(index=False))
    write_atomically(folder.plot, film_plot(table, SHORT, LONG))
    return _errors(table) | _costs(table) | _mean_scores(table)


def _errors(table: pandas.DataFrame) -> dict[str, float | None]:
    """Return the errors of the film and of its source over all frames."""
    return {
        name: _finite(np.sqrt(np.nanmean(np.square(table[name])))) if table[name].notna().any() else None
        for name in ERRORS
    }


def _costs(table: pandas.DataFrame) -> dict[str, float | None]:
    """Return steps and seconds of the first frame, and their means over the others."""
    later = table.iloc[1:] if len(table) > 1 else table
    means = {name: _finite(later[name].mean()) for name in COSTS}
    return means | {f"first_{name}": _finite(table[name].iloc[0]) for name in COSTS}


def _mean_scores(table: pandas.DataFrame) -> dict[str, Any]:
    """Return the name of the judge and the means of the scores; nothing unless one judge has scored all frames."""
    if JUDGE not in table or table[JUDGE].isna().any() or table[JUDGE].nunique() > 1:
        return {}
    numbers = table.filter(like=JUDGED).select_dtypes("number").mean()
    return {"judge": str(table[JUDGE].iloc[0])} | {str(name): _finite(mean) for name, mean in numbers.items()}


def _finite(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _row(folder: VideoFolder, flows: Flows, number: int, passes: int) -> dict[str, Any]:
    """Return the row of one frame: its errors, its costs, the end of its run, and its scores if it was judged."""
    row: dict[str, Any] = {"frame": number}
    for name, distance in (("short", SHORT), ("long", LONG)):
        row[f"error_{name}"] = row[f"source_{name}"] = float("nan")
        if number > distance:
            other = number - distance
            weights, flow = _visible(flows, number, other), flows.between(number, other)
            for kind, path_of in (("error", folder.frame), ("source", folder.source_frame)):
                present, past = (read_picture(str(path_of(n).absolute())).pixels for n in (number, other))
                row[f"{kind}_{name}"] = temporal_error(present, warp(past, flow), weights)
    records = [folder.frame_run(number, turn).read_record() for turn in range(1, passes + 1)]
    record = records[-1]
    row["status"] = record.get("status")
    row |= {key: sum(each.get(key) or 0 for each in records) for key in ("steps", "evaluations", "seconds")}
    row["total"] = (record.get("final") or {}).get("total")
    return row | {f"{JUDGED}{name}": value for name, value in (record.get("scores") or {}).items()}


def _visible(flows: Flows, number: int, other: int) -> np.ndarray:
    """Return the positions of a frame that another frame shows, ``(H, W)``."""
    visible = flows.visible(number, other)
    return flows.weights(number, other) if visible is None else visible.astype(np.float32)
