"""Each observer on events made by hand, and the tables and files it leaves."""

import csv
import json
import math

import numpy as np
import pytest

from nst_tf.images import read_picture
from nst_tf.observers import OBSERVERS, Checkpoints, Metrics, Observer, Progress, Snapshots, is_due
from nst_tf.runs.events import Finished, Iterate, Progressed, Scaled, Started
from nst_tf.runs.folder import RunFolder
from nst_tf.util.errors import InputError

COLUMNS = ["content", "content/raw", "content/conv"]


def iterate(step, steps=10, total=None):
    value = 100.0 / (step + 1) if total is None else total
    return Iterate(
        step=step,
        steps=steps,
        evaluations=step + 1,
        seconds=0.5 * step,
        total=value,
        gradient_norm=1.0,
        terms={"content": value, "content/raw": value / 2, "content/conv": value / 2},
        picture=lambda: np.full((16, 20, 3), step / 10, np.float32),
        state=lambda: {"step": np.array(step)},
    )


def started(tmp_path, resumed_at=None):
    return Started(RunFolder(tmp_path), 10, resumed_at, COLUMNS, "steps: 10", {"steps": 10})


def table(tmp_path):
    with (tmp_path / "metrics.csv").open() as file:
        return list(csv.reader(file))


def run(observer, tmp_path, steps=10, resumed_at=None, status="completed"):
    observer.notify(started(tmp_path, resumed_at))
    observer.notify(Scaled(1, 1, 16, 20))
    for step in range(0 if resumed_at is None else resumed_at + 1, steps + 1):
        observer.notify(Progressed(iterate(step)))
    observer.notify(Finished(status, "because", iterate(steps)))


@pytest.mark.parametrize(
    ("step", "every", "expected"), [(0, 3, True), (3, 3, True), (4, 3, False), (10, 3, True), (3, 0, False)]
)
def test_due(step, every, expected):
    assert is_due(iterate(step), every) is expected


@pytest.mark.parametrize("kind", OBSERVERS.values(), ids=list(OBSERVERS))
class TestEveryObserver:
    def test_it_follows_a_whole_run(self, kind, tmp_path):
        run(kind(every=2), tmp_path)

    def test_switched_off_it_asks_for_no_look(self, kind, tmp_path):
        observer = kind(every=0)
        if hasattr(observer, "pictures_every"):
            observer.pictures_every = 0
        assert list(observer.periods) == []
        run(observer, tmp_path)

    def test_a_negative_period_is_refused(self, kind):
        with pytest.raises(InputError, match="every=-1"):
            kind(every=-1)

    def test_it_survives_a_run_that_ends_before_its_first_loss(self, kind, tmp_path):
        observer = kind()
        observer.notify(started(tmp_path))
        unread = Iterate(0, 10, 0, 0.0, math.nan, math.nan, {}, lambda: np.zeros((16, 20, 3), np.float32), dict)
        observer.notify(Finished("failed", "out of memory", unread))


def test_metrics_by_hand(tmp_path):
    run(Metrics(every=4), tmp_path)
    assert table(tmp_path) == [
        ["step", "evaluations", "seconds", "total", *COLUMNS],
        ["0", "1", "0.0", "100.0", "100.0", "50.0", "50.0"],
        ["4", "5", "2.0", "20.0", "20.0", "10.0", "10.0"],
        ["8", "9", "4.0", repr(100 / 9), repr(100 / 9), repr(50 / 9), repr(50 / 9)],
        ["10", "11", "5.0", repr(100 / 11), repr(100 / 11), repr(50 / 11), repr(50 / 11)],
    ]


def test_metrics_of_a_continued_run_drop_what_its_checkpoint_had_not_seen(tmp_path):
    run(Metrics(every=1), tmp_path, steps=8, status="interrupted")
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("9,10,4.5,1")  # a torn row
    run(Metrics(every=1), tmp_path, resumed_at=5)
    assert [row[0] for row in table(tmp_path)] == ["step", *(str(step) for step in range(11))]


def test_a_fresh_run_does_not_keep_an_old_table(tmp_path):
    run(Metrics(every=1), tmp_path)
    run(Metrics(every=5), tmp_path)
    assert [row[0] for row in table(tmp_path)] == ["step", "0", "5", "10"]


def test_snapshots_are_the_pictures_of_their_steps(tmp_path):
    run(Snapshots(every=5), tmp_path)
    files = sorted((tmp_path / "snapshots").iterdir())
    assert [file.name for file in files] == ["step_000000.png", "step_000005.png", "step_000010.png"]
    np.testing.assert_allclose(read_picture(str(files[1])).pixels, 0.5, atol=0.5 / 255)


def test_checkpoints_keep_the_latest_and_skip_the_start(tmp_path):
    observer, folder = Checkpoints(every=4), RunFolder(tmp_path)
    observer.notify(started(tmp_path))
    observer.notify(Progressed(iterate(0)))
    assert folder.read_checkpoint() is None
    for step in range(1, 10):
        observer.notify(Progressed(iterate(step)))
    assert folder.read_checkpoint()["step"] == 8
    observer.notify(Finished("interrupted", "", iterate(9)))
    assert folder.read_checkpoint()["step"] == 9
    assert [path.name for path in folder.checkpoint.parent.iterdir()] == ["latest.npz"]


def test_progress_shows_loss_and_pace(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    run(Progress(every=5), tmp_path)
    text = capsys.readouterr().err
    assert "10/10" in text
    assert "loss 9.091" in text
    assert "evaluations/s" in text
    assert "20x16" in text


def test_progress_is_silent_without_a_terminal(tmp_path, capsys):
    run(Progress(every=5), tmp_path)
    assert capsys.readouterr().err == ""


def test_an_observer_may_ignore_everything(tmp_path):
    run(Observer(), tmp_path)


def test_a_record_is_written_whole(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.write_record({"status": "running"})

    def torn(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", torn)
        with pytest.raises(OSError, match="disk full"):
            folder.write_record({"status": "completed"})
    assert json.loads(folder.record.read_text()) == {"status": "running"}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
