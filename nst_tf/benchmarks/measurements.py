"""What is measured, and how: each side in a process of its own, one at work at a time, in alternating rounds."""

import contextlib
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nst_tf.benchmarks.ledger import Entry, Ledger
from nst_tf.benchmarks.processes import process

log = logging.getLogger(__name__)

OURS_SIDE, PYTORCH_SIDE = "nst_tf.benchmarks.ours", "nst_tf.benchmarks.pytorch"

GFLOP_A_PIXEL = 2 * 2 * 361152 / 1e9
"""Of a Gatys step on VGG-19 to conv5_1: multiplications and additions, forward and back to the pixels."""

CONTESTANTS = {
    "nst_tf float32": ("runtime.precision=float32",),
    "nst_tf bfloat16": ("runtime.precision=mixed_bfloat16",),
    "PyTorch float32": None,
    "PyTorch bfloat16": None,
}
"""Who computes the same objective, with our overrides."""

OURS = ("image.start=content", "optimizer.clamp=true", "optimizer.history=20", "optimizer.metric_power=0.75")
"""How we go for the peers' objectives: from the content, pixels kept in [0, 1], our own optimiser's defaults."""


@dataclass
class Bench:
    """One benchmark: pictures, weights, and where its figures go.

    Attributes:
        content: Of every measurement: a path or ``sample:NAME``.
        style: The painting.
        weights: VGG-19's, as ``backbone.weights`` takes them.
        folder: For figures, pictures and runs.
        ledger: The figures so far.
        sizes: In pixels, of the timed evaluations.
        memory_sizes: Of those whose memory is measured.
        area_sizes: Of the cost against area.
        rounds: Alternating rounds of timings.
        race_size: Long side of the races' pictures.
        race_evaluations: Of the PyTorch peer; neural-style-pt's default is 1000.
    """

    content: str
    style: str
    weights: str
    folder: Path
    ledger: Ledger
    sizes: tuple[int, ...] = (256, 512)
    memory_sizes: tuple[int, ...] = (512, 1024)
    area_sizes: tuple[int, ...] = (128, 256, 512, 768, 1024)
    rounds: int = 5
    race_size: int = 256
    race_evaluations: int = 1000

    def overrides(self, size: int, *more: str, square: bool = True) -> tuple[str, ...]:
        """neural-style's objective on these pictures at a size; square pictures for timings."""
        fit = ["image.fit=exact", "image.style_fit=content"] if square else []
        return (
            *("experiment=neural_style", f"content={self.content}", f"style={self.style}"),
            *(f"backbone.weights={self.weights}", f"image.size={size}", *fit, *more),
        )

    def material(self, size: int, *, square: bool = True) -> Path:
        """The file of pictures and weights for the other side, made once."""
        path = self.folder / f"material_{size}{'_square' * square}.npz"
        if not path.exists():
            with process() as work:
                work(OURS_SIDE + ":write_material", self.overrides(size, square=square), path)
        return path


def evaluation(bench: Bench, count: int = 3) -> None:
    """Seconds an evaluation: every contestant a few evaluations, then the next, for some rounds."""
    for size in bench.sizes:
        if bench.ledger.values("evaluation", "PyTorch bfloat16", size):
            continue
        material = bench.material(size)
        found: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
        with contextlib.ExitStack() as stack:
            works = {name: stack.enter_context(process()) for name in CONTESTANTS}
            for _ in range(bench.rounds):
                for name, work in works.items():
                    found[name] += _seconds(bench, work, name, size, material, count)
        for name, seconds in found.items():
            log.info("%s, %d px: %.3f s an evaluation", name, size, min(seconds))
            bench.ledger.add(*(Entry("evaluation", name, size, value, "s") for value in seconds))


def _seconds(bench: Bench, work: Callable[..., Any], name: str, size: int, material: Path, count: int) -> list[float]:
    overrides = CONTESTANTS[name]
    if overrides is None:
        return work(PYTORCH_SIDE + ":evaluation_seconds", material, name.split()[1], count)
    return work(OURS_SIDE + ":evaluation_seconds", bench.overrides(size, *overrides), count)


def peak(bench: Bench) -> None:
    """The machine's fastest convolution, the ceiling of any step."""
    for precision in ("float32", "mixed_bfloat16"):
        name = f"convolution {precision.removeprefix('mixed_')}"
        if not bench.ledger.values("peak", name):
            with process() as work:
                bench.ledger.add(Entry("peak", name, 0, work(OURS_SIDE + ":convolution_gflops", precision), "GFLOP/s"))


def area(bench: Bench) -> None:
    """Cost against image area, in one process a contestant."""
    for name in CONTESTANTS:
        for size in bench.area_sizes:
            if bench.ledger.values("area", name, size):
                continue
            with process() as work:
                seconds = _seconds(bench, work, name, size, bench.material(size), 2)
            bench.ledger.add(Entry("area", name, size, min(seconds), "s"))
            log.info("%s, %d px: %.3f s", name, size, min(seconds))


