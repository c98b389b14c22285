"""The page of the benchmark: tables of the measurements, and a plot."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import jinja2
import pandas
from matplotlib.figure import Figure

from benchmarks.brief import brief_lines, gpu_name
from benchmarks.ledger import COLUMNS, Ledger
from benchmarks.peers import PEERS
from benchmarks.race_tables import RACE, RACE_COLUMNS, median_and_range, race_ratios, race_table
from benchmarks.variants import GFLOP_PER_PIXEL, PRECISIONS
from nst_tf.runs.record import library_versions
from nst_tf.system import hardware

PAGE = """# Benchmarks

## In brief

{% for line in brief -%}
- {{ line }}
{% endfor %}

## How it was measured

This command wrote the page from all measurements so far:

```
{{ command }}
```

- Machine: {{ machine }}.{{ left_out }}
- Versions: {{ versions }}.
- Pictures of all measurements but the race: {{ pair }}.
- Objective of all measurements but the race and the pictures: that of neural-style-pt on VGG-19 to conv5_1,
  {{ formula }}.
- PyTorch: an implementation in this repository with the published settings of the other programs. It uses
  channels-last tensors and oneDNN, and computes the targets once.
- Each side runs in its own process, and only one process computes at a time.
{% for title, text, table in sections %}

## {{ title }}

{{ text }}

{{ table }}
{% endfor %}

![Seconds per evaluation against the area of the picture, and loss curves of the other programs]({{ plot }})
"""


def write_page(
    ledger: Ledger, page: Path, plot: Path, command: str, pair: str, precisions: Sequence[str] = PRECISIONS
) -> None:
    """Write the page and its plot.

    Args:
        ledger: The measurements.
        page: The Markdown file to write.
        plot: The PNG file to write, which the page shows.
        command: The command of the benchmark.
        pair: Name of the first pair of pictures.
        precisions: Precisions that are measured on this machine.
    """
    frame = pandas.DataFrame([asdict(entry) for entry in ledger.entries], columns=COLUMNS)
    makers = (_race_medians, _races, _pictures, _evaluations, _memory, _startup)
    sections = [section for make in makers if (section := make(frame)) is not None]
    _draw(frame, plot)
    gpu = gpu_name()
    text = jinja2.Template(PAGE, trim_blocks=True, keep_trailing_newline=True).render(
        brief=brief_lines(frame, gpu),
        command=command,
        machine=hardware.describe_machine() + (f", {gpu}" if gpu else ""),
        left_out=_left_out(precisions),
        versions=", ".join(f"{name} {version}" for name, version in {**library_versions(), **_torch_version()}.items()),
        pair=pair,
        formula=PEERS["neural_style"].formula,
        sections=sections,
        plot=plot.relative_to(page.parent).as_posix() if plot.is_relative_to(page.parent) else plot.as_posix(),
    )
    page.write_text(text, encoding="utf-8")


def _left_out(precisions: Sequence[str]) -> str:
    """Return a sentence on the precisions that are not measured on this machine; empty if all are."""
    left_out = [name for name in PRECISIONS if name not in precisions]
    return f" It has no instructions for {' and '.join(left_out)}, not measured here." if left_out else ""


def _torch_version() -> dict[str, str]:
    from importlib.metadata import version

    return {"torch": version("torch")}


Section = tuple[str, str, str]
"""Title, text and table of a section."""


def _table(frame: pandas.DataFrame, formats: tuple[str, ...]) -> str:
    """Return the frame as a Markdown table with a dash for each missing number."""
    values = frame.astype(object).where(frame.notna(), None)
    return str(values.to_markdown(index=False, floatfmt=formats, missingval="–"))


def _evaluations(frame: pandas.DataFrame) -> Section | None:
    """Return smallest and median seconds, the ratio to PyTorch in float32, and the fraction of the machine's peak."""
    rows = frame[frame.measurement == "evaluation"]
    if rows.empty:
        return None
    peaks = frame[frame.measurement == "peak"].set_index("contestant").value
    table = rows.groupby(["size", "contestant"], sort=False).value.agg(["min", "median"]).reset_index()
    base = table[table.contestant == "PyTorch float32"].set_index("size")["min"]
    table["ratio to PyTorch float32"] = table["min"] / table["size"].map(base)
    table["GFLOP/s"] = GFLOP_PER_PIXEL * table["size"] ** 2 / table["min"]
    ceiling = table.contestant.map(lambda name: peaks.get("convolution " + name.split()[1], float("nan")))
    table["fraction of the peak"] = table["GFLOP/s"] / ceiling
    text = (
        "Seconds of one evaluation, forward and backward, of square pictures: the minimum and the median over "
        "alternating rounds."
    )
    if not peaks.empty:
        figures = ", ".join(f"{name.removeprefix('convolution ')} {value:.0f} GFLOP/s" for name, value in peaks.items())
        text += (
            f" The peak is the speed of the fastest plain 3x3 convolution of VGG-19 on this machine: {figures}. "
            "Operations are counted as those of plain convolutions; Winograd's method takes fewer, and its fraction "
            "can be above 1."
        )
    return "Evaluation", text, _table(table, ("", "", ".3f", ".3f", ".2f", ".0f", ".2f"))


