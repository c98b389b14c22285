"""Each observer on the events of a run made by hand, and the files that it leaves."""

import csv
import dataclasses
import doctest
import importlib
import math
import subprocess
import sys

import numpy as np
import pytest

from nst_tf.images import read_picture
from nst_tf.observers import OBSERVERS, Checkpoints, Metrics, Observer, Progress, RunningObserver, Snapshots, is_due
from nst_tf.runs.events import Finished, Iterate
from nst_tf.util.errors import InputError

NEEDS_A_SERVER = {"mlflow"}
WITHOUT_SERVER = {name: kind for name, kind in OBSERVERS.items() if name not in NEEDS_A_SERVER}
ALL_KINDS = pytest.mark.parametrize("kind", WITHOUT_SERVER.values(), ids=list(WITHOUT_SERVER))


def table(run):
    with run.folder.metrics.open() as file:
        return list(csv.reader(file))


def file_kinds(run):
    """The files of a run; TensorBoard's end in the time, the host and a number."""
    return ["events" if "events.out.tfevents." in name else name for name in run.files()]


@pytest.mark.parametrize(
    ("step", "every", "expected"), [(0, 3, True), (3, 3, True), (4, 3, False), (10, 3, True), (3, 0, False)]
)
def test_a_step_is_due_at_multiples_and_at_the_last_step(hand_made_run, step, every, expected):
    assert is_due(hand_made_run.iterate(step), every) is expected


FILES = {
    "metrics": ["metrics.csv"],
    "tensorboard": ["events"],
    "snapshots": [f"snapshots/step_{step:06d}.png" for step in (0, 4, 8, 10)],
    "film": ["film.webp", *(f"film/step_{step:06d}.webp" for step in (0, 4, 8, 10))],
    "progress": [],
    "checkpoints": ["checkpoints/latest.npz"],
}


def test_every_observer_is_tested_here_or_needs_a_server():
    assert FILES.keys() == WITHOUT_SERVER.keys()


@pytest.mark.parametrize("name", FILES)
def test_a_run_leaves_the_files_of_its_observer(name, hand_made_run):
    hand_made_run.run(OBSERVERS[name](every=4))
    assert file_kinds(hand_made_run) == FILES[name]


SWITCHED_OFF = {"metrics": ["metrics.csv"], "tensorboard": ["events"]}  # header; config and status


@pytest.mark.parametrize("name", FILES)
def test_a_period_of_0_switches_an_observer_off(name, hand_made_run):
    settings = OBSERVERS[name](every=0)
    if name == "tensorboard":
        settings.pictures_every = 0
    assert list(settings.periods(steps=10)) == []
    hand_made_run.run(settings)
    assert file_kinds(hand_made_run) == SWITCHED_OFF.get(name, [])
    if name == "metrics":
        assert table(hand_made_run) == [["step", "evaluations", "seconds", "total", *hand_made_run.columns]]


@pytest.mark.parametrize("kind", OBSERVERS.values(), ids=list(OBSERVERS))
def test_a_negative_period_is_refused(kind):
    with pytest.raises(InputError, match="every=-1"):
        kind(every=-1)


@ALL_KINDS
def test_a_run_that_ends_before_its_first_loss_leaves_no_values(kind, hand_made_run):
    observer = hand_made_run.start(kind())
    nan = math.nan
    no_losses = Iterate(0, 10, 0, 0.0, nan, nan, {}, lambda: np.zeros((16, 20, 3), np.float32), dict)
    observer.finished(Finished("failed", "out of memory", no_losses))
    assert set(file_kinds(hand_made_run)) <= {"metrics.csv", "events"}
    if kind is Metrics:
        assert len(table(hand_made_run)) == 1


@ALL_KINDS
def test_one_settings_object_serves_two_runs_at_once(kind, hand_made_runs):
    settings = kind(every=5)
    before = dataclasses.asdict(settings)
    observers = [(run, run.start(settings)) for run in hand_made_runs]
    for step in range(11):
        for run, observer in observers:
            observer.progressed(run.iterate(step))
    for run, observer in observers:
        observer.finished(Finished("completed", "10 steps", run.iterate(10)))
    assert vars(settings) == before  # the running observers hold all state
    first, second = hand_made_runs
    assert file_kinds(first) == file_kinds(second)
    if kind is Metrics:
        assert [row[0] for row in table(first)] == [row[0] for row in table(second)] == ["step", "0", "5", "10"]


