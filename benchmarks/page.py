"""From figures to a page with tables and a plot."""

import math
from pathlib import Path

import jinja2
import pandas
from matplotlib.figure import Figure

from benchmarks.ledger import Ledger
from benchmarks.measurements import GFLOP_A_PIXEL, PEERS, RACE_STEPS
from nst_tf.runs.folder import versions
from nst_tf.system import hardware

PAGE = """# Benchmarks

Written by a program, not by hand:

```
{{ command }}
```

Machine: {{ machine }}.
Versions: {{ versions }}.
Content {{ content }}, style {{ style }}; VGG-19 to conv5_1, the objective of neural-style-pt
(5 · mean (F−P)² + 100 · Σ mean (ΔG)² + 1e-3 · Σ |Δ|). The PyTorch side is a rendering of that program's published
settings written here: channels last, oneDNN, targets computed once. Each side has a process of its own; only one
computes at a time.
{% for title, text, table in sections %}

## {{ title }}

{{ text }}

{{ table }}
{% endfor %}

![Seconds an evaluation against the picture's area, and the peers' losses by evaluation]({{ plot }})
"""


RACE = (
    "Each peer is run to its end by its own settings; then the time until our saved picture, read back from its 8-bit "
    "PNG, has no higher a loss under that same objective than the peer's saved picture has, judged in float32. "
    "neural_style: neural-style-pt, from noise, 1000 evaluations of L-BFGS. crowsonkb: style-transfer-pytorch, from "
    "the content over five sizes up to this one, 3000 steps of Adam. tf_tutorial: TensorFlow's tutorial, from the "
    "content, 1000 steps of Adam, run by our own engine in float32, faster than the tutorial's own loop. We go from "
    f"the content by our default optimiser, for {RACE_STEPS} steps at most; a dash: not reached in these, at best to "
    "the loss given. tf_tutorial's total variation, Σ |Δ| at weight 30, has a kink wherever two neighbours are equal, "
    "which L-BFGS pays for. Seconds of optimisation, compiling included, imports not."
)


def write_page(ledger: Ledger, page: Path, plot: Path, command: str, content: str, style: str) -> None:
    """Write the page and its plot.

    Args:
        ledger: The figures.
        page: A Markdown file.
        plot: A PNG file; the page shows it.
        command: That made the figures.
        content: The photograph's name.
        style: The painting's name.
    """
    frame = pandas.DataFrame(ledger.entries)
    sections = [made for make in (_evaluations, _memory, _startup, _race) if (made := make(frame)) is not None]
    _draw(frame, plot)
    text = jinja2.Template(PAGE, trim_blocks=True, keep_trailing_newline=True).render(
        command=command,
        machine=hardware.describe_machine(),
        versions=", ".join(f"{name} {version}" for name, version in {**versions(), **_torch()}.items()),
        content=content,
        style=style,
        sections=sections,
        plot=plot.relative_to(page.parent).as_posix() if plot.is_relative_to(page.parent) else plot.as_posix(),
    )
    page.write_text(text, encoding="utf-8")


def _torch() -> dict[str, str]:
    from importlib.metadata import version

    return {"torch": version("torch")}


Section = tuple[str, str, str]


def _table(frame: pandas.DataFrame, formats: tuple[str, ...]) -> str:
    """Markdown; a dash where a number is missing."""
    told = frame.astype(object).where(frame.notna(), None)
    return str(told.to_markdown(index=False, floatfmt=formats, missingval="–"))


