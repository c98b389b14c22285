"""Sweeps whose processes are killed: other runs are unaffected, and the same command continues the sweep."""

import json
import os
import signal
import time

import numpy as np
import pytest

from nst_tf.cli.main import report_errors
from nst_tf.images import read_picture
from nst_tf.runs.folder import RunFolder

STEPS = 150
GRID = [f"steps={STEPS}", "tracking.checkpoints.every=7", "tracking.snapshots.every=0", "tracking.tensorboard.every=0"]


def record(folder):
    return json.loads((folder / "run.json").read_text())


def runs_of(command_line):
    """Folders of the runs that have a record, by their number."""
    (sweep,) = (command_line.folder / "outputs" / "sweeps").iterdir()
    return {int(path.parent.name.partition("_")[0]): path.parent for path in sorted(sweep.glob("*/run.json"))}


def wait_for(condition, process):
    for _ in range(9000):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("the condition never held")


def rows(folder):
    return (folder / "metrics.csv").read_text().count("\n") - 1 if (folder / "metrics.csv").exists() else 0


def run_folder(command_line, number):
    """A run's folder, once it is there; whatever else the sweep is called."""
    return next((command_line.folder / "outputs" / "sweeps").glob(f"*/{number}_*"), command_line.folder / "none")


def assert_runs_equal_single_runs(command_line, overrides):
    """Each run's picture is the one that a command for it alone makes."""
    for number, folder in runs_of(command_line).items():
        alone = command_line.folder / "alone" / str(number)
        (weight,) = (text for text in RunFolder(folder).read_overrides() if text.startswith("losses.style.weight="))
        code, _, error = command_line(*overrides, weight, f"hydra.run.dir={alone}")
        assert code == 0, error
        pictures = [read_picture(str(path / "stylized.png")).pixels for path in (folder, alone)]
        np.testing.assert_array_equal(*pictures, err_msg=weight)


@pytest.mark.slow
def test_a_killed_sweep_is_continued_by_the_same_command(command_line):
    """In one process, killed in its second run; in no folder that the command names."""
    command = [*GRID, "losses.style.weight=1,2,3", "-m"]
    process = command_line.start(*command)
    wait_for(lambda: rows(run_folder(command_line, 1)) > 20, process)
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
    assert (second.parent / "report" / "index.html").exists()
    assert_runs_equal_single_runs(command_line, GRID)


@pytest.mark.slow
def test_a_killed_run_under_joblib_leaves_the_others_unaffected(command_line):
    pytest.importorskip("joblib")
    threads = ["runtime.threads=1"]  # so that bits can be compared
    command = ["launcher=joblib", *GRID, *threads, "losses.style.weight=1,2,3,4", "-m"]
    process = command_line.start(*command)
    wait_for(lambda: rows(run_folder(command_line, 1)) > 20, process)
    os.kill(record(run_folder(command_line, 1))["process"], signal.SIGKILL)
    out, error = process.communicate(timeout=200)
    assert process.returncode == 1, error
    assert out.count(f"completed: {STEPS} steps\n") == 3
    lines = [line for line in error.splitlines() if line.startswith("error:")]
    assert lines == [
        "error: run 1: its process was killed (SIGKILL); the same command continues it",
    ]
    assert "Traceback" not in error
    records = [record(folder) for folder in runs_of(command_line).values()]
    assert [each["status"] for each in records] == ["completed", "killed", "completed", "completed"]
    assert records[1]["reason"] == "its process was killed (SIGKILL)"

    code, out, error = command_line(*command)
    assert code == 0, error
    assert "oneDNN" not in error, "TensorFlow's own lines, of every process"
    assert "leaked" not in error, "nothing is left behind by a process"
    assert out.count("Continues from its checkpoint at step ") == 1
    assert out.count("already done") == 3
    assert [record(folder)["status"] for folder in runs_of(command_line).values()] == ["completed"] * 4
    assert rows(run_folder(command_line, 1)) == STEPS + 1
    assert_runs_equal_single_runs(command_line, [*GRID, *threads])


@pytest.mark.slow
def test_an_interruption_under_joblib_saves_every_current_run(command_line):
    pytest.importorskip("joblib")
    process = command_line.start("launcher=joblib", "steps=200000", "seed=1,2,3,4", "tracking=quiet", "-m")
    wait_for(lambda: all((run_folder(command_line, n) / "metrics.csv").exists() for n in (0, 1)), process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    folders = runs_of(command_line)
    assert list(folders) == [0, 1]
    assert {record(folder)["status"] for folder in folders.values()} == {"interrupted"}


def test_an_unexpected_error_in_a_sweep_is_one_line(capsys):
    def broken():
        raise ValueError("one\ntwo")

    assert report_errors(broken, "run 3: ") == "failed"
    assert capsys.readouterr().err.splitlines()[-1] == "error: run 3: ValueError: one two"
    with pytest.raises(ValueError, match="one"):
        report_errors(broken)
