"""Our side: what a process of its own is asked to do, and answers with plain numbers."""

import csv
import functools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.processes import timed
from nst_tf.api import build_problem, stylize
from nst_tf.config.composing import compose_config
from nst_tf.images import read_picture
from nst_tf.observers import Metrics, Snapshots
from nst_tf.optimization.problem import Problem
from nst_tf.system.memory import peak_memory_mb

LAYER_SHAPES = ((512, 64, 64), (256, 128, 128), (128, 256, 256), (64, 512, 512))
"""Convolutions of VGG-19 at 512 pixels: side, channels in, channels out."""


def _problem(overrides: tuple[str, ...]) -> Problem:
    config = compose_config(*overrides)
    config.runtime.prepare()
    return build_problem(config)


def write_peer_inputs(overrides: tuple[str, ...], path: Path) -> None:
    """Write the very pictures, start and weights that a config gives, for the other side."""
    problem = _problem(overrides)
    content, styles = problem.pictures()
    layers = {layer.name: layer.get_weights() for layer in problem.extractor.model.layers if layer.weights}
    weights = {f"weights/{name}/{n}": array for name, arrays in layers.items() for n, array in enumerate(arrays)}
    start = problem.canvas.start_image(content, styles, problem.seed)
    np.savez(path, content=content, style=styles[0], start=start, **weights)


@functools.lru_cache(maxsize=2)
def _evaluate(overrides: tuple[str, ...]) -> Callable[[], float]:
    """One evaluation, compiled and warm."""
    problem = _problem(overrides)
    content, styles = problem.pictures()
    objective = tf.function(problem.objective(content, styles), autograph=False)
    image = tf.constant(content)

    def run() -> float:
        evaluation = objective(image)
        return float(evaluation.total[0]) + float(evaluation.gradient[0, 0, 0, 0])

    run(), run()
    return run


def evaluation_seconds(overrides: tuple[str, ...], count: int) -> list[float]:
    """Seconds of each of some evaluations: forward, backward, read by the host."""
    return timed(_evaluate(overrides), count)


def evaluation_memory(overrides: tuple[str, ...]) -> float:
    """Peak memory of this process after three evaluations, in MiB."""
    evaluation_seconds(overrides, 3)
    return peak_memory_mb(compose_config(*overrides).runtime.device_name())


def convolution_gflops(precision: str) -> float:
    """The fastest of VGG-19's 3×3 convolutions alone, forward, in GFLOP a second: the machine's peak."""
    best = 0.0
    for side, inputs, outputs in LAYER_SHAPES:
        dtype = tf.bfloat16 if precision == "mixed_bfloat16" else tf.float32
        x = tf.cast(tf.random.normal([1, side, side, inputs]), dtype)
        kernel = tf.cast(tf.random.normal([3, 3, inputs, outputs]), dtype)

        @tf.function(autograph=False)
        def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
            return tf.nn.conv2d(x, kernel, 1, "SAME")

        run = functools.partial(_read_one, convolve, x, kernel)
        timed(run, 2)
        flop = 2 * 9 * inputs * outputs * side**2
        best = max(best, flop / min(timed(run, 8)) / 1e9)
    return best


def _read_one(convolve: Callable[..., tf.Tensor], *tensors: tf.Tensor) -> float:
    return float(tf.cast(convolve(*tensors)[0, 0, 0, 0], tf.float32))


def run(overrides: tuple[str, ...], folder: Path, every: int) -> list[tuple[float, str]]:
    """Run an experiment with a snapshot every few steps.

    Returns:
        For each snapshot the seconds of optimisation until then (compiling included), and its file.
    """
    config = compose_config(*overrides)
    config.tracking = {"metrics": Metrics(every=every), "snapshots": Snapshots(every=every)}
    kept = stylize(config, folder).folder
    with kept.metrics.open(newline="", encoding="utf-8") as file:
        shots = [(float(row["seconds"]), kept.snapshot(int(row["step"]))) for row in csv.DictReader(file)]
    return [(seconds, str(picture)) for seconds, picture in shots if picture.exists()]


def whole_run(overrides: tuple[str, ...], picture: Path) -> tuple[float, list[float]]:
    """Run an experiment as it stands.

    Returns:
        Seconds of optimisation, compiling included, and the loss at each step.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = compose_config(*overrides)
        config.tracking = {"metrics": Metrics(every=1)}
        kept = stylize(config, Path(folder) / "run").folder
        shutil.copyfile(kept.picture, picture)
        with kept.metrics.open(newline="", encoding="utf-8") as file:
            rows = [(float(row["seconds"]), float(row["total"])) for row in csv.DictReader(file)]
    return rows[-1][0], [total for _, total in rows[1:]]


def judged(overrides: tuple[str, ...], files: Sequence[str]) -> list[float]:
    """The total loss of saved pictures under a config's objective in float32; infinite for pictures of another size."""
    problem = _problem((*overrides, "runtime.precision=float32"))
    content, styles = problem.pictures()
    objective = problem.objective(content, styles)
    totals = []
    for file in files:
        pixels = read_picture(file).pixels[None]
        same = pixels.shape == content.shape
        totals.append(float(objective.values(tf.constant(pixels))[0][0]) if same else float("inf"))
    return totals
