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

from benchmarks.ledger import Ledger, Measurement
from benchmarks.processes import process

log = logging.getLogger(__name__)

OURS_SIDE, PYTORCH_SIDE = "benchmarks.ours", "benchmarks.pytorch"

GFLOP_A_PIXEL = 2 * 2 * 361152 / 1e9
"""Of a Gatys step on VGG-19 to conv5_1: multiplications and additions, forward and back to the pixels."""

FLOAT32, BFLOAT16, RECOMPUTE = "runtime.precision=float32", "runtime.precision=mixed_bfloat16", "runtime.recompute=true"

VARIANTS = {
    "nst_tf float32": (FLOAT32,),
    "nst_tf float32, recompute": (FLOAT32, RECOMPUTE),
    "nst_tf bfloat16": (BFLOAT16,),
    "nst_tf bfloat16, recompute": (BFLOAT16, RECOMPUTE),
    "PyTorch float32": None,
    "PyTorch bfloat16": None,
}
"""Who computes the same objective: our overrides; None for the other side, whose precision ends its name."""

TIMED = ("nst_tf float32", "nst_tf bfloat16", "PyTorch float32", "PyTorch bfloat16")
WEIGHED = (
    *("nst_tf float32", "nst_tf float32, recompute", "nst_tf bfloat16", "nst_tf bfloat16, recompute"),
    "PyTorch float32",
)
"""Of `VARIANTS`, whose seconds and whose memory are measured."""

STARTUP_SIZE = 64
"""In pixels, of the command whose start-up is measured."""

HALF_FIRST = ("schedule=coarse_to_fine", "schedule.scales=[0.5,1.0]", "schedule.step_shares=[1,2]")

RACERS = {
    "nst_tf float32": (FLOAT32,),
    "nst_tf bfloat16": (BFLOAT16,),
    "nst_tf bfloat16, coarse to fine": (BFLOAT16, *HALF_FIRST),
}
"""Who goes for a peer's picture: our default start, optimiser and bounds, for its objective."""

RACE_STEPS = 600
"""Of each of them, at most."""


@dataclass(frozen=True)
class Peer:
    """A program run to its end by its own settings, whose saved picture is what we go for.

    Attributes:
        name: As the page has it.
        experiment: Of ours, with all its settings.
        objective: Our overrides for its network and losses alone.
        program: ``module:function`` on the PyTorch side; None where our own engine runs the experiment as it stands.
        steps: Of its own optimiser.
        scales: Its sizes, as parts of the last.
    """

    name: str
    experiment: str
    objective: tuple[str, ...]
    program: str | None
    steps: int
    scales: tuple[float, ...] = (1.0,)


PEERS = (
    Peer(
        name="neural-style-pt in PyTorch",
        experiment="neural_style",
        objective=("loss=neural_style", "layers=gatys", "weights=neural_style", "losses.style.over_layers=sum"),
        program=PYTORCH_SIDE + ":neural_style",
        steps=1000,
    ),
    Peer(
        name="crowsonkb in PyTorch",
        experiment="crowsonkb",
        objective=(
            *("loss=crowsonkb", "layers=crowsonkb", "weights=crowsonkb"),
            "backbone.preprocessing=torch_on_caffe",
        ),
        program="benchmarks.crowsonkb:crowsonkb",
        steps=3000,
        scales=(0.25, 2**-1.5, 0.5, 2**-0.5, 1.0),
    ),
    Peer(
        name="TensorFlow tutorial",
        experiment="tf_tutorial",
        objective=("loss=tf_tutorial", "layers=gatys", "weights=tf_tutorial", "losses.content.layers=[conv5_2]"),
        program=None,
        steps=1000,
    ),
)


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
        race_share: Part of its own steps that each contestant is given.
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
    race_share: float = 1.0

    def overrides(self, size: int, *settings: str, square: bool = True) -> tuple[str, ...]:
        """Settings for these pictures and VGG-19 at a size; square pictures for timings."""
        fit = ["image.fit=exact", "image.style_fit=content"] if square else []
        return (
            *("backbone=vgg19", *settings, f"content={self.content}", f"style={self.style}"),
            *(f"backbone.weights={self.weights}", f"image.size={size}", *fit),
        )

    def peer_inputs(self, size: int, *, square: bool = True, experiment: str = "neural_style") -> Path:
        """The file of pictures and weights for the other side, made once."""
        path = self.folder / f"material_{experiment}_{size}{'_square' * square}.npz"
        if not path.exists():
            overrides = self.overrides(size, f"experiment={experiment}", FLOAT32, square=square)
            with process() as work:
                work(OURS_SIDE + ":write_material", overrides, path)
        return path

    def ask(self, work: Callable[..., Any], function: str, name: str, size: int, *more: int) -> Any:
        """A function of the same name on either side, about the evaluations of one of `VARIANTS`, in its process."""
        overrides = VARIANTS[name]
        if overrides is None:
            return work(f"{PYTORCH_SIDE}:{function}", self.peer_inputs(size), name.split()[1], *more)
        return work(f"{OURS_SIDE}:{function}", self.overrides(size, "experiment=neural_style", *overrides), *more)


def evaluation(bench: Bench, count: int = 3) -> None:
    """Seconds an evaluation: every contestant a few evaluations, then the next, for some rounds."""
    for size in bench.sizes:
        if bench.ledger.values("evaluation", "PyTorch bfloat16", size):
            continue
        found: dict[str, list[float]] = {name: [] for name in TIMED}
        with contextlib.ExitStack() as stack:
            works = {name: stack.enter_context(process()) for name in TIMED}
            for _ in range(bench.rounds):
                for name, work in works.items():
                    found[name] += bench.ask(work, "evaluation_seconds", name, size, count)
        for name, seconds in found.items():
            log.info("%s, %d px: %.3f s an evaluation", name, size, min(seconds))
            bench.ledger.add(*(Measurement("evaluation", name, size, value, "s") for value in seconds))


