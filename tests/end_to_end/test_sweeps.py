"""Sweeps: a refused run among others, an interruption, the report, and the exit code of the command."""

import csv
import shlex
import signal
import time

import numpy as np
import pytest
from PIL import Image

from tests.command_line import CommandLine


def folders(command_line):
    names = {path.name for path in (command_line.folder / "sweep").glob("[!.]*") if path.is_dir()}
    return sorted(names - {"report"})


def reported_statuses(command_line):
    """Return the status of each run in the report's table."""
    with (command_line.folder / "sweep" / "report" / "table.csv").open(newline="") as file:
        return {row["run"]: row["status"] for row in csv.DictReader(file)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher", [[], pytest.param(["launcher=joblib"], marks=pytest.mark.slow)], ids=["in process", "joblib"]
)
def test_a_refused_run_does_not_stop_the_others_and_sets_the_exit_code(launcher, command_line):
    if launcher:
        pytest.importorskip("joblib")
    values = "optimizer.learning_rate=0.1,-1,0.2"
    code, out, error = command_line("steps=1", values, "runtime.threads=1", "hydra.sweep.dir=sweep", *launcher, "-m")
    assert code == 2, error
    assert out.count("completed: 1 step\n") == 2
    assert error.count("error: run 1: optimizer.learning_rate=-1.0: must be above 0") == 1
    names = folders(command_line)
    assert [name[:1] for name in names] == ["0", "2"]
    assert all("launcher" not in name for name in names)
    assert reported_statuses(command_line) == {"0": "completed", "2": "completed"}
    assert out.endswith("  report       sweep/report/index.html\n")


@pytest.mark.slow
def test_an_interruption_ends_the_whole_sweep(command_line):
    process = command_line.start("steps=20000", "seed=1,2,3", "hydra.sweep.dir=sweep", "tracking=quiet", "-m")
    for _ in range(3000):
        if list(command_line.folder.glob("sweep/0_*/metrics.csv")):
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert out.count("interrupted") == 1
    assert "Traceback" not in error
    assert [name[:1] for name in folders(command_line)] == ["0"]
    assert reported_statuses(command_line) == {"0": "interrupted"}


@pytest.mark.slow
def test_a_sweep_of_refused_runs_writes_no_report(command_line):
    code, out, error = command_line("steps=1", "optimizer.learning_rate=-1,-2", "hydra.sweep.dir=sweep", "-m")
    assert (code, error.count("error:")) == (2, 2)
    assert "report" not in out
    assert not (command_line.folder / "sweep" / "report").exists()


@pytest.mark.slow
def test_a_report_that_cannot_be_written_leaves_the_runs_and_exit_code(command_line):
    (command_line.folder / "sweep").mkdir()
    (command_line.folder / "sweep" / "report").write_text("")
    code, out, error = command_line("steps=1", "seed=1,2", "hydra.sweep.dir=sweep", "-m")
    assert (code, out.count("completed: 1 step\n")) == (0, 2)
    assert next(line for line in error.splitlines() if "report" in line).startswith("warning: no report: InputError")


@pytest.mark.slow
def test_a_sweep_without_the_callback_writes_no_report(command_line):
    code, _, error = command_line("steps=1", "seed=1,2", "hydra.sweep.dir=sweep", "~hydra.callbacks.report", "-m")
    assert (code, error) == (0, "")
    assert not (command_line.folder / "sweep" / "report").exists()


@pytest.mark.slow
def test_the_printed_command_repeats_a_run_bit_for_bit(command_line):
    code, _, error = command_line(
        "steps=2", "seed=1,2", "image.start=noise", "hydra.sweep.dir=sweep", "name=grid", "-m"
    )
    assert code == 0, error
    with (command_line.folder / "sweep" / "report" / "table.csv").open(newline="") as file:
        _, row = csv.DictReader(file)
    python, script, *words = shlex.split(row["command"])
    assert (python, script) == ("python", "scripts/stylize.py")
    command_line.small = []
    code, _, error = command_line(*words)
    assert code == 0, error
    again = command_line.folder / "outputs" / "runs" / "grid_1" / "stylized.png"
    with Image.open(again) as repeated, Image.open(command_line.folder / row["folder"] / "stylized.png") as original:
        assert np.array_equal(np.asarray(repeated), np.asarray(original))


@pytest.mark.slow
def test_an_interruption_during_imports_prints_no_traceback(tmp_path, pictures):
    process = CommandLine(tmp_path, pictures).start("steps=1")
    time.sleep(0.7)  # importing
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)  # the latter before Python reaches the program
    if process.returncode == 130:
        assert "Traceback" not in error


@pytest.mark.slow
def test_a_run_folder_that_cannot_be_made_is_one_line(command_line):
    (command_line.folder / "file").write_text("")
    code, out, error = command_line("steps=1", "hydra.run.dir=file/run")
    assert (code, out) == (2, "")
    assert len(error.splitlines()) == 1
    assert "file" in error
