"""Tests of the peak memory of a process, against blocks of known size."""

import subprocess
import sys

import numpy as np
import pytest

from nst_tf.system import memory

BLOCK = 300
"""Size of the blocks in MiB."""

INTERPRETER = 150
"""Upper bound on the resident memory of Python with NumPy and without TensorFlow, in MiB; about 40 are usual."""

PEAK_OF_A_CHILD = f"""
import numpy as np
from nst_tf.system import memory
before = memory.peak_resident_mb()
block = np.ones({BLOCK} * memory.MB, np.uint8)
del block
print(before, memory.peak_resident_mb())
memory.reset_peak_memory("/CPU:0")
print(memory.peak_resident_mb())
"""


def test_the_peak_grows_by_the_size_of_a_freed_block_until_it_is_reset():
    """The child does not report the block that its parent holds."""
    held = np.ones(BLOCK * memory.MB, np.uint8)
    child = subprocess.run([sys.executable, "-c", PEAK_OF_A_CHILD], capture_output=True, text=True, check=True)
    before, after, reset = (float(number) for number in child.stdout.split())
    assert held.nbytes / memory.MB == BLOCK
    assert 5 < before < INTERPRETER
    assert after - before == pytest.approx(BLOCK, abs=10)
    assert memory.peak_resident_mb() > BLOCK
    if sys.platform == "linux":
        assert reset == pytest.approx(before, abs=20)


@pytest.mark.parametrize(("used", "expected"), [(120.0, 1000 - (300 - 120)), (450.0, 1000)])
def test_the_peak_of_a_run_leaves_out_what_earlier_runs_needed_beyond_it(used, expected, monkeypatch):
    """TensorFlow's pool keeps 300 MiB of an earlier run; the present run uses a part of them, or more."""
    peaks = iter([300.0, used])
    pool = memory._Pool()
    monkeypatch.setattr(pool, "peak_mb", lambda: next(peaks))
    monkeypatch.setattr(memory, "_pool", pool)
    monkeypatch.setattr(memory, "peak_resident_mb", lambda: 1000.0)
    memory.reset_peak_memory("/CPU:0")
    assert memory.peak_memory_mb("/CPU:0") == expected


def test_without_linux_status_file_the_peak_is_that_of_getrusage(monkeypatch, tmp_path):
    held = np.ones(BLOCK * memory.MB, np.uint8)
    linux = memory.peak_resident_mb()
    monkeypatch.setattr(memory, "STATUS", tmp_path / "missing")
    assert memory.peak_resident_mb() >= max(held.nbytes / memory.MB, 0.95 * linux)


def test_the_available_memory_is_that_of_the_tightest_limit(monkeypatch):
    machine = memory.MemoryLimit("the free memory of the machine", 7.0)
    group = memory.MemoryLimit("the control group /job of 9 MiB", 5.0)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 7 * memory.MB}))
    monkeypatch.setattr("nst_tf.system.memory_limits.resource_limits", lambda memory: [])
    monkeypatch.setattr("nst_tf.system.memory_limits.cgroup_limits", lambda root: [group])
    assert memory.tightest_limit("/CPU:0") == group
    assert memory.available_mb("/CPU:0") == 5
    monkeypatch.setattr("nst_tf.system.memory_limits.cgroup_limits", lambda root: [])
    assert memory.tightest_limit("/CPU:0") == machine
