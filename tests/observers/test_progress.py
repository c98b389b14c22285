"""The display of progress: a bar on a terminal and in a notebook, lines in a log elsewhere."""

import logging
import sys
from types import SimpleNamespace

import pytest

from nst_tf.observers import Progress
from nst_tf.observers.progress import ProgressBar, ProgressLines, in_notebook
from nst_tf.runs.events import Scaled, Started
from nst_tf.runs.folder import RunFolder
from nst_tf.util.errors import InputError


@pytest.fixture
def clock(monkeypatch):
    """A clock that shows ``clock.now`` seconds."""
    shown = SimpleNamespace(now=100.0)
    monkeypatch.setattr("nst_tf.observers.progress.time.monotonic", lambda: shown.now)
    return shown


def started(tmp_path, resumed_at=None):
    return Started(RunFolder(tmp_path / "lighthouse"), 200, resumed_at, ["style"], "", {})


def iterate(step, total=0.25, speed=4.0, terms=("style",)):
    return SimpleNamespace(step=step, steps=200, total=total, speed=speed, terms=dict.fromkeys(terms, total))


def messages(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "nst_tf.observers.progress"]


def test_a_log_gets_a_line_with_step_size_loss_and_remaining_time(tmp_path, clock, caplog):
    caplog.set_level(logging.INFO)
    lines = Progress(every=10, line_seconds=10).start(started(tmp_path))
    assert isinstance(lines, ProgressLines)
    lines.scaled(Scaled(1, 1, 341, 512))
    lines.progressed(iterate(10))
    clock.now = 120.0  # 20 s for 50 of 200 steps: 60 s for the other 150
    lines.progressed(iterate(50))
    assert messages(caplog) == ["lighthouse: step 50 of 200 at 512x341, loss 0.25, 4.00 evaluations/s, about 60 s left"]


def test_lines_keep_their_distance_in_time_and_in_steps(tmp_path, clock, caplog):
    caplog.set_level(logging.INFO)
    lines = ProgressLines(started(tmp_path), every=10, line_seconds=10)
    for step in range(1, 200):
        clock.now += 1.0
        lines.progressed(iterate(step))
    steps = [int(text.split()[2]) for text in messages(caplog)]
    assert steps == list(range(10, 200, 10))


def test_the_last_step_needs_no_line(tmp_path, clock, caplog):
    caplog.set_level(logging.INFO)
    lines = ProgressLines(started(tmp_path), every=10, line_seconds=10)
    clock.now += 60
    lines.progressed(iterate(200))
    assert messages(caplog) == []


def test_the_remaining_time_of_a_resumed_run_counts_its_own_steps(tmp_path, clock, caplog):
    caplog.set_level(logging.INFO)
    lines = ProgressLines(started(tmp_path, resumed_at=100), every=10, line_seconds=10)
    clock.now += 30  # 30 s for 50 steps, and 50 are left
    lines.progressed(iterate(150, terms=()))
    assert messages(caplog) == ["lighthouse: step 150 of 200, about 30 s left"]


def test_every_0_switches_lines_and_bar_off(tmp_path, clock, caplog, capsys):
    caplog.set_level(logging.INFO)
    for observer in (ProgressLines(started(tmp_path), 0, 10), ProgressBar(started(tmp_path), 0)):
        clock.now += 60
        observer.progressed(iterate(50))
    assert messages(caplog) == []
    assert capsys.readouterr().err == ""


def test_line_seconds_must_be_above_0():
    with pytest.raises(InputError, match=r"line_seconds=0.*: must be above 0"):
        Progress(line_seconds=0)


def test_a_notebook_shows_a_bar_although_stderr_is_no_terminal(tmp_path, monkeypatch, capsys):
    assert not in_notebook()
    kernel = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: kernel))
    assert in_notebook()
    observer = Progress(every=10).start(started(tmp_path))
    assert isinstance(observer, ProgressBar)


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch):
    shell = SimpleNamespace(config={})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert not in_notebook()