def _memory(frame: pandas.DataFrame) -> Section | None:
    rows = frame[frame.measurement == "memory"]
    if rows.empty:
        return None
    table = rows[["size", "contestant", "value"]].rename(columns={"value": "MiB"})
    base = table[table.contestant == "PyTorch float32"].set_index("size")["MiB"]
    table["ratio to PyTorch float32"] = table["MiB"] / table["size"].map(base)
    return "Memory", "Peak memory of the whole process for square pictures.", _table(table, ("", "", ".0f", ".2f"))


def _startup(frame: pandas.DataFrame) -> Section | None:
    rows = frame[frame.measurement == "startup"]
    if rows.empty:
        return None
    table = rows[["contestant", "value"]].rename(columns={"value": "s"})
    text = "Seconds of a complete command with one step at 64 pixels: imports, weights, compilation, step and saving."
    return "Start-up", text, _table(table, ("", ".1f"))


def _pictures(frame: pandas.DataFrame) -> Section | None:
    rows = frame[frame.measurement == "picture"]
    if rows.empty:
        return None
    table = rows[["size", "contestant", "value"]].rename(columns={"value": "s"})
    text = "Seconds of a complete command with the default number of steps, from imports to saving."
    return "One picture", text, _table(table, ("", "", ".1f"))


def _race_medians(frame: pandas.DataFrame) -> Section | None:
    """Return the seconds of each program by default and at its best, those of this program, and their ratios."""
    races = race_ratios(frame)
    if races.empty:
        return None
    rows = []
    for (key, size), race in races.groupby(["peer", "size"], sort=False):
        best = " or ".join(dict.fromkeys(race["best setting"]))
        row = {"program": PEERS[key].name, "size": size, "pairs": len(race), "its best setting": best}
        row |= {name: median_and_range(race[name], ".1f") for name in RACE_COLUMNS if races[name].notna().any()}
        rows.append(row)
    table = pandas.DataFrame(rows)
    return "Time to the loss of the peer's default picture", RACE, _table(table, ("",) * len(table.columns))


def _races(frame: pandas.DataFrame) -> Section | None:
    """Return seconds and losses of every contestant for every pair of pictures."""
    table = race_table(frame)
    if table.empty:
        return None
    table["program"] = table["peer"].map(lambda key: PEERS[key].name)
    table["seconds"] = table["seconds"].replace(math.inf, math.nan)
    table = table[["program", "size", "pair", "contestant", "seconds", "loss", "loss by nst_tf"]]
    differences = frame[frame.measurement == "target difference"].value
    text = (
        "All contestants. A dash means that no snapshot reached the target, or, in PyTorch, not before the program's "
        "best setting so far, when it ends; the losses are then those of the last snapshot. A published setting with a "
        "dash was not timed. "
        "`loss` is by the program's own formula, which counts. It differs from nst_tf's by at most "
        f"{differences.max():.1e} of the loss. For this, style-transfer-pytorch's matrix roots are computed "
        "exactly; the program ends their iteration before it converges."
    )
    return "Every race", text, _table(table, ("", "", "", "", ".1f", ".6g", ".6g"))


def _draw(frame: pandas.DataFrame, plot: Path) -> None:
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, rows in frame[frame.measurement == "area"].groupby("contestant", sort=False):
        left.loglog(rows["size"] ** 2 / 1e6, rows.value, marker="o", label=name)
    left.set(xlabel="megapixels", ylabel="seconds per evaluation", title="Seconds against area")
    curve = frame[frame.measurement == "target curve"].drop_duplicates(["contestant", "size"])
    for (size, name), rows in curve.groupby(
        [curve["size"], curve.contestant.map(lambda row: row.rpartition(", ")[0])], sort=False
    ):
        steps = rows.contestant.str.rpartition(", ")[2].astype(int)
        right.semilogy(steps, rows.value / rows.value.iloc[-1], label=f"{name}, {size} px")
    right.set(xlabel="steps", ylabel="loss / loss at the end", title="Other programs by default")
    for axes in (left, right):
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(plot, dpi=110)