def _evaluations(frame: pandas.DataFrame) -> Section | None:
    """Best and median seconds, the ratio to PyTorch's float32, and the part of the machine's peak."""
    rows = frame[frame.measurement == "evaluation"]
    if rows.empty:
        return None
    peaks = frame[frame.measurement == "peak"].set_index("contestant").value
    table = rows.groupby(["size", "contestant"], sort=False).value.agg(["min", "median"]).reset_index()
    base = table[table.contestant == "PyTorch float32"].set_index("size")["min"]
    table["of PyTorch float32"] = table["min"] / table["size"].map(base)
    table["GFLOP/s"] = GFLOP_A_PIXEL * table["size"] ** 2 / table["min"]
    ceiling = table.contestant.map(lambda name: peaks.get("convolution " + name.split()[1], float("nan")))
    table["of the peak"] = table["GFLOP/s"] / ceiling
    text = "Seconds an evaluation (forward and backward), square pictures; least and median over alternating rounds."
    if not peaks.empty:
        figures = ", ".join(f"{name.removeprefix('convolution ')} {value:.0f} GFLOP/s" for name, value in peaks.items())
        text += f" The machine's peak is its fastest 3x3 convolution of VGG-19's alone: {figures}."
    return "An evaluation", text, _table(table, ("", "", ".3f", ".3f", ".2f", ".0f", ".2f"))


def _memory(frame: pandas.DataFrame) -> Section | None:
    rows = frame[frame.measurement == "memory"]
    if rows.empty:
        return None
    table = rows[["size", "contestant", "value"]].rename(columns={"value": "MiB"})
    base = table[table.contestant == "PyTorch float32"].set_index("size")["MiB"]
    table["of PyTorch float32"] = table["MiB"] / table["size"].map(base)
    return "Memory", "Peak of the whole process, square pictures.", _table(table, ("", "", ".0f", ".2f"))


def _startup(frame: pandas.DataFrame) -> Section | None:
    rows = frame[frame.measurement == "startup"]
    if rows.empty:
        return None
    table = rows[["contestant", "value"]].rename(columns={"value": "s"})
    text = "A whole command of one step at 64 pixels: imports, weights, compiling, saving."
    return "Start-up", text, _table(table, ("", ".1f"))


def _race(frame: pandas.DataFrame) -> Section | None:
    """Seconds to each peer's saved picture."""
    rows = frame[frame.measurement.isin(["race seconds", "race loss"])]
    if rows.empty:
        return None
    table = rows.pivot_table(
        index=["size", "contestant"], columns="measurement", values="value", sort=False
    ).reset_index()
    peers = {peer.name: peer.experiment for peer in PEERS}
    table["objective"] = table.contestant.map(lambda name: peers.get(name) or name.rpartition(", ")[2])
    table = table.sort_values("objective", key=lambda names: names.map(list(peers.values()).index), kind="stable")
    table["race seconds"] = table["race seconds"].replace(math.inf, math.nan)
    own = table[table.contestant.isin(peers)].set_index(["size", "objective"])["race seconds"]
    keys = pandas.MultiIndex.from_frame(table[["size", "objective"]])
    table["times sooner"] = own.reindex(keys).to_numpy() / table["race seconds"]
    table["contestant"] = table.contestant.str.replace(r", \w+$", "", regex=True)
    table = table[["objective", "size", "contestant", "race seconds", "race loss", "times sooner"]]
    return "Time to the peer's picture", RACE, _table(table, ("", "", "", ".1f", ".6g", ".1f"))


def _draw(frame: pandas.DataFrame, plot: Path) -> None:
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, rows in frame[frame.measurement == "area"].groupby("contestant", sort=False):
        left.loglog(rows["size"] ** 2 / 1e6, rows.value, marker="o", label=name)
    left.set(xlabel="megapixels", ylabel="seconds an evaluation", title="Cost against area")
    curve = frame[frame.measurement == "race curve"]
    for name, rows in curve.groupby(curve.contestant.map(lambda row: row.rpartition(", ")[0]), sort=False):
        right.semilogy(
            rows.contestant.str.rpartition(", ")[2].astype(int), rows.value / rows.value.iloc[-1], label=name
        )
    right.set(xlabel="evaluations", ylabel="loss, as a multiple of its last", title="The peers' own curves")
    for axes in (left, right):
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(plot, dpi=110)
