"""This program's side of the benchmark: functions for worker processes, which return plain numbers."""

import csv
import functools
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.processes import time_calls
from benchmarks.snapshots import PeerRun, Snapshot
from benchmarks.variants import FLOAT32
from nst_tf.api import build_problem, stylize
from nst_tf.config.composing import compose_config
from nst_tf.images import read_picture, write_picture
from nst_tf.observers import Metrics, Observer, RunningObserver, Snapshots, is_due
from nst_tf.optimization.cache import choose_evaluator
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.problem import Problem
from nst_tf.runs.events import Iterate, Started
from nst_tf.system.memory import peak_memory_mb
from nst_tf.util.compilation import compile_function

LAYER_SHAPES = ((512, 64, 64), (256, 128, 128), (128, 256, 256), (64, 512, 512))
"""Shapes of VGG-19's convolutions for a picture of 512 pixels: side, input channels, output channels."""


def _build_problem(overrides: tuple[str, ...]) -> Problem:
    config = compose_config(*overrides)
    config.runtime.prepare()
    return build_problem(config)


def write_peer_inputs(overrides: tuple[str, ...], path: Path) -> None:
    """Write pictures, start picture and weights of a config into a file for the PyTorch side."""
    problem = _build_problem(overrides)
    content, styles = problem.pictures()
    layers = {layer.name: layer.get_weights() for layer in problem.extractor.model.layers if layer.weights}
    weights = {f"weights/{name}/{n}": array for name, arrays in layers.items() for n, array in enumerate(arrays)}
    start = problem.canvas.start_image(content, styles, problem.seed)
    np.savez(path, content=content, style=styles[0], start=start, **weights)


def write_mirrored_content(overrides: tuple[str, ...], path: Path) -> None:
    """Write the photograph of a config, with left and right exchanged, as an 8-bit picture."""
    content, _ = _build_problem(overrides).pictures()
    write_picture(path, content[0, :, ::-1])


@functools.lru_cache(maxsize=2)
def _compiled_evaluation(overrides: tuple[str, ...]) -> Callable[[], float]:
    """Return a function that makes one evaluation, after two warm-up calls."""
    problem = _build_problem(overrides)
    content, styles = problem.pictures()
    objective, image = problem.objective(content, styles), tf.constant(content)
    compiled = compile_function(choose_evaluator(objective, image, problem.execution.jit_compile))

    def evaluate() -> float:
        evaluation = compiled(image, objective.inputs)
        return float(evaluation.total[0]) + float(evaluation.gradient[0, 0, 0, 0])

    evaluate(), evaluate()
    return evaluate


def evaluation_seconds(overrides: tuple[str, ...], count: int) -> list[float]:
    """Measure the seconds of each of several evaluations: forward pass, backward pass and transfer to the host."""
    return time_calls(_compiled_evaluation(overrides), count)


def evaluation_memory(overrides: tuple[str, ...]) -> float:
    """Measure the peak memory of this process after three evaluations, in MiB."""
    evaluation_seconds(overrides, 3)
    return peak_memory_mb(compose_config(*overrides).runtime.device_name())


def convolution_gflops(precision: str) -> float:
    """Measure the fastest forward 3×3 convolution of VGG-19 in GFLOP/s, as the peak of this machine."""
    best = 0.0
    for side, inputs, outputs in LAYER_SHAPES:
        dtype = tf.as_dtype(precision)
        x = tf.cast(tf.random.normal([1, side, side, inputs]), dtype)
        kernel = tf.cast(tf.random.normal([3, 3, inputs, outputs]), dtype)

        @tf.function(autograph=False)
        def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
            return tf.nn.conv2d(x, kernel, 1, "SAME")

        run = functools.partial(_read_one_value, convolve, x, kernel)
        time_calls(run, 2)  # tracing and warm-up
        flop = 2 * 9 * inputs * outputs * side**2
        best = max(best, flop / min(time_calls(run, 8)) / 1e9)
    return best


def _read_one_value(convolve: Callable[..., tf.Tensor], *tensors: tf.Tensor) -> float:
    return float(tf.cast(convolve(*tensors)[0, 0, 0, 0], tf.float32))


@dataclass
class StopBelow(Observer):
    """Settings of an observer that ends a run, as Ctrl-C does, when its loss is at most ``total``.

    Attributes:
        total: The loss.
        every: Number of steps between two tests.
    """

    total: float = 0.0
    every: int = 5

    def start(self, event: Started) -> RunningObserver:
        """Return the observer of one run."""
        return _RunningStopBelow(self)


class _RunningStopBelow(RunningObserver):
    def __init__(self, settings: StopBelow) -> None:
        self._settings, self._stopped = settings, False

    def progressed(self, iterate: Iterate) -> None:
        """Ask for the end once; a second request would end the process."""
        below = iterate.total <= self._settings.total
        if below and not self._stopped and is_due(iterate, self._settings.every):
            self._stopped = True
            signal.raise_signal(signal.SIGINT)


def run_config(overrides: tuple[str, ...], folder: Path, every: int, stop_below: float | None = None) -> PeerRun:
    """Run a config.

    Args:
        overrides: Overrides of the config.
        folder: The run folder.
        every: Steps between two points of the curve, and between two snapshots.
        stop_below: Loss of an iterate at which the run ends; None takes all steps and no snapshots.

    Returns:
        The seconds, the curve and the snapshots, whose files are in the folder.
    """
    config = compose_config(*overrides)
    config.tracking = {"metrics": Metrics(every=every)}
    if stop_below is not None:
        config.tracking["snapshots"] = Snapshots(every=every)
        config.tracking["stop"] = StopBelow(total=stop_below, every=every)
    run = stylize(config, folder).folder
    with run.metrics.open(newline="", encoding="utf-8") as file:
        rows = [(int(row["step"]), float(row["seconds"]), float(row["total"])) for row in csv.DictReader(file)]
    files = [(seconds, run.snapshot(step)) for step, seconds, _ in rows]
    return PeerRun(
        seconds=rows[-1][1],
        curve=[(step, total) for step, _, total in rows],
        snapshots=[Snapshot(seconds, file) for seconds, file in files if file.exists()],
    )


def picture_losses(overrides: tuple[str, ...], files: Sequence[Path]) -> list[float]:
    """Compute the total loss of saved pictures in float32; pictures of another size have an infinite loss."""
    shape, objective = _float32_objective(overrides)
    pictures = [read_picture(str(file)).pixels[None] for file in files]
    return [
        float(objective.values(tf.constant(pixels))[0][0]) if pixels.shape == shape else float("inf")
        for pixels in pictures
    ]


@functools.lru_cache(maxsize=1)
def _float32_objective(overrides: tuple[str, ...]) -> tuple[tuple[int, ...], Objective]:
    """Return the shape of the content and the objective of a config."""
    problem = _build_problem((*overrides, FLOAT32))
    content, styles = problem.pictures()
    return content.shape, problem.objective(content, styles)
