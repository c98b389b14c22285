"""A run in its folder: its record, its earlier results, and its lock."""

import dataclasses
import math

import numpy as np
import pytest

from nst_tf import __version__
from nst_tf.runs.events import Finished, Iterate, Progressed
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.record import RecordedSettings, finite_or_none, first_record, last_record, library_versions
from nst_tf.runs.session import Session, run_lock
from nst_tf.util.errors import InputError

SETTINGS = RecordedSettings("lighthouse", 2, "steps: 2\n", {"steps": 2}, "a" * 64, "float32", ["steps=2"])


def iterate(step, total=3.0):
    terms = {"content": total}
    return Iterate(step, 2, step + 1, 0.5 * step, total, 1.0, terms, lambda: np.zeros((2, 2, 3), np.float32), dict)


@pytest.fixture
def session(tmp_path):
    return session_in(tmp_path)


def session_in(path, settings=SETTINGS):
    return Session(settings, [], RunFolder(path), first_record(settings, "/CPU:0", {}, None))


def finish(session, status="completed", step=2):
    session.begin(session.folder.picture, 12)
    events = iter([Progressed(iterate(1)), Finished(status, "because", iterate(step))])
    end = session.observe(events, session.start_observing(["content"], None))
    session.folder.picture.touch()
    return session.end(end, height=2)


def test_the_first_record_is_written_before_the_run(session):
    assert session.state() is None
    session.begin(session.folder.picture, 12)
    record = session.folder.read_record()
    assert record == session.record
    assert (record["status"], record["name"], record["fingerprint"]) == ("running", "lighthouse", "a" * 64)
    assert record["versions"]["nst_tf"] == __version__
    assert session.folder.config.read_text() == "steps: 2\n"
    assert session.folder.read_overrides() == ["steps=2"]


def test_the_last_record_has_status_counters_losses_and_product(session):
    result = finish(session)
    record = session.folder.read_record()
    assert record == result.record
    assert (record["status"], record["reason"], record["steps"], record["evaluations"]) == (
        *("completed", "because"),
        *(2, 3),
    )
    assert (record["seconds"], record["seconds_per_evaluation"]) == (1.0, 0.33333)
    assert record["final"] == {"total": 3.0, "content": 3.0}
    assert record["height"] == 2


def test_a_finished_run_is_returned_instead_of_repeated(session):
    assert session.finished_result(session.folder.picture) is None
    finish(session)
    result = session_in(session.folder.path).finished_result(session.folder.picture)
    assert (result.status, result.reason) == ("completed", "already done: because")
    session.folder.picture.unlink()
    assert session.finished_result(session.folder.picture) is None


@pytest.mark.parametrize(("status", "is_finished"), [("completed", False), ("converged", True), ("diverged", True)])
def test_only_a_completed_run_continues_when_more_steps_are_allowed(session, status, is_finished):
    finish(session, status)
    longer = session_in(session.folder.path, dataclasses.replace(SETTINGS, steps=5))
    assert (longer.finished_result(session.folder.picture) is not None) is is_finished


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_an_interrupted_or_failed_run_is_not_finished(session, status):
    finish(session, status)
    assert session.finished_result(session.folder.picture) is None


def test_a_folder_with_another_fingerprint_is_refused(session):
    finish(session)
    other = session_in(session.folder.path, dataclasses.replace(SETTINGS, fingerprint="b" * 64))
    with pytest.raises(InputError, match="holds a run of other settings or pictures"):
        other.finished_result(session.folder.picture)


def test_a_checkpoint_without_a_record_is_ignored(session):
    session.folder.write_checkpoint({"step": np.array(1)})
    assert session.state() is None
    session.begin(session.folder.picture, 12)
    assert session.state()["step"] == 1


def test_an_unexpected_error_is_recorded_and_raised(session):
    session.begin(session.folder.picture, 12)
    with pytest.raises(ZeroDivisionError), session.record_failure():
        1 / 0  # noqa: B018
    record = session.folder.read_record()
    assert (record["status"], record["reason"]) == ("failed", "ZeroDivisionError: division by zero")


def test_an_input_error_is_raised_without_a_record(session):
    session.begin(session.folder.picture, 12)
    with pytest.raises(InputError, match="wrong"), session.record_failure():
        raise InputError("wrong")
    assert session.folder.read_record()["status"] == "running"


def test_a_locked_folder_is_refused(session):
    with (
        run_lock(session.folder),
        pytest.raises(InputError, match="Another process is running in"),
        run_lock(session.folder),
    ):
        pass


def test_losses_that_json_cannot_represent_are_recorded_as_none():
    assert [finite_or_none(value) for value in (1.5, math.nan, math.inf)] == [1.5, None, None]
    record = last_record(Finished("diverged", "", iterate(1, total=math.nan)), "/CPU:0")
    assert record["final"] == {"total": None, "content": None}


def test_versions_include_the_libraries_that_results_depend_on():
    assert {"nst_tf", "python", "tensorflow", "keras", "numpy"} <= library_versions().keys()
