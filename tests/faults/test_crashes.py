"""Runs that are killed at random, on full and read-only disks, with little memory, and whose folder vanishes.

After every fault all files are whole, nothing prints a traceback, and the same command without the fault completes the
run with the picture and the losses of an undisturbed run, bit for bit.
"""

import contextlib
import random
import signal
import subprocess
import threading
import time

import pytest

from nst_tf.runs.folder import RunFolder
from tests.faults.conftest import assert_equals, assert_files_are_whole, pixels, rows, share_of

pytestmark = pytest.mark.faults

EVENTS = 60
"""Operations on files in a run of `nst_tf`'s own, about."""


def cases(number):
    return range(share_of(number))


def assert_continues(forked_runs, folder, reference):
    assert_files_are_whole(folder)
    code, error = forked_runs(folder)
    assert (code, error.count("Traceback")) == (0, 0), error
    assert_equals(folder, reference)


@pytest.mark.parametrize("case", cases(40))
def test_a_run_killed_at_any_operation_on_a_file_is_continued(case, forked_runs, reference, tmp_path):
    event = random.Random(case).randint(2, 2 * EVENTS)
    code, error = forked_runs(tmp_path / "run", {"kill_at_event": event})
    assert code in (0, -signal.SIGKILL), error
    assert_continues(forked_runs, tmp_path / "run", reference)


@pytest.mark.parametrize("case", cases(30))
def test_a_run_killed_at_any_time_is_continued(case, forked_runs, reference, tmp_path):
    generator = random.Random(1000 + case)
    for _ in range(generator.randint(1, 2)):
        forked_runs.start(tmp_path / "run")
        time.sleep(generator.uniform(0.05, 3))
        forked_runs.kill()
        code, error = forked_runs.wait()
        assert code in (0, -signal.SIGKILL), error
        if code == 0:
            break
    assert_continues(forked_runs, tmp_path / "run", reference)


@pytest.mark.parametrize("case", cases(10))
def test_a_file_that_may_not_grow_ends_in_one_line(case, forked_runs, reference, tmp_path):
    largest = random.Random(2000 + case).choice([1, 100, 3000, 20_000, 300_000, 320_000])
    code, error = forked_runs(tmp_path / "run", {"largest_file": largest})
    assert (code in (0, 1), error.count("Traceback")) == (True, 0), error
    if code:
        assert error.startswith("error: Cannot use '")
        assert "File too large" in error
    assert_continues(forked_runs, tmp_path / "run", reference)


@pytest.mark.parametrize("case", cases(10))
def test_a_run_without_enough_memory_leaves_a_folder_that_is_continued(case, forked_runs, reference, tmp_path):
    more = random.Random(3000 + case).randint(1, 200)
    forked_runs(tmp_path / "run", {"more_memory_mb": more})  # TensorFlow may abort the process
    assert_continues(forked_runs, tmp_path / "run", reference)


@pytest.mark.parametrize("case", cases(10))
def test_a_run_whose_folder_vanishes_saves_its_picture_or_ends_in_one_line(case, forked_runs, reference, tmp_path):
    folder = tmp_path / "run"
    event = random.Random(4000 + case).randint(2, 2 * EVENTS)
    code, error = forked_runs(folder, {"vanish_at_event": event})
    assert (code in (0, 1, 2), error.count("Traceback")) == (True, 0), error
    if code == 0:
        assert (pixels(folder / "stylized.png") == pixels(reference / "stylized.png")).all()
        assert RunFolder(folder).read_record()["status"] == "completed"


@pytest.fixture
def small_disk(tmp_path):
    """Function that mounts a memory disk of a number of KiB; without the right to mount, the test is skipped."""
    mounted = []

    def mount(size, *options):
        folder = tmp_path / "disk"
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}k", *options]), "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def full(disk):
    """Fill a disk to the last byte, and take during the block whatever becomes free."""
    ended, is_full = threading.Event(), threading.Event()

    def fill():
        with (disk / "filler").open("wb", buffering=0) as file:
            while not ended.is_set():
                try:
                    file.write(b"x" * 4096)
                except OSError:
                    is_full.set()

    thread = threading.Thread(target=fill)
    thread.start()
    is_full.wait()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("case", cases(10))
def test_a_disk_that_becomes_full_does_not_lose_picture_and_record(case, forked_runs, reference, tmp_path, small_disk):
    disk = small_disk(4096)
    forked_runs.start(disk / "run")
    while not (disk / "run" / "run.json").exists():
        time.sleep(0.01)
    time.sleep(random.Random(5000 + case).uniform(0, 0.5))
    with full(disk):
        code, error = forked_runs.wait()
    assert (code, error.count("Traceback")) == (0, 0), error
    record = RunFolder(disk / "run").read_record()
    assert record["status"] == "completed"
    assert (pixels(disk / "run" / "stylized.png") == pixels(reference / "stylized.png")).all()
    missing = len(rows(disk / "run")) < len(rows(reference))
    assert not missing or "No space left on device" in record["observer_errors"]["Metrics"]
    assert_files_are_whole(disk / "run")


def test_a_full_disk_is_named_before_the_run(forked_runs, small_disk, tmp_path, reference):
    disk = small_disk(64)
    code, error = forked_runs(disk / "run")
    assert (code, error) == (1, f"error: Cannot use '{disk}/run/stylized.png': No space left on device\n")


def test_a_read_only_disk_is_named_before_the_run(forked_runs, small_disk):
    disk = small_disk(4096, "ro")
    code, error = forked_runs(disk / "run")
    assert code == 2
    expected = f"error: Cannot create the run folder '{disk}/run': Read-only file system; choose another\n"
    assert error == expected


def test_a_read_only_run_folder_is_named_before_the_run(forked_runs, small_disk):
    disk = small_disk(4096)
    assert forked_runs(disk / "run", {"kill_at_event": 20})[0] == -signal.SIGKILL
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    code, error = forked_runs(disk / "run")
    assert (code, error.count("\n")) == (2, 1)
    assert error.startswith(f"error: Cannot write into the run folder '{disk}/run': Read-only file system")
