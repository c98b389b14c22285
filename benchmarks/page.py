"""The page of the benchmark: tables of the measurements, and a plot."""

import math
from pathlib import Path

import jinja2
import pandas
from matplotlib.figure import Figure

from benchmarks.ledger import Ledger
from benchmarks.variants import GFLOP_PER_PIXEL, PEERS, TARGET_STEPS
from nst_tf.runs.record import library_versions
from nst_tf.system import hardware

PAGE = """# Benchmarks

This command wrote the page:

```
{{ command }}
```

- Machine: {{ machine }}.
- Versions: {{ versions }}.
- Pictures: photograph {{ content }}, painting {{ style }}.
- Objective: that of neural-style-pt on VGG-19 to conv5_1, `5 · mean (F−P)² + 100 · Σ mean (ΔG)² + 1e-3 · Σ |Δ|`.
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

TIME_TO_TARGET = f"""Each peer is another program, which runs to its end with its own settings. The loss of its
saved picture is the target. The table has the seconds until this program's saved picture reaches the target. Both
pictures are read from their 8-bit PNG files, and both losses are computed in float32 with the peer's objective. The
seconds include compilation, but not imports.

- `neural_style` is neural-style-pt: 1000 evaluations of L-BFGS from noise.
- `crowsonkb` is style-transfer-pytorch: 3000 steps of Adam over five sizes from the photograph.
- `tf_tutorial` is TensorFlow's tutorial: 1000 steps of Adam from the photograph. This program runs it in float32, which
  is faster than the tutorial's own loop. Its total variation, `Σ |Δ|` with weight 30, is not differentiable where two
  neighbours are equal, and L-BFGS needs more steps for it.

This program starts from the photograph with its default optimiser and at most {TARGET_STEPS} steps. A dash means that
it did not reach the target; the loss is then the smallest one."""


def write_page(ledger: Ledger, page: Path, plot: Path, command: str, content: str, style: str) -> None:
    """Write the page and its plot.

    Args:
        ledger: The measurements.
        page: The Markdown file to write.
        plot: The PNG file to write, which the page shows.
        command: The command of the benchmark.
        content: Name of the photograph.
        style: Name of the painting.
    """
    frame = pandas.DataFrame(ledger.entries)
    makers = (_evaluations, _memory, _startup, _time_to_target)
    sections = [section for make in makers if (section := make(frame)) is not None]
    _draw(frame, plot)
    text = jinja2.Template(PAGE, trim_blocks=True, keep_trailing_newline=True).render(
        command=command,
        machine=hardware.describe_machine(),
        versions=", ".join(f"{name} {version}" for name, version in {**library_versions(), **_torch_version()}.items()),
        content=content,
        style=style,
        sections=sections,
        plot=plot.relative_to(page.parent).as_posix() if plot.is_relative_to(page.parent) else plot.as_posix(),
    )
    page.write_text(text, encoding="utf-8")


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
        text += f" The peak is the speed of the fastest 3x3 convolution of VGG-19 on this machine: {figures}."
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


def _time_to_target(frame: pandas.DataFrame) -> Section | None:
    """Return seconds and loss of each peer and of each variant, and the ratio of their seconds."""
    rows = frame[frame.measurement.isin(["target seconds", "target loss"])]
    if rows.empty:
        return None
    table = rows.pivot_table(
        index=["size", "contestant"], columns="measurement", values="value", sort=False
    ).reset_index()
    peers = {peer.name: peer.experiment for peer in PEERS}
    table["objective"] = table.contestant.map(lambda name: peers.get(name) or name.rpartition(", ")[2])
    table = table.sort_values("objective", key=lambda names: names.map(list(peers.values()).index), kind="stable")
    table = table.rename(columns={"target seconds": "seconds", "target loss": "loss"})
    table["seconds"] = table["seconds"].replace(math.inf, math.nan)
    peer_seconds = table[table.contestant.isin(peers)].set_index(["size", "objective"])["seconds"]
    keys = pandas.MultiIndex.from_frame(table[["size", "objective"]])
    table["times as fast"] = peer_seconds.reindex(keys).to_numpy() / table["seconds"]
    table["contestant"] = table.contestant.str.replace(r", \w+$", "", regex=True)
    table = table[["objective", "size", "contestant", "seconds", "loss", "times as fast"]]
    return "Time to the peer's picture", TIME_TO_TARGET, _table(table, ("", "", "", ".1f", ".6g", ".1f"))


def _draw(frame: pandas.DataFrame, plot: Path) -> None:
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, rows in frame[frame.measurement == "area"].groupby("contestant", sort=False):
        left.loglog(rows["size"] ** 2 / 1e6, rows.value, marker="o", label=name)
    left.set(xlabel="megapixels", ylabel="seconds per evaluation", title="Seconds against area")
    curve = frame[frame.measurement == "target curve"]
    for name, rows in curve.groupby(curve.contestant.map(lambda row: row.rpartition(", ")[0]), sort=False):
        right.semilogy(
            rows.contestant.str.rpartition(", ")[2].astype(int), rows.value / rows.value.iloc[-1], label=name
        )
    right.set(xlabel="evaluations", ylabel="loss relative to the last one", title="Loss curves of the peers")
    for axes in (left, right):
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(plot, dpi=110)
