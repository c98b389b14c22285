"""Run folders in every state: ended, running, incomplete, damaged, and folders without a run."""

import logging

import pandas
import pytest

from nst_tf.reports.csv_text import csv_text
from nst_tf.reports.reading import KILLED, find_runs, natural_key, read_metrics
from nst_tf.runs.session import run_lock
from nst_tf.util.errors import InputError


def test_runs_come_in_natural_order_with_their_numbers(made_up_sweep):
    folder = made_up_sweep([[f"seed={n}"] for n in range(11)])
    runs = find_runs([folder])
    assert [run.label for run in runs] == [str(n) for n in range(11)]
    assert runs[10].overrides == ["content=photo.jpg", "steps=3", "name=grid", "seed=10"]


def test_numbers_in_names_sort_by_value(tmp_path):
    names = ["10_a", "2_b", "lighthouse", "2_a"]
    assert [p.name for p in sorted((tmp_path / name for name in names), key=natural_key)] == [
        "2_a",
        "2_b",
        "10_a",
        "lighthouse",
    ]


def test_labels_of_two_sweeps_include_the_folder_and_a_run_given_twice_is_read_once(made_up_sweep, tmp_path):
    first = made_up_sweep([["seed=0"], ["seed=1"]], folder=tmp_path / "first")
    second = made_up_sweep([["seed=0"]], folder=tmp_path / "second")
    runs = find_runs([first, second, first / "0_seed=0"])
    assert [run.label for run in runs] == ["first/0", "first/1", "second/0"]


def test_a_running_run_has_the_values_of_its_last_row(made_up_run, tmp_path):
    made_up_run(tmp_path / "run", ["steps=9"], totals=(8.0, 4.0), status="running")
    (run,) = find_runs([tmp_path])
    assert (run.status, run.succeeded, run.picture) == ("running", False, None)
    assert run.final["total"] == 4.0
    assert [run.count(name) for name in ("steps", "evaluations", "seconds")] == [1, 2, 0.5]


def test_the_picture_of_a_running_run_is_its_last_snapshot(made_up_run, tmp_path):
    run = made_up_run(tmp_path / "run", [], status="running")
    for step in (0, 100, 50):
        run.snapshot(step).parent.mkdir(exist_ok=True)
        run.snapshot(step).write_bytes(b"")
    assert find_runs([tmp_path])[0].picture == run.snapshot(100)


def test_an_incomplete_row_is_dropped(made_up_run, tmp_path):
    run = made_up_run(tmp_path / "run", [], totals=(8.0, 4.0, 2.0))
    run.metrics.write_text(run.metrics.read_text() + "3,4")
    assert list(read_metrics(run.metrics).total) == [8.0, 4.0, 2.0]


@pytest.mark.parametrize("text", [None, "", "step,evaluations\n1,2\n", "\x00\x01"])
def test_metrics_are_empty_where_the_file_is_missing_or_damaged(text, made_up_run, tmp_path):
    run = made_up_run(tmp_path / "run", [])
    run.metrics.unlink()
    if text is not None:
        run.metrics.write_text(text)
    (read,) = find_runs([tmp_path])
    assert read.metrics.empty
    assert read.final["total"] == 1.0


def test_damaged_records_distillations_and_empty_folders_are_left_out_with_a_warning(made_up_run, tmp_path, caplog):
    made_up_run(tmp_path / "good", [])
    broken = made_up_run(tmp_path / "broken", [])
    broken.record.write_text("{")
    trained = made_up_run(tmp_path / "trained", [])
    trained.config.write_text("teacher: {weights: imagenet}\n")
    (tmp_path / "notes").mkdir()
    with caplog.at_level(logging.WARNING):
        runs = find_runs([tmp_path, tmp_path / "notes"])
    assert [run.label for run in runs] == ["good"]
    assert [line.split("'")[1].removeprefix(f"{tmp_path}/") for line in caplog.messages] == [
        "broken/run.json",
        "trained",
        "notes",
    ]


@pytest.mark.parametrize(("name", "words"), [("nothing", "No such folder"), ("", "No run in")])
def test_folders_without_a_run_are_refused(name, words, tmp_path):
    with pytest.raises(InputError, match=words):
        find_runs([tmp_path / name])


def test_a_run_without_a_process_is_shown_as_killed(made_up_run, tmp_path):
    run = made_up_run(tmp_path / "run", [])
    run.write_record(run.read_record() | {"status": "running"})
    (read,) = find_runs([tmp_path])
    assert (read.status, read.record["reason"]) == ("killed", KILLED)
    with run_lock(run):
        assert find_runs([tmp_path])[0].status == "running"


def test_texts_that_a_spreadsheet_would_compute_are_marked():
    frame = pandas.DataFrame({"=a": ["=HYPERLINK(1)", "@x", "-5", "plain"], "n": [-1.5, 2, 3, None]})
    assert csv_text(frame) == "'=a,n\n'=HYPERLINK(1),-1.5\n'@x,2.0\n-5,3.0\nplain,\n"
