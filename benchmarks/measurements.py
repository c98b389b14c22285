"""The measurements. Each side runs in its own processes; only one process computes at a time, in alternating rounds."""

import contextlib
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from benchmarks.benchmark import Benchmark
from benchmarks.ledger import Measurement
from benchmarks.processes import worker_process
from benchmarks.time_to_target import measure_time_to_target
from benchmarks.variants import (
    DEFAULT_STEPS,
    MEMORY_VARIANTS,
    OURS_SIDE,
    PICTURE_VARIANTS,
    STARTUP_SIZE,
    TIMED_VARIANTS,
)

log = logging.getLogger(__name__)


def measure_evaluation(benchmark: Benchmark, count: int = 3) -> None:
    """Measure the seconds of an evaluation: each variant makes a few evaluations in each round."""
    names = benchmark.in_precisions(TIMED_VARIANTS)
    for size in benchmark.sizes:
        if benchmark.ledger.values("evaluation", names[-1], size):
            continue
        measured: dict[str, list[float]] = {name: [] for name in names}
        with contextlib.ExitStack() as stack:
            workers = {name: stack.enter_context(worker_process()) for name in names}
            for _ in range(benchmark.rounds):
                for name, call in workers.items():
                    measured[name] += benchmark.measure_variant(call, "evaluation_seconds", name, size, count)
        for name, seconds in measured.items():
            log.info("%s, %d px: %.3f s per evaluation", name, size, min(seconds))
            benchmark.ledger.add(*(Measurement("evaluation", name, size, value, "s") for value in seconds))


def measure_peak(benchmark: Benchmark) -> None:
    """Measure the fastest convolution of this machine, which bounds the speed of an evaluation."""
    for precision in benchmark.precisions:
        name = f"convolution {precision}"
        if not benchmark.ledger.values("peak", name):
            with worker_process() as call:
                gflops = call(OURS_SIDE + ":convolution_gflops", precision)
            benchmark.ledger.add(Measurement("peak", name, 0, gflops, "GFLOP/s"))


def measure_area(benchmark: Benchmark) -> None:
    """Measure the seconds of an evaluation at several picture areas, each in a new process."""
    for name in benchmark.in_precisions(TIMED_VARIANTS):
        for size in benchmark.area_sizes:
            if benchmark.ledger.values("area", name, size):
                continue
            with worker_process() as call:
                seconds = min(benchmark.measure_variant(call, "evaluation_seconds", name, size, 2))
            benchmark.ledger.add(Measurement("area", name, size, seconds, "s"))
            log.info("%s, %d px: %.3f s", name, size, seconds)


def measure_memory(benchmark: Benchmark) -> None:
    """Measure the peak memory of a process that makes three evaluations."""
    for size in benchmark.memory_sizes:
        for name in benchmark.in_precisions(MEMORY_VARIANTS):
            if benchmark.ledger.values("memory", name, size):
                continue
            with worker_process() as call:
                mib = benchmark.measure_variant(call, "evaluation_memory", name, size)
            benchmark.ledger.add(Measurement("memory", name, size, mib, "MiB"))
            log.info("%s, %d px: %.0f MiB", name, size, mib)


def measure_startup(benchmark: Benchmark) -> None:
    """Measure the seconds of a complete command of one step: imports, weights, compilation, step and saving."""
    backbones = {"vgg19_lite": (), "vgg19": ("backbone=vgg19", f"backbone.weights={benchmark.weights}")}
    for name, overrides in backbones.items():
        if not benchmark.ledger.values("startup", f"nst_tf {name}", STARTUP_SIZE):
            seconds = _command_seconds(benchmark, *overrides, f"image.size={STARTUP_SIZE}", "steps=1")
            benchmark.ledger.add(Measurement("startup", f"nst_tf {name}", STARTUP_SIZE, seconds, "s"))


def measure_picture(benchmark: Benchmark) -> None:
    """Measure the seconds of a complete command with the default number of steps, from imports to saving."""
    size = benchmark.picture_size
    for name in benchmark.in_precisions(PICTURE_VARIANTS):
        overrides = PICTURE_VARIANTS[name]
        if benchmark.ledger.values("picture", name, size):
            continue
        weights = [f"backbone.weights={benchmark.weights}"] if "backbone=vgg19" in overrides else []
        steps = [] if benchmark.step_share == 1 else [f"steps={benchmark.steps(DEFAULT_STEPS)}"]
        seconds = _command_seconds(benchmark, *overrides, *weights, f"image.size={size}", *steps)
        benchmark.ledger.add(Measurement("picture", name, size, seconds, "s"))
        log.info("%s, a picture of %d px: %.0f s", name, size, seconds)


def _command_seconds(benchmark: Benchmark, *overrides: str) -> float:
    """Run the command line for the first pair of pictures, and return its seconds."""
    pair = benchmark.pairs[0]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from nst_tf.cli.main import main; main()", *overrides]
        command += [f"content={pair.content}", f"style={pair.style}", "tracking=quiet", f"hydra.run.dir={folder}/run"]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start


MEASUREMENTS: dict[str, Callable[[Benchmark], None]] = {
    "evaluation": measure_evaluation,
    "peak": measure_peak,
    "memory": measure_memory,
    "startup": measure_startup,
    "area": measure_area,
    "picture": measure_picture,
    "target": measure_time_to_target,
}
"""The measurements by their names on the command line."""
