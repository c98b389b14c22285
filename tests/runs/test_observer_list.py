"""The delivery of events to observers, some of which fail."""

import numpy as np
import pytest

from nst_tf.observers import Observer, RunningObserver
from nst_tf.runs.events import Failed, Finished, Iterate, Progressed, Scaled, Started
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.observer_list import ObserverList

ITERATE = Iterate(1, 2, 2, 0.5, 1.0, 1.0, {"content": 1.0}, lambda: np.zeros((2, 2, 3), np.float32), dict)
EVENTS = [
    Scaled(1, 1, 16, 20),
    Progressed(ITERATE),
    Progressed(ITERATE),
    Finished("completed", "2 steps", ITERATE),
]
METHODS = ["scaled", "progressed", "finished"]


class Recorder(Observer, RunningObserver):
    """Settings and running observer in one; notes each call in a list that it shares with others."""

    def __init__(self, calls, name, fails_in=None):
        super().__init__()
        self._calls, self._name, self._fails_in = calls, name, fails_in

    def _note(self, method, argument):
        self._calls.append((self._name, method, argument))
        if method == self._fails_in:
            raise ValueError(f"broken {method}")

    def start(self, event):
        self._note("start", event)
        return self

    def scaled(self, event):
        self._note("scaled", event)

    def progressed(self, iterate):
        self._note("progressed", iterate)

    def finished(self, event):
        self._note("finished", event)


@pytest.fixture
def started(tmp_path):
    return Started(RunFolder(tmp_path), 2, None, ["content"], "steps: 2", {"steps": 2})


def deliver(observers, started, events=EVENTS):
    running = ObserverList(observers, started)
    for event in events:
        running.notify(event)


def test_every_observer_receives_every_event_in_order(started):
    calls = []
    deliver([Recorder(calls, "first"), Recorder(calls, "second")], started)
    expected = [
        ("start", started),
        ("scaled", EVENTS[0]),
        ("progressed", ITERATE),
        ("progressed", ITERATE),
        ("finished", EVENTS[-1]),
    ]
    assert calls == [(name, *call) for call in expected for name in ("first", "second")]


@pytest.mark.parametrize("method", ["start", *METHODS])
def test_a_failing_observer_is_removed_with_one_warning(method, started, caplog):
    calls = []
    deliver([Recorder(calls, "broken", fails_in=method), Recorder(calls, "sound")], started)
    broken = [called for name, called, _ in calls if name == "broken"]
    assert broken[-1] == method
    assert broken.count(method) == 1
    sound = [called for name, called, _ in calls if name == "sound"]
    assert sound == ["start", "scaled", "progressed", "progressed", "finished"]
    assert [record.getMessage() for record in caplog.records] == [
        f"Observer Recorder is switched off after an error: ValueError: broken {method}"
    ]


def test_a_failed_run_is_delivered_as_finished(started):
    calls = []
    end = Failed("failed", "out of memory", ITERATE, MemoryError())
    deliver([Recorder(calls, "only")], started, [end])
    assert calls[-1] == ("only", "finished", end)


class Unreliable(Recorder):
    """Raises an `OSError` at chosen calls of ``progressed``, and stays."""

    survives_disk_errors = True

    def progressed(self, iterate):
        super().progressed(iterate)
        if len(self._calls) < 5:
            raise OSError(28, "No space left on device", "latest.npz")


def test_an_observer_that_survives_disk_errors_is_called_again_and_the_error_is_recorded(started, caplog):
    calls = []
    running = ObserverList([Unreliable(calls, "only")], started)
    for event in EVENTS:
        running.notify(event)
    assert [method for _, method, _ in calls] == ["start", "scaled", "progressed", "progressed", "finished"]
    assert running.errors == {
        "Unreliable": "last failed at step 1: OSError: [Errno 28] No space left on device: 'latest.npz'"
    }
    assert len(caplog.records) == 1  # one warning for a series of errors


def test_an_observer_that_was_switched_off_is_recorded(started):
    running = ObserverList([Recorder([], "only", fails_in="finished")], started)
    for event in EVENTS:
        running.notify(event)
    assert running.errors == {"Recorder": "switched off at step 1: ValueError: broken finished"}