def peak(bench: Bench) -> None:
    """The machine's fastest convolution, the ceiling of any step."""
    for precision in ("float32", "mixed_bfloat16"):
        name = f"convolution {precision.removeprefix('mixed_')}"
        if not bench.ledger.values("peak", name):
            with process() as work:
                bench.ledger.add(
                    Measurement("peak", name, 0, work(OURS_SIDE + ":convolution_gflops", precision), "GFLOP/s")
                )


def area(bench: Bench) -> None:
    """Cost against image area, each figure from a process of its own."""
    for name in TIMED:
        for size in bench.area_sizes:
            if bench.ledger.values("area", name, size):
                continue
            with process() as work:
                seconds = min(bench.ask(work, "evaluation_seconds", name, size, 2))
            bench.ledger.add(Measurement("area", name, size, seconds, "s"))
            log.info("%s, %d px: %.3f s", name, size, seconds)


def memory(bench: Bench) -> None:
    """Peak memory of a whole process that evaluates three times."""
    for size in bench.memory_sizes:
        for name in WEIGHED:
            if bench.ledger.values("memory", name, size):
                continue
            with process() as work:
                mib = bench.ask(work, "evaluation_memory", name, size)
            bench.ledger.add(Measurement("memory", name, size, mib, "MiB"))
            log.info("%s, %d px: %.0f MiB", name, size, mib)


def startup(bench: Bench) -> None:
    """Seconds of a whole command of one step at 64 pixels: imports, weights, compiling, saving."""
    program = "from nst_tf.cli.main import main; main()"
    for name, network in {"vgg19_lite": (), "vgg19": ("backbone=vgg19", f"backbone.weights={bench.weights}")}.items():
        if bench.ledger.values("startup", f"nst_tf {name}", STARTUP_SIZE):
            continue
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", program, f"content={bench.content}", f"style={bench.style}", *network]
            command += [f"image.size={STARTUP_SIZE}", "steps=1", "tracking=quiet", f"hydra.run.dir={folder}/run"]
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            bench.ledger.add(Measurement("startup", f"nst_tf {name}", STARTUP_SIZE, time.perf_counter() - start, "s"))


def race(bench: Bench) -> None:
    """The time until our saved picture is as good as each peer's saved picture, under that peer's objective.

    A peer is run to its end by its own settings; all pictures are read back from their 8-bit PNGs and judged in float32
    by the same network.
    """
    size = bench.race_size
    for peer in PEERS:
        judge = bench.overrides(size, *peer.objective, square=False)
        if not bench.ledger.values("race seconds", peer.name, size):
            _run_peer(bench, peer, judge)
        (goal,), (seconds,) = (bench.ledger.values(f"race {figure}", peer.name, size) for figure in ("loss", "seconds"))
        for name, overrides in RACERS.items():
            contestant = f"{name}, {peer.experiment}"
            if not bench.ledger.values("race seconds", contestant, size):
                reached, total = _reach(bench, judge, overrides, goal)
                bench.ledger.add(
                    Measurement("race loss", contestant, size, total, "loss"),
                    Measurement("race seconds", contestant, size, reached, "s"),
                )
                log.info("%s: %.1f s to %.6g, %.1f times sooner", contestant, reached, total, seconds / reached)


def _run_peer(bench: Bench, peer: Peer, judge: tuple[str, ...]) -> None:
    """Write down the peer's curve, its seconds, and the loss of the picture it saves."""
    size, steps = bench.race_size, max(1, round(bench.race_share * peer.steps))
    picture = bench.folder / f"peer_{peer.experiment}_{size}.png"
    if peer.program is None:
        settings = bench.overrides(size, f"experiment={peer.experiment}", FLOAT32, f"steps={steps}", square=False)
        with process() as work:
            seconds, losses = work(OURS_SIDE + ":whole_run", settings, picture)
    else:
        sizes = [round(size * scale) for scale in peer.scales]
        peer_inputs = [bench.peer_inputs(side, square=False, experiment=peer.experiment) for side in sizes]
        with process() as work:
            seconds, losses = work(peer.program, peer_inputs, steps, picture)
    with process() as work:
        (total,) = work(OURS_SIDE + ":judged", judge, [str(picture)])
    curve = [(n, loss) for n, loss in enumerate(losses, 1) if n % 50 == 0]
    bench.ledger.add(
        *(Measurement("race curve", f"{peer.name}, {n}", size, loss, "loss") for n, loss in curve),
        Measurement("race loss", peer.name, size, total, "loss"),
        Measurement("race seconds", peer.name, size, seconds, "s"),
    )
    log.info("%s: %.1f s, saved picture %.6g", peer.name, seconds, total)


def _reach(bench: Bench, judge: tuple[str, ...], overrides: tuple[str, ...], goal: float) -> tuple[float, float]:
    """Seconds until a saved picture is no worse than the goal, and its loss; infinity, and the least, where none is."""
    settings = (*judge, *overrides, f"steps={round(bench.race_share * RACE_STEPS)}")
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder, process() as work:
        shots = work(OURS_SIDE + ":run", settings, Path(folder) / "run", 5)
        totals = work(OURS_SIDE + ":judged", judge, [file for _, file in shots])
    good = [(seconds, total) for (seconds, _), total in zip(shots, totals, strict=True) if total <= goal]
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
