"""Tables of the race: every contestant, and the ratios of each program's seconds to those of this program."""

import math

import pandas

from benchmarks.peers import PEERS, PeerProgram
from benchmarks.time_to_target import SNAPSHOT_INTERVAL
from benchmarks.variants import TARGET_STEPS, TARGET_VARIANTS

DEFAULT, BEST = "its default, s", "its best, s"
"""Columns of a program's seconds: of its published setting, and of its setting that reaches the target first."""

RACE_COLUMNS = (
    DEFAULT,
    BEST,
    *(f"{name}, s" for name in TARGET_VARIANTS),
    *(f"{name}: ratio to its best" for name in TARGET_VARIANTS),
    *(f"{name}: ratio to its default" for name in TARGET_VARIANTS),
)
"""Columns of numbers in the table of medians."""


def _peer_line(peer: PeerProgram) -> str:
    others = ", or ".join(f"{setting.name} ({setting.steps} steps)" for setting in peer.others)
    default = f"{peer.default.name} ({peer.default.steps} steps)"
    return f"- {peer.name}: {peer.formula}\n    - {default}" + (f"; other settings: {others}" if others else "")


RACE = f"""Each program runs to its end with its published setting. The loss of the picture that it saves is the target.
The table has the seconds until a saved picture has this loss: with the program's published setting, with the one of its
settings below that reaches it first, and with this program. A ratio is the program's seconds over this program's for
one pair of pictures. Where there are several pairs, a cell has the median, and the smallest and the largest value in
brackets. A dash means that the target was not reached, or that a published setting was not timed, because it ran beside
other work.

All pictures are read from their 8-bit PNG files, and their losses are computed in float32, from the same pixels, by the
program's own formula in PyTorch and by this program's. A picture is saved every {SNAPSHOT_INTERVAL} steps, while the
clock stands still. The seconds include compilation, but not imports. The programs, their objectives, and their default
settings:

{chr(10).join(_peer_line(peer) for peer in PEERS.values())}

TensorFlow's tutorial and Keras's example run on this program's engine in float32, which is faster than their own loops.
The learning rate of Keras's example is meant for 400 rows and diverges for fewer, so it shrinks with the area. NNST is
left out: its targets are matched anew during a run, so that no loss of a saved picture can be the target.

This program starts from the photograph with its default optimiser and takes at most {TARGET_STEPS} steps. A program
without a row has not been raced at its best settings."""
"""Text above the table of medians."""

DASH = "–"
"""Text of a cell without a number."""

_LOSS, _LOSS_BY_US, _SECONDS = "target loss", "target loss by nst_tf", "target seconds"


def race_table(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Return seconds and losses of every contestant, with columns for program, size, pair and contestant."""
    rows = frame[frame.measurement.isin([_SECONDS, _LOSS, _LOSS_BY_US])].copy()
    rows[["peer", "contestant"]] = rows.contestant.str.extract(r"(\w+): (.*)")
    keys = ["peer", "size", "pair", "contestant"]
    table = rows.drop_duplicates([*keys, "measurement"]).pivot(index=keys, columns="measurement", values="value")
    order = rows[keys].drop_duplicates()
    names = {_SECONDS: "seconds", _LOSS: "loss", _LOSS_BY_US: "loss by nst_tf"}
    return order.merge(table.rename(columns=names).reset_index(), on=keys)


def race_ratios(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Return one row for each program, size and pair with the columns of `RACE_COLUMNS` and ``best setting``.

    A contestant that did not reach the target has infinite seconds, and this program then the ratio 0. A published
    setting that was not timed has NaN seconds. Contestants that have not been measured are missing. A best setting
    needs all settings of the program.
    """
    rows = []
    for (key, size, pair), race in race_table(frame).groupby(["peer", "size", "pair"], sort=False):
        seconds = race.set_index("contestant")["seconds"]
        settings = [setting.name for setting in PEERS[key].settings]
        if not set(settings) <= set(seconds.index):
            continue
        best = seconds[settings].idxmin()
        row = {"peer": key, "size": size, "pair": pair, "best setting": best}
        row |= {DEFAULT: seconds[settings[0]], BEST: seconds[best]}
        for name in TARGET_VARIANTS:
            ours = seconds.get(name, math.nan)
            row |= {f"{name}, s": ours}
            row |= {
                f"{name}: ratio to its best": row[BEST] / ours,
                f"{name}: ratio to its default": row[DEFAULT] / ours,
            }
        rows.append(row)
    return pandas.DataFrame(rows, columns=["peer", "size", "pair", "best setting", *RACE_COLUMNS])


def median_and_range(values: pandas.Series, digits: str) -> str:
    """Return the median, and the range where there are several values: ``2.8 (2.1–3.5)``.

    Infinite seconds and a ratio of 0 mean that the target was not reached. They count in the median, and the text says
    how many there are.
    """
    measured = values.dropna()
    reached = measured[measured.map(_is_reached)]
    if reached.empty:
        return DASH
    missed = len(measured) - len(reached)
    middle = format(measured.median(), digits) if _is_reached(measured.median()) else DASH
    notes = [f"{reached.min():{digits}}–{reached.max():{digits}}"] if len(measured) > 1 else []
    notes += [f"not reached in {missed} of {len(measured)}"] if missed else []
    return f"{middle} ({', '.join(notes)})" if notes else middle


def _is_reached(value: float) -> bool:
    return 0 < value < math.inf
