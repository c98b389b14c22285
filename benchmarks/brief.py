"""The first lines of the page: what a reader wants to know, as far as it has been measured."""

import shutil
import subprocess
from collections.abc import Iterator

import pandas

from benchmarks.peers import PEERS
from benchmarks.race_tables import BEST, DASH, DEFAULT, median_and_range, race_ratios
from benchmarks.variants import DEFAULT_STEPS, PICTURE_VARIANTS, TARGET_VARIANTS


def gpu_name() -> str:
    """Return the name of this machine's GPU, as NVIDIA's driver gives it; empty without one."""
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else ""


def brief_lines(frame: pandas.DataFrame, gpu: str) -> list[str]:
    """Return the lines; what has not been measured has none.

    Args:
        frame: The measurements, with the fields of `Measurement` as columns.
        gpu: Name of the machine's GPU; empty without one.
    """
    makers = (_picture, lambda frame: _gpu(gpu), _growth, _evaluation, _memory, _races)
    return [line for make in makers for line in make(frame)]


def _picture(frame: pandas.DataFrame) -> Iterator[str]:
    """Yield the seconds of one picture with each method and precision."""
    rows = frame[frame.measurement == "picture"]
    for size, pictures in rows.groupby("size", sort=False):
        seconds = pictures.set_index("contestant").value
        figures = [f"{seconds[name]:.0f} s with {name}" for name in PICTURE_VARIANTS if name in seconds]
        yield f"A picture of {size} px takes {_listed(figures)} on this machine, with {DEFAULT_STEPS} steps."


def _gpu(name: str) -> Iterator[str]:
    """Yield where the figures are from."""
    if name:
        yield f"The figures are from a machine with a GPU, {name}, on which both sides compute."
    else:
        yield "No figure is from a GPU: nothing has been measured on one."


def _growth(frame: pandas.DataFrame) -> Iterator[str]:
    """Yield how many times as long an evaluation of the largest picture takes as one of the smallest."""
    rows = frame[frame.measurement.isin(["area", "evaluation"])]
    figures, sizes = [], (0, 0)
    for name in ("nst_tf float32", "nst_tf bfloat16"):
        seconds = rows[rows.contestant == name].groupby("size").value.min()
        if len(seconds) > 1:
            sizes = seconds.index.min(), seconds.index.max()
            figures.append(f"{seconds[sizes[1]] / seconds[sizes[0]]:.0f} times in {name.removeprefix('nst_tf ')}")
    if figures:
        area = (sizes[1] / sizes[0]) ** 2
        yield (
            f"From {sizes[0]} to {sizes[1]} px, which is {area:.0f} times the pixels, the time of an evaluation grows "
            f"{_listed(figures)}."
        )


def _evaluation(frame: pandas.DataFrame) -> Iterator[str]:
    """Yield the seconds of one evaluation of the largest picture on both sides."""
    size, seconds = _of_the_largest(frame, "evaluation")
    figures = [
        f"{seconds[f'nst_tf {precision}']:.2f} s in {precision} ({seconds[f'PyTorch {precision}']:.2f} s in PyTorch)"
        for precision in ("float32", "bfloat16")
        if {f"nst_tf {precision}", f"PyTorch {precision}"} <= set(seconds.index)
    ]
    if figures:
        yield f"An evaluation of the same objective at {size} px, forward and backward, takes {_listed(figures)}."


def _memory(frame: pandas.DataFrame) -> Iterator[str]:
    """Yield the smallest and the default memory for the largest picture."""
    size, mib = _of_the_largest(frame, "memory")
    figures = [
        f"{mib[name]:.0f} MiB by {name}"
        for name in ("nst_tf float32", "nst_tf bfloat16, recompute", "PyTorch float32")
        if name in mib
    ]
    if figures:
        yield f"A process at {size} px needs {_listed(figures)}."


def _of_the_largest(frame: pandas.DataFrame, measurement: str) -> tuple[int, pandas.Series]:
    """Return the size of the largest picture of a measurement, and the least value of each contestant there."""
    rows = frame[frame.measurement == measurement]
    size = rows["size"].max()
    return size, rows[rows["size"] == size].groupby("contestant").value.min()


def _races(frame: pandas.DataFrame) -> Iterator[str]:
    """Yield for each program how many times as fast this program is: first against its best, then its default."""
    for (key, size), race in race_ratios(frame).groupby(["peer", "size"], sort=False):
        figures = [figure for name in TARGET_VARIANTS for figure in _variant(race, name)]
        if figures:
            best_setting = " or ".join(dict.fromkeys(race["best setting"]))
            default, best = (median_and_range(race[column], ".0f") for column in (DEFAULT, BEST))
            if _is_best_by_default(race):
                by_default = ", which is its default"
            else:
                by_default = "" if race[DEFAULT].isna().all() else f" and {default} s by default"
            yield (
                f"To the loss of the picture that {PEERS[key].name} saves by default, {size} px, {_count(len(race))}: "
                f"it takes {best} s at its best ({best_setting}){by_default}. {' '.join(figures)}"
            )


def _is_best_by_default(race: pandas.DataFrame) -> bool:
    """Return whether the published setting is the fastest one for every pair."""
    return bool(race[BEST].equals(race[DEFAULT]))


def _variant(race: pandas.DataFrame, name: str) -> Iterator[str]:
    """Yield a sentence on one variant of this program, if it has been measured."""
    if race[f"{name}, s"].isna().all():
        return
    seconds = median_and_range(race[f"{name}, s"], ".0f")
    ratios = [
        f"{median_and_range(race[f'{name}: ratio to its {setting}'], '.1f')} times as fast as its {setting}"
        for setting, column in (("best", BEST), ("default", DEFAULT))
        if not race[column].isna().all() and (column == BEST or not _is_best_by_default(race))
    ]
    precision = name.removeprefix("nst_tf ")
    if seconds == DASH:
        yield f"In {precision}, nst_tf does not reach it."
    else:
        yield f"In {precision}, nst_tf takes {seconds} s, which is {', and '.join(ratios)}."


def _count(pairs: int) -> str:
    return "one pair of pictures" if pairs == 1 else f"median (range) of {pairs} pairs"


def _listed(figures: list[str]) -> str:
    """Join parts of a sentence: ``a, b and c``."""
    return " and ".join(part for part in (", ".join(figures[:-1]), figures[-1]) if part)
