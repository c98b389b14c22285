"""Sweeps: a bad run among good ones, an interruption, and what the command's status tells."""

import signal
import time

import pytest


def folders(command_line):
    return sorted(path.name for path in (command_line.folder / "sweep").iterdir() if path.is_dir())


@pytest.mark.parametrize("launcher", [[], ["launcher=joblib"]], ids=["in process", "joblib"])
def test_a_refused_run_does_not_stop_the_others_and_the_status_tells(launcher, command_line):
    if launcher:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    values = "optimizer.learning_rate=0.1,-1,0.2"
    code, out, error = command_line("steps=1", values, "hydra.sweep.dir=sweep", *launcher, "-m")
    assert code == 2, error
    assert out.count("completed: 1 step\n") == 2
    assert error.count("error: run 1: optimizer.learning_rate=-1.0: must be above 0") == 1
    names = folders(command_line)
    assert [name[:1] for name in names] == ["0", "2"]
    assert all("launcher" not in name for name in names)


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


def test_an_interruption_before_there_is_anything_is_one_line(command_line):
    process = command_line.start("steps=1")
    time.sleep(0.7)  # importing
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)  # the latter before Python reaches the program
    if process.returncode == 130:
        assert "Traceback" not in error


def test_a_run_folder_that_cannot_be_made_is_one_line(command_line):
    (command_line.folder / "file").write_text("")
    code, out, error = command_line("steps=1", "hydra.run.dir=file/run")
    assert (code, out) == (2, "")
    assert len(error.splitlines()) == 1
    assert "file" in error
