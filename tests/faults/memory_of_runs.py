"""Resident memory after each of many runs in one process that differ in seed, layers, size and optimiser.

It is a program of its own, so that nothing but the runs is in memory:
``python tests/faults/memory_of_runs.py RUNS KEEPS FOLDER``.
"""

import itertools
import json
import sys
from pathlib import Path

import psutil

from nst_tf import Config, stylize
from nst_tf.backbones import VGG19Lite
from nst_tf.images import Canvas
from nst_tf.losses import ContentLoss, GramLoss, TotalVariationLoss
from nst_tf.optimization.cache import RunCache
from nst_tf.optimizers import LBFGS, Adam, RMSprop
from nst_tf.system.memory import MB
from nst_tf.system.runtime import Runtime

SIZES = (32, 48, 64)
LAYERS = (["conv1_1", "conv2_1"], ["conv1_1", "conv3_1"])
OPTIMIZERS = (Adam(), LBFGS(history=5), RMSprop())


def main(runs: int, keeps: bool, folder: Path) -> None:
    """Print the memory after each run, in MiB, as a JSON list."""
    cache = RunCache(keeps=True) if keeps else None
    grid = itertools.cycle(itertools.product(SIZES, LAYERS, OPTIMIZERS))
    resident = []
    for seed, (size, layers, optimizer) in zip(range(runs), grid, strict=False):
        config = Config(
            content="sample:cat",
            style="sample:wedges",
            steps=1,
            seed=seed,
            backbone=VGG19Lite(seed=seed),
            losses={
                "content": ContentLoss(layers=["conv3_1"]),
                "style": GramLoss(layers=layers),
                "total_variation": TotalVariationLoss(),
            },
            optimizer=optimizer,
            image=Canvas(size=size),
            runtime=Runtime(precision="float32", convolution="plain"),
            tracking={},
        )
        stylize(config, folder / str(seed), cache=cache)
        resident.append(psutil.Process().memory_info().rss / MB)
    print(json.dumps(resident))


if __name__ == "__main__":
    main(int(sys.argv[1]), bool(int(sys.argv[2])), Path(sys.argv[3]))
