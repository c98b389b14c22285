"""Measures of the temporal consistency of a film, a row for each frame."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pandas

from nst_tf.images import read_picture
from nst_tf.util.files import write_atomically, write_text
from nst_tf.video.consistency import temporal_error, warp
from nst_tf.video.folder import VideoFolder
from nst_tf.video.neighbours import Flows

SHORT, LONG = 1, 5
"""Distances in frames of the short-term and of the long-term error."""


def measure_film(folder: VideoFolder, flows: Flows, count: int, passes: int = 1) -> dict[str, Any]:
    """Write `frames.csv` and the plot of the errors, and return the errors of the whole film.

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
        the second frame on, the same of the first frame, and the mean scores if the frames were judged.
    """
    flows = flows.known()
    flows = replace(flows, consistency=replace(flows.consistency, sigma=0.0))
    table = pandas.DataFrame([_row(folder, flows, number, passes) for number in range(1, count + 1)])
    write_text(folder.table, table.to_csv(index=False))
    write_atomically(folder.plot, _plot(table))
    errors = {
        name: _finite(np.sqrt(np.nanmean(np.square(table[name])))) if table[name].notna().any() else None
        for name in ("error_short", "error_long", "source_short", "source_long")
    }
    scores = {name: _finite(table[name].mean()) for name in table if str(name).startswith("judged/")}
    later = table.iloc[1:] if count > 1 else table
    pace = {name: _finite(later[name].mean()) for name in ("steps", "seconds")}
    return errors | scores | pace | {f"first_{name}": _finite(table[name].iloc[0]) for name in ("steps", "seconds")}


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
    return row | {f"judged/{name}": value for name, value in (record.get("scores") or {}).items()}


def _visible(flows: Flows, number: int, other: int) -> np.ndarray:
    """Return the positions of a frame that another frame shows, ``(H, W)``."""
    visible = flows.visible(number, other)
    return flows.weights(number, other) if visible is None else visible.astype(np.float32)


def _plot(table: pandas.DataFrame) -> bytes:
    """Return a PNG of the errors over the frames."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    for name, label, style in (
        ("error_short", f"result, {SHORT} frame apart", "C0-"),
        ("error_long", f"result, {LONG} frames apart", "C1-"),
        ("source_short", f"source, {SHORT} frame apart", "C0:"),
        ("source_long", f"source, {LONG} frames apart", "C1:"),
    ):
        if table[name].notna().any():
            axes.plot(table["frame"], table[name], style, marker=".", label=label)
    axes.set(xlabel="frame", ylabel="temporal error", ylim=(0, None))
    if axes.lines:
        axes.legend(fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
