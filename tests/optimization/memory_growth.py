"""Measurement of a run's memory: the estimate, and the growth of the resident memory while the run computes.

It is a program of its own, because the peak of a process can only be attributed to the first run in it:
``python tests/optimization/memory_growth.py '{"size": 256}'``.
"""

import json
import sys
from typing import Any

import psutil

from nst_tf.api import build_problem
from nst_tf.backbones import BACKBONES
from nst_tf.config.tree import Config
from nst_tf.images import Canvas
from nst_tf.optimization.engine import Engine
from nst_tf.optimizers import LBFGS
from nst_tf.system.memory import MB, peak_resident_mb, reset_peak_memory
from nst_tf.system.runtime import Runtime


def measure(
    size: int, backbone: str = "vgg19_lite", weights: str | None = None, recompute: bool = False, history: int = 10
) -> dict[str, float]:
    """Return estimate and growth in MiB, over the targets and three steps of L-BFGS in float32 on the CPU.

    Args:
        size: Long side of the picture and of the style.
        backbone: Name of the network.
        weights: ``random`` or None for the network's own.
        recompute: See `Runtime`.
        history: See `LBFGS`.
    """
    config = Config(
        content="sample:cat",
        style="sample:wedges",
        steps=3,
        backbone=BACKBONES[backbone](**({"weights": weights} if weights else {})),
        optimizer=LBFGS(history=history),
        image=Canvas(size=size, style_size=size),
        runtime=Runtime(precision="float32", device="cpu", threads=2, recompute=recompute),
    )
    config.runtime.prepare()
    problem = build_problem(config)
    estimate = problem.footprint().needed_mb()
    reset_peak_memory("/CPU:0")
    before = psutil.Process().memory_info().rss / MB
    for _ in Engine(problem, []).run():
        pass
    return {"estimate": estimate, "growth": peak_resident_mb() - before}


def main(settings: dict[str, Any]) -> None:
    """Print the measurement as JSON."""
    print(json.dumps(measure(**settings)))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
