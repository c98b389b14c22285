"""A killed or interrupted run continues to the same picture, bit for bit."""

import csv
import json
import signal
import time

import numpy as np
import pytest
from PIL import Image

from nst_tf.images import read_picture

OPTIMIZERS = {
    "adam": ["optimizer=adam"],
    "lbfgs": ["optimizer=lbfgs", "optimizer.history=4"],
    "sgd": ["optimizer=sgd", "optimizer.learning_rate=1e-12", "optimizer.momentum=0.9", "optimizer.decay_rate=0.9"],
    "rmsprop": ["optimizer=rmsprop", "optimizer.learning_rate=0.003", "optimizer.clamp=true"],
    "scipy_lbfgs": ["optimizer=scipy_lbfgs", "optimizer.max_evaluations=4", "optimizer.units=byte"],
}
STEPS = 150
SECOND_SCALE = [*OPTIMIZERS["adam"], "schedule=coarse_to_fine", "schedule.scales=[0.5,1.0]"]
MEAN = [*SECOND_SCALE, "schedule.average=0.99", "schedule.keep_state=true", "optimizer.clamp=true"]
BALANCED = [*SECOND_SCALE, "image.start=noise", "balance=gradient", "weights=balanced", "smoothing=softmax"]


def wait_for_step(folder, step, process):
    """Wait until `metrics.csv` has the row of ``step``."""
    metrics = folder / "metrics.csv"
    for _ in range(6000):
        if metrics.exists() and metrics.read_text().count("\n") > step + 1:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"the run did not reach step {step} within a minute")


def rows_without_seconds(folder):
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def assert_same_run(one, other):
    """Compare picture, table and state bit for bit."""
    np.testing.assert_array_equal(*(read_picture(str(f / "stylized.png")).pixels for f in (one, other)))
    assert rows_without_seconds(one) == rows_without_seconds(other)
    first, second = (np.load(f / "checkpoints" / "latest.npz") for f in (one, other))
    assert first.files == second.files
    for name in set(first.files) - {"engine/seconds"}:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


KILLED = {
    "adam": (OPTIMIZERS["adam"], 11),
    "lbfgs": (OPTIMIZERS["lbfgs"], 17),
    "sgd": (OPTIMIZERS["sgd"], 23),
    "rmsprop": (OPTIMIZERS["rmsprop"], 5),
    "scipy_lbfgs": (OPTIMIZERS["scipy_lbfgs"], 8),
    "second scale": (SECOND_SCALE, 97),
    "mean, first scale": (MEAN, 71),
    "mean, second scale": (MEAN, 103),
    "balanced, second scale": (BALANCED, 101),
}
"""Overrides of a run, and the step at which it is killed."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "kill_at"),
    [pytest.param(*case, id=name) for name, case in KILLED.items()],
)
def test_killed_run_continues_bit_for_bit(overrides, kill_at, command_line):
    command = [*overrides, f"steps={STEPS}", "tracking.checkpoints.every=7", "tracking.snapshots.every=0"]
    process = command_line.start(*command, "hydra.run.dir=killed")
    folder = command_line.folder / "killed"
    wait_for_step(folder, kill_at, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert json.loads((folder / "run.json").read_text())["status"] == "running"
    assert not (folder / "stylized.png").exists()

    code, _, error = command_line(*command, "hydra.run.dir=killed")
    assert code == 0, error
    code, _, error = command_line(*command, "hydra.run.dir=whole")
    assert code == 0, error
    assert json.loads((folder / "run.json").read_text())["status"] == "completed"
    assert len(rows_without_seconds(folder)) == STEPS + 1
    assert_same_run(folder, command_line.folder / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_has_a_picture_and_continues(number, command_line):
    command = [f"steps={STEPS}", "tracking.checkpoints.every=50", "tracking.snapshots.every=0"]
    process = command_line.start(*command, "hydra.run.dir=run")
    folder = command_line.folder / "run"
    wait_for_step(folder, 20, process)
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "interrupted" in out
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "interrupted"
    assert 20 <= record["steps"] < STEPS
    with Image.open(folder / "stylized.png") as picture:
        assert picture.size == (32, 26)

    for name in ("run", "whole"):
        code, _, error = command_line(*command, f"hydra.run.dir={name}")
        assert code == 0, error
    assert len(rows_without_seconds(folder)) == STEPS + 1
    assert_same_run(folder, command_line.folder / "whole")
