"""Locks of run folders: never held twice, and never deleted by a process that does not hold them."""

import multiprocessing
import os
import time

import pytest

from nst_tf.runs.folder import RunFolder
from nst_tf.runs.session import RunClaimedError, run_lock
from nst_tf.util.errors import InputError
from nst_tf.util.locks import LockedError, hold_lock, is_locked


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def test_a_refused_command_leaves_the_lock_of_the_running_one(folder):
    with run_lock(folder):
        inode = folder.lock.stat().st_ino
        with pytest.raises(RunClaimedError), run_lock(folder):
            pass
        folder.remove_if_empty()
        assert folder.lock.stat().st_ino == inode
        with pytest.raises(RunClaimedError), run_lock(folder):
            pass
    assert not folder.is_locked()
    folder.remove_if_empty()
    assert not folder.path.exists()


def test_a_lock_shows_whether_a_process_is_running(folder):
    assert not folder.is_locked()
    with run_lock(folder):
        assert folder.is_locked()
    assert not folder.is_locked()
    assert folder.lock.exists()


def test_a_removed_lock_file_is_not_taken_for_the_new_one(tmp_path):
    path = tmp_path / "a" / ".lock"
    with hold_lock(path, remove=True), pytest.raises(LockedError), hold_lock(path, patience=0.05):
        pass
    assert not path.exists()
    with hold_lock(path):
        assert is_locked(path)


@pytest.mark.parametrize(
    "name", ["stylized.png", "run.json", "metrics.csv", "film.webp", ".lock", "checkpoints/latest.npz"]
)
def test_a_folder_in_place_of_a_file_is_named_before_the_run(name, folder):
    (folder.path / name).mkdir(parents=True)
    with pytest.raises(InputError, match=rf"{name}' is a folder, and the run writes a file there"), run_lock(folder):
        pass


@pytest.mark.parametrize("name", ["snapshots", "film", "checkpoints", ".hydra"])
def test_a_file_in_place_of_a_folder_is_named_before_the_run(name, folder):
    folder.make()
    (folder.path / name).touch()
    with pytest.raises(InputError, match=rf"{name}' is no folder, and the run writes into it"), run_lock(folder):
        pass


def test_files_that_a_killed_process_left_are_removed(folder):
    left = [folder.path, folder.checkpoint.parent, folder.snapshots, folder.config.parent]
    for parent in left:
        parent.mkdir(parents=True, exist_ok=True)
        (parent / ".0123456789abcdef.partial").touch()
        (parent / "notes.partial").touch()  # the user's
    with run_lock(folder):
        assert sorted(folder.path.rglob("*.partial")) == sorted(parent / "notes.partial" for parent in left)


def compete(folder, end, results):
    """Take the lock as often as possible, and count how often another process was inside at the same time."""
    taken = collisions = 0
    run, marker = RunFolder(folder), folder.parent / "inside"
    while time.monotonic() < end:
        try:
            with run_lock(run):
                taken += 1
                try:
                    os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    collisions += 1
                time.sleep(0.001)
                marker.unlink(missing_ok=True)
        except RunClaimedError:
            pass
        run.remove_if_empty()
    results.put((taken, collisions))


def test_of_processes_that_start_are_refused_and_clean_up_one_at_a_time_runs(tmp_path):
    context = multiprocessing.get_context("fork")  # the children only touch files
    results, end = context.Queue(), time.monotonic() + 1.5
    processes = [context.Process(target=compete, args=(tmp_path / "run", end, results)) for _ in range(4)]
    for process in processes:
        process.start()
    counts = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert sum(taken for taken, _ in counts) > 20
    assert sum(collisions for _, collisions in counts) == 0
