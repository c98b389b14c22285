"""Measurement of a run's memory: the estimate, and the growth of the resident memory while the run computes.

It is a program of its own, because the peak of a process can only be attributed to the first run in it:
``python tests/optimization/memory_growth.py '{"size": 256}'``.
"""

import json
import sys
from typing import Any

from nst_tf.api import build_problem
from nst_tf.backbones import BACKBONES
from nst_tf.config.tree import Config
from nst_tf.images import Canvas
from nst_tf.optimization.engine import Engine
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import OPTIMIZERS
from nst_tf.system.memory import peak_resident_mb, reset_peak_memory, resident_mb
from nst_tf.system.runtime import Runtime


def measure(
    size: int,
    backbone: str = "vgg19_lite",
    weights: str | None = None,
    recompute: bool = False,
    precision: str = "float32",
    optimizer: str = "lbfgs",
    history: int = 3,
    scales: tuple[float, ...] = (1.0,),
    fit_memory: bool = False,
    tile: str = "off",
    convolution: str = "transposed",
) -> dict[str, float]:
    """Return estimate, growth and peak in MiB, over the targets and steps until all curvature pairs are in use.

    Args:
        size: Long side of the picture and of the style.
        backbone: Name of the network.
        weights: ``random`` or None for the network's own.
        recompute: See `Runtime`.
        precision: See `Runtime`.
        optimizer: Name of the optimiser.
        history: See `LBFGS`; there are at least three steps, and as many as there are pairs and one.
        scales: See `Schedule`.
        fit_memory: Whether the problem is made small enough for the memory that is available.
        tile: See `Canvas`.
        convolution: See `Runtime`; not measured, because a measurement takes memory of its own.
    """
    config = Config(
        content="sample:cat",
        style="sample:wedges",
        steps=max(3, history + 1),
        backbone=BACKBONES[backbone](**({"weights": weights} if weights else {})),
        optimizer=OPTIMIZERS[optimizer](**({"history": history} if "lbfgs" in optimizer else {})),
        image=Canvas(size=size, style_size=size, fit_memory=fit_memory, tile=tile),
        schedule=Schedule(scales=list(scales)),
        runtime=Runtime(
            precision=precision,  # type: ignore[arg-type]  # `Runtime` converts the name
            device="cpu",
            threads=2,
            recompute=recompute,
            convolution=convolution,  # type: ignore[arg-type]  # `Runtime` converts the name
        ),
    )
    device = config.runtime.prepare()
    problem, plan = build_problem(config).fit_memory(device)
    reset_peak_memory("/CPU:0")
    before = resident_mb()
    for _ in Engine(problem, []).run():
        pass
    peak = peak_resident_mb()
    return {"estimate": plan.needed_mb, "growth": peak - before, "peak": peak, "factor": plan.size_factor}


def main(settings: dict[str, Any]) -> None:
    """Print the measurement as JSON."""
    print(json.dumps(measure(**settings)))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