def test_metrics_are_the_counters_and_losses_of_every_fourth_step(hand_made_run):
    hand_made_run.run(Metrics(every=4))
    assert table(hand_made_run) == [
        ["step", "evaluations", "seconds", "total", *hand_made_run.columns],
        ["0", "1", "0.0", "100.0", "100.0", "50.0", "50.0"],
        ["4", "5", "2.0", "20.0", "20.0", "10.0", "10.0"],
        ["8", "9", "4.0", repr(100 / 9), repr(100 / 9), repr(50 / 9), repr(50 / 9)],
        ["10", "11", "5.0", repr(100 / 11), repr(100 / 11), repr(50 / 11), repr(50 / 11)],
    ]


def test_metrics_of_a_resumed_run_drop_the_rows_after_its_checkpoint(hand_made_run):
    hand_made_run.run(Metrics(every=1), last=8, status="interrupted")
    with hand_made_run.folder.metrics.open("a") as file:
        file.write("9,10,4.5,1")  # an incomplete row
    hand_made_run.run(Metrics(every=1), resumed_at=5)
    assert [row[0] for row in table(hand_made_run)] == ["step", *(str(step) for step in range(11))]


def test_a_new_run_replaces_the_table_of_an_earlier_one(hand_made_run):
    hand_made_run.run(Metrics(every=1))
    hand_made_run.run(Metrics(every=5))
    assert [row[0] for row in table(hand_made_run)] == ["step", "0", "5", "10"]


def test_snapshots_are_the_pictures_of_their_steps(hand_made_run):
    hand_made_run.run(Snapshots(every=5))
    assert hand_made_run.files() == [f"snapshots/step_{step:06d}.png" for step in (0, 5, 10)]
    for step in (0, 5, 10):
        pixels = read_picture(str(hand_made_run.folder.snapshot(step))).pixels
        np.testing.assert_allclose(pixels, step / 10, atol=0.5 / 255)


def test_the_checkpoint_is_the_latest_one_and_never_the_start(hand_made_run):
    observer, folder = hand_made_run.start(Checkpoints(every=4)), hand_made_run.folder
    observer.progressed(hand_made_run.iterate(0))
    assert folder.read_checkpoint() is None
    for step in range(1, 10):
        observer.progressed(hand_made_run.iterate(step))
    assert folder.read_checkpoint()["step"] == 8
    observer.finished(Finished("interrupted", "", hand_made_run.iterate(9)))
    assert folder.read_checkpoint()["step"] == 9
    assert hand_made_run.files() == ["checkpoints/latest.npz"]


def test_the_progress_bar_shows_size_steps_loss_and_speed(hand_made_run, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    hand_made_run.run(Progress(every=5))
    text = capsys.readouterr().err
    assert "10/10" in text
    assert "loss 9.091" in text
    assert "evaluations/s" in text
    assert "20x16" in text


def test_the_progress_bar_is_silent_without_a_terminal(hand_made_run, capsys):
    hand_made_run.run(Progress(every=5))
    assert capsys.readouterr().err == ""


def test_a_running_observer_without_methods_accepts_every_event(hand_made_run):
    class Silent(Observer):
        def start(self, event):
            return RunningObserver()

    hand_made_run.run(Silent())
    assert hand_made_run.files() == []


def test_an_observer_without_a_start_method_says_what_is_missing(hand_made_run):
    class Unfinished(Observer):
        pass

    with pytest.raises(NotImplementedError, match=r"Unfinished needs a method start\(event\)"):
        hand_made_run.run(Unfinished())


def test_the_example_of_an_observer_works(hand_made_run, capsys):
    module = importlib.import_module("nst_tf.observers.observer")
    names = {}
    for example in doctest.DocTestFinder().find(module.Observer, "Observer")[0].examples:
        exec(example.source, names)
    hand_made_run.run(names["PrintedLoss"](every=5))
    assert capsys.readouterr().out.splitlines() == [
        f"{hand_made_run.folder.name}: 10 steps",
        *("step 0: 100", "step 5: 16.7", "step 10: 9.09"),
        "completed",
    ]


def test_settings_are_imported_without_tensorflow_and_tensorboard():
    code = (
        "import sys, nst_tf.observers, nst_tf.runs.session\n"
        "assert not {'tensorflow', 'tensorboard', 'keras'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
