"""Sweeps whose runs are killed: the others go on, and the same command goes on where it stopped."""

import json
import os
import signal
import time

import numpy as np
import pytest

from nst_tf.cli import reported
from nst_tf.images import read_picture

STEPS = 150
GRID = [f"steps={STEPS}", "tracking.checkpoints.every=7", "tracking.snapshots.every=0", "tracking.tensorboard.every=0"]


def record(folder):
    return json.loads((folder / "run.json").read_text())


def runs_of(command_line):
    (sweep,) = (command_line.folder / "outputs" / "sweeps").iterdir()
    return {path.name: path for path in sorted(sweep.iterdir()) if (path / "run.json").exists()}


def wait_for(condition, process):
    for _ in range(9000):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("it never came to that")


def rows(folder):
    return (folder / "metrics.csv").read_text().count("\n") - 1 if (folder / "metrics.csv").exists() else 0


def sweep(command_line):
    """The sweep's folder, once it is there."""
    return next((command_line.folder / "outputs" / "sweeps").glob("*"), command_line.folder / "none")


def assert_runs_are_those_of_their_own(command_line, overrides):
    """Each run's picture is the one that a command for it alone makes."""
    for name, folder in runs_of(command_line).items():
        alone = command_line.folder / "alone" / name
        code, _, error = command_line(*overrides, name.partition("_")[2], f"hydra.run.dir={alone}")
        assert code == 0, error
        pictures = [read_picture(str(path / "stylized.png")).pixels for path in (folder, alone)]
        np.testing.assert_array_equal(*pictures, err_msg=name)


def test_a_killed_sweep_goes_on_where_it_stopped(command_line):
    """In one process, killed in its second run; in no folder that the command names."""
    command = [*GRID, "losses.style.weight=1,2,3", "-m"]
    process = command_line.start(*command)
    wait_for(lambda: rows(sweep(command_line) / "1_losses.style.weight=2") > 20, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    first, second = list(runs_of(command_line).values())
    assert record(first)["status"] == "completed"
    assert record(second)["status"] == "running"
    finished = (first / "run.json").stat().st_mtime_ns, (first / "metrics.csv").stat().st_mtime_ns

    code, out, error = command_line(*command)
    assert code == 0, error
    assert out.count("already done") == 1
    assert [record(folder)["status"] for folder in runs_of(command_line).values()] == ["completed"] * 3
    assert finished == ((first / "run.json").stat().st_mtime_ns, (first / "metrics.csv").stat().st_mtime_ns)
    assert rows(second) == STEPS + 1
    assert (sweep(command_line) / "report" / "index.html").exists()
    assert_runs_are_those_of_their_own(command_line, GRID)


def test_a_killed_run_under_joblib_takes_no_other_along(command_line):
    pytest.importorskip("joblib")
    threads = ["runtime.threads=1"]  # so that bits can be compared
    command = ["launcher=joblib", *GRID, *threads, "losses.style.weight=1,2,3,4", "-m"]
    process = command_line.start(*command)
    victim = "1_losses.style.weight=2"
    wait_for(lambda: rows(sweep(command_line) / victim) > 20, process)
    os.kill(record(sweep(command_line) / victim)["process"], signal.SIGKILL)
    out, error = process.communicate(timeout=200)
    assert process.returncode == 1, error
    assert out.count(f"completed: {STEPS} steps\n") == 3
    lines = [line for line in error.splitlines() if line.startswith("error:")]
    assert lines == [
        "error: run 1: its process was killed (SIGKILL); the same command goes on with it",
    ]
    assert "Traceback" not in error
    fates = {name: record(folder) for name, folder in runs_of(command_line).items()}
    assert [fate["status"] for fate in fates.values()] == ["completed", "killed", "completed", "completed"]
    assert fates[victim]["reason"] == "its process was killed (SIGKILL)"

    code, out, error = command_line(*command)
    assert code == 0, error
    assert out.count("already done") == 3
    assert [record(folder)["status"] for folder in runs_of(command_line).values()] == ["completed"] * 4
    assert rows(sweep(command_line) / victim) == STEPS + 1
    assert_runs_are_those_of_their_own(command_line, [*GRID, *threads])


def test_an_interruption_under_joblib_ends_every_run_in_good_order(command_line):
    pytest.importorskip("joblib")
    process = command_line.start("launcher=joblib", "steps=200000", "seed=1,2,3,4", "tracking=quiet", "-m")
    begun = lambda: len(list(sweep(command_line).glob("*/metrics.csv"))) == 2  # noqa: E731
    wait_for(begun, process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    folders = runs_of(command_line)
    assert [name[0] for name in folders] == ["0", "1"]
    assert {record(folder)["status"] for folder in folders.values()} == {"interrupted"}


def test_an_unexpected_error_in_a_sweep_is_one_line(capsys):
    def broken():
        raise ValueError("one\ntwo")

    assert reported(broken, "run 3: ") == "failed"
    assert capsys.readouterr().err.splitlines()[-1] == "error: run 3: ValueError: one two"
    with pytest.raises(ValueError, match="one"):
        reported(broken)
