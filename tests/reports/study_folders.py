"""Folders of many runs of a study, written without running them."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

WEIGHTS, OPTIMIZERS, STARTS = (1, 3, 10, 30, 100), ("adam", "lbfgs"), ("content", "noise")
"""Values of the study's parameters; as many seeds follow as there are runs to fill."""

ROWS = 100
"""Rows of each table of losses."""


def write_study(folder: Path, template: Path, count: int) -> Path:
    """Write so many runs of a study over weights, optimisers, starts and seeds into a folder.

    Args:
        folder: Folder of the study.
        template: Folder of a run with `run.json`, `metrics.csv`, `.hydra/` and a picture, whose layout the runs have.
        count: Number of runs.

    Returns:
        The folder.
    """
    record = json.loads((template / "run.json").read_text())
    config = yaml.safe_load((template / ".hydra" / "config.yaml").read_text())
    columns = (template / "metrics.csv").read_text().partition("\n")[0].split(",")
    seeds = range(-(-count // len(list(product(WEIGHTS, OPTIMIZERS, STARTS)))))
    points = list(product(seeds, STARTS, OPTIMIZERS, WEIGHTS))[:count]
    for number, (seed, start, optimizer, weight) in enumerate(points):
        run = folder / f"{number}_weight={weight},optimizer={optimizer},start={start},seed={seed}"
        (run / ".hydra").mkdir(parents=True)
        generator = np.random.default_rng(number)
        typed = {"losses.style.weight": weight, "optimizer": optimizer, "image.start": start, "seed": seed}
        overrides = ["name=study", *(f"{key}={value}" for key, value in typed.items())]
        (run / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))
        config["losses"]["style"]["weight"] = float(weight)
        config["image"]["start"], config["seed"] = start, seed
        (run / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        losses = _losses(columns, generator, weight)
        (run / "metrics.csv").write_text(losses)
        final = dict(zip(columns[3:], map(float, losses.splitlines()[-1].split(",")[3:]), strict=True))
        style = 1 / (1 + weight**0.5) * generator.uniform(0.9, 1.1)
        scores = {
            "content": 1 - 0.8 * style,
            "style": 2 * style,
            "style_ratio": style * generator.uniform(0.7, 1.3),
            "judge": "vgg19, imagenet",
        }
        changes = {
            "seconds": round(generator.uniform(9, 11), 3),
            "steps": ROWS,
            "evaluations": ROWS + 1,
            "final": final,
        }
        (run / "run.json").write_text(json.dumps(record | changes | {"scores": scores}))
        pixels = generator.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 48)).save(run / "stylized.png")
    return folder


def _losses(columns: list[str], generator: np.random.Generator, weight: float) -> str:
    """Return a table of losses that fall to a tenth."""
    steps = np.arange(ROWS)
    fall = 0.1 + 0.9 * np.exp(-steps / 20) * generator.uniform(0.9, 1.1)
    table = {"step": steps, "evaluations": steps + 1, "seconds": steps / 10}
    table |= {name: fall * (weight if name in ("total", "style") else 1) for name in columns[3:]}
    rows = zip(*(table[name].tolist() for name in columns), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"
