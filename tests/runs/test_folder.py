"""The files of a run folder."""

import json
from pathlib import Path

import numpy as np
import pytest

from nst_tf.runs.folder import FINAL, METRICS_COUNTERS, STATUSES, TEXT_RESERVE, RunFolder, checkpoint_errors
from nst_tf.util.errors import InputError
from nst_tf.util.files import append_line, name_in_error


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs" / "lighthouse")


def test_the_name_is_the_last_two_parts_of_the_path(folder):
    assert folder.name == "runs/lighthouse"


def test_final_statuses_are_some_of_all_statuses():
    assert set(FINAL) < set(STATUSES)
    assert METRICS_COUNTERS == ("step", "evaluations", "seconds", "total")


def test_a_failed_write_leaves_the_earlier_record(folder, monkeypatch):
    folder.write_record({"status": "running"})

    def full(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="disk full"):
            folder.write_record({"status": "completed"})
    assert json.loads(folder.record.read_text()) == {"status": "running"}
    assert [path.name for path in folder.path.iterdir()] == ["run.json"]


def test_a_record_is_read_as_it_was_written(folder):
    assert folder.read_record() == {}
    record = {"status": "completed", "fingerprint": "0" * 64, "reason": "größer", "final": {"total": None}}
    folder.write_record(record)
    assert folder.read_record() == record


@pytest.mark.parametrize("content", ["[1]", "{", '{"status": "completed"}'])
def test_a_file_that_is_not_a_record_is_refused(folder, content):
    folder.make()
    folder.record.write_text(content)
    with pytest.raises(InputError, match=r"run\.json' is not the record of a run: delete it"):
        folder.read_record()


@pytest.mark.parametrize("text", ["seed=1", "name='a: b'", "content=" + "long name " * 30, "style=größer # no comment"])
def test_overrides_are_read_as_they_were_written(folder, text):
    folder.write_overrides([text, "steps=2"])
    assert folder.read_overrides() == [text, "steps=2"]


@pytest.mark.parametrize("content", [b"{", b"\x80", b"steps: 1", b""])
def test_damaged_overrides_are_read_as_none(folder, content):
    assert folder.read_overrides() == []
    folder.overrides.parent.mkdir(parents=True)
    folder.overrides.write_bytes(content)
    assert folder.read_overrides() == []


def test_a_checkpoint_is_read_as_it_was_written(folder):
    assert folder.read_checkpoint() is None
    state = {"solver/pixels": np.arange(6, dtype=np.float32).reshape(1, 2, 3), "engine/steps": np.array(7)}
    folder.write_checkpoint({"engine/steps": np.array(1)})
    folder.write_checkpoint(state)
    restored = folder.read_checkpoint()
    assert restored.keys() == state.keys()
    for name, array in state.items():
        assert restored[name].dtype == array.dtype
        np.testing.assert_array_equal(restored[name], array)


def test_an_error_while_restoring_names_what_is_missing():
    with pytest.raises(InputError, match=r"does not fit this run \('solver/pixels'\): delete it"), checkpoint_errors():
        {}["solver/pixels"]


def test_a_folder_with_nothing_but_its_lock_is_removed(folder):
    folder.make()
    folder.lock.touch()
    folder.remove_if_empty()
    assert not folder.path.exists()


def test_a_folder_with_files_is_kept(folder):
    folder.make()
    folder.lock.touch()
    folder.picture.touch()
    folder.remove_if_empty()
    assert sorted(path.name for path in folder.path.iterdir()) == [".lock", "stylized.png"]


def test_a_folder_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"Cannot create the run folder '.*file/run': Not a directory"):
        RunFolder(tmp_path / "file" / "run").make()


def test_entries_of_a_wrong_type_are_left_out_with_a_warning(folder, caplog):
    folder.make()
    folder.record.write_text(
        '{"status": "completed", "fingerprint": "f", "steps": 1e400, "peak_memory_mb": 3.7, "seconds": "x", '
        '"final": {"total": NaN}, "inputs": {"content": {"source": "a"}, "style:1": {"source": "b", "sha256": "c"}}, '
        '"later": [1]}'
    )
    assert folder.read_record() == {
        "status": "completed",
        "fingerprint": "f",
        "peak_memory_mb": 4,
        "final": {"total": None},
        "inputs": {"style:1": {"source": "b", "sha256": "c"}},
        "later": [1],
    }
    reasons = [line.partition(": ")[2] for line in caplog.messages]
    assert reasons == [
        "steps=None: must be a finite number. The entry is left out.",
        "seconds='x': must be a finite number. The entry is left out.",
        "inputs.content={'source': 'a'}: must be source and sha256 of a picture. The entry is left out.",
    ]


def test_a_full_disk_names_the_file(folder):
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"), name_in_error(Path("/dev/full")):
        Path("/dev/full").write_bytes(b"x" * 10_000)
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        append_line(Path("/dev/full"), "row")


def test_space_is_reserved_for_the_picture_and_the_record(folder):
    folder.reserve_space(folder.picture, 1000)
    sizes = {path.name: path.stat().st_size for path in folder.path.iterdir()}
    assert sizes == {".stylized.png.partial": 1000 + TEXT_RESERVE, ".run.json.partial": TEXT_RESERVE}
    folder.release_space()
    assert not list(folder.path.iterdir())


def test_the_reserve_of_a_killed_run_is_removed(folder):
    folder.reserve_space(folder.weights, 1000)
    (folder.path / ".reserve").touch()  # of version 0.2
    folder.remove_leftovers()
    assert not list(folder.path.iterdir())