def memory(bench: Bench) -> None:
    """Peak memory of a whole process that evaluates three times."""
    variants = {
        "nst_tf float32": ("runtime.precision=float32",),
        "nst_tf float32, recompute": ("runtime.precision=float32", "runtime.recompute=true"),
        "nst_tf bfloat16": ("runtime.precision=mixed_bfloat16",),
        "nst_tf bfloat16, recompute": ("runtime.precision=mixed_bfloat16", "runtime.recompute=true"),
    }
    for size in bench.memory_sizes:
        for name, overrides in variants.items():
            if not bench.ledger.values("memory", name, size):
                with process() as work:
                    mib = work(OURS_SIDE + ":evaluation_memory", bench.overrides(size, *overrides))
                bench.ledger.add(Entry("memory", name, size, mib, "MiB"))
                log.info("%s, %d px: %.0f MiB", name, size, mib)
        if not bench.ledger.values("memory", "PyTorch float32", size):
            material = bench.material(size)
            with process() as work:
                mib = work(PYTORCH_SIDE + ":evaluation_memory", material)
            bench.ledger.add(Entry("memory", "PyTorch float32", size, mib, "MiB"))
            log.info("PyTorch float32, %d px: %.0f MiB", size, mib)


def startup(bench: Bench) -> None:
    """Seconds of a whole command of one step at 64 pixels: imports, weights, compiling, saving."""
    script = Path(sys.argv[0]).with_name("stylize.py")
    for name, network in {"vgg19_lite": (), "vgg19": ("backbone=vgg19", f"backbone.weights={bench.weights}")}.items():
        if bench.ledger.values("startup", f"nst_tf {name}"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(script), f"content={bench.content}", f"style={bench.style}", *network]
            command += ["image.size=64", "steps=1", "tracking=quiet", f"hydra.run.dir={folder}/run"]
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            bench.ledger.add(Entry("startup", f"nst_tf {name}", 64, time.perf_counter() - start, "s"))


def race(bench: Bench) -> None:
    """The time until our saved picture is as good as the peer's saved picture, under the peer's objective.

    The peer is neural-style-pt's setting run to its end; both pictures are read back from their 8-bit PNGs and judged
    in float32 by the same network.
    """
    size, peer = bench.race_size, "neural-style-pt in PyTorch"
    picture, plain = bench.folder / f"peer_{size}.png", bench.overrides(size, square=False)
    if not bench.ledger.values("race seconds", peer, size):
        with process() as work:
            seconds, losses = work(
                PYTORCH_SIDE + ":run", bench.material(size, square=False), bench.race_evaluations, picture
            )
        with process() as work:
            (total,) = work(OURS_SIDE + ":judged", plain, [str(picture)])
        bench.ledger.add(
            *(
                Entry("race curve", f"{peer}, {n}", size, loss, "loss")
                for n, loss in enumerate(losses, 1)
                if n % 50 == 0
            ),
            Entry("race loss", peer, size, total, "loss"),
            Entry("race seconds", peer, size, seconds, "s"),
        )
        log.info("%s: %.1f s, saved picture %.0f", peer, seconds, total)
    goal, seconds = bench.ledger.values("race loss", peer, size)[0], bench.ledger.values("race seconds", peer, size)[0]
    ways = {
        "nst_tf float32": ("runtime.precision=float32", "steps=250"),
        "nst_tf bfloat16": ("runtime.precision=mixed_bfloat16", "steps=250"),
        "nst_tf bfloat16, coarse to fine": ("runtime.precision=mixed_bfloat16", "steps=300", *COARSE_TO_FINE),
    }
    for name, overrides in ways.items():
        if not bench.ledger.values("race seconds", name, size):
            reached, total = _reach(bench, plain, (*OURS, *overrides), goal)
            bench.ledger.add(
                Entry("race loss", name, size, total, "loss"), Entry("race seconds", name, size, reached, "s")
            )
            log.info("%s: %.1f s to %.0f, %.1f times sooner", name, reached, total, seconds / reached)


COARSE_TO_FINE = ("schedule=coarse_to_fine", "schedule.scales=[0.5,1.0]", "schedule.step_shares=[1,2]")


def _reach(bench: Bench, judge: tuple[str, ...], overrides: tuple[str, ...], goal: float) -> tuple[float, float]:
    """Seconds until a saved picture is no worse than the goal, and its loss; infinity where none is."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder, process() as work:
        shots = work(OURS_SIDE + ":run", (*judge, *overrides), Path(folder) / "run", 5)
        totals = work(OURS_SIDE + ":judged", judge, [shot[3] for shot in shots])
    good = [(seconds, total) for (_, _, seconds, _), total in zip(shots, totals, strict=True) if total <= goal]
    return good[0] if good else (float("inf"), min(totals))


MEASUREMENTS: dict[str, Callable[[Bench], None]] = {
    "evaluation": evaluation,
    "peak": peak,
    "memory": memory,
    "startup": startup,
    "race": race,
    "area": area,
}
"""Name on the command line to what is done."""
