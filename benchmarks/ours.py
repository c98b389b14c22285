"""This program's side of the benchmark: functions for worker processes, which return plain numbers."""

import csv
import functools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.processes import time_calls
from nst_tf.api import build_problem, stylize
from nst_tf.config.composing import compose_config
from nst_tf.images import read_picture
from nst_tf.observers import Metrics, Snapshots
from nst_tf.optimization.problem import Problem
from nst_tf.system.memory import peak_memory_mb

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


@functools.lru_cache(maxsize=2)
def _compiled_evaluation(overrides: tuple[str, ...]) -> Callable[[], float]:
    """Return a function that makes one evaluation, after two warm-up calls."""
    problem = _build_problem(overrides)
    content, styles = problem.pictures()
    objective = tf.function(problem.objective(content, styles), autograph=False)
    image = tf.constant(content)

    def evaluate() -> float:
        evaluation = objective(image)
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
        dtype = tf.bfloat16 if precision == "mixed_bfloat16" else tf.float32
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


def run_with_snapshots(overrides: tuple[str, ...], folder: Path, every: int) -> list[tuple[float, str]]:
    """Run a config with snapshots.

    Args:
        overrides: Overrides of the config.
        folder: The run folder.
        every: Steps between the snapshots.

    Returns:
        Seconds of optimisation with compilation, and file, of each snapshot.
    """
    config = compose_config(*overrides)
    config.tracking = {"metrics": Metrics(every=every), "snapshots": Snapshots(every=every)}
    run = stylize(config, folder).folder
    with run.metrics.open(newline="", encoding="utf-8") as file:
        rows = [(float(row["seconds"]), run.snapshot(int(row["step"]))) for row in csv.DictReader(file)]
    return [(seconds, str(snapshot)) for seconds, snapshot in rows if snapshot.exists()]


def run_experiment(overrides: tuple[str, ...], picture: Path) -> tuple[float, list[float]]:
    """Run a config and copy its picture.

    Returns:
        Seconds of optimisation with compilation, and the loss after each step.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = compose_config(*overrides)
        config.tracking = {"metrics": Metrics(every=1)}
        run = stylize(config, Path(folder) / "run").folder
        shutil.copyfile(run.picture, picture)
        with run.metrics.open(newline="", encoding="utf-8") as file:
            rows = [(float(row["seconds"]), float(row["total"])) for row in csv.DictReader(file)]
    return rows[-1][0], [total for _, total in rows[1:]]


def picture_losses(overrides: tuple[str, ...], files: Sequence[str]) -> list[float]:
    """Compute the total loss of saved pictures in float32; pictures of another size have an infinite loss."""
    problem = _build_problem((*overrides, "runtime.precision=float32"))
    content, styles = problem.pictures()
    objective = problem.objective(content, styles)
    losses = []
    for file in files:
        pixels = read_picture(file).pixels[None]
        same_size = pixels.shape == content.shape
        losses.append(float(objective.values(tf.constant(pixels))[0][0]) if same_size else float("inf"))
    return losses
