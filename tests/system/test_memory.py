"""Peak memory of a process."""

import subprocess
import sys

import numpy as np

from nst_tf.system import memory

TOLD = "from nst_tf import resident; print(memory.peak_mb())"


def test_a_peak_is_this_process_s_own():
    """A large parent does not count for its child."""
    block = np.ones(300 * memory.KIB**2, np.uint8)
    here = memory.peak_resident_mb()
    child = float(subprocess.run([sys.executable, "-c", TOLD], capture_output=True, text=True, check=True).stdout)
    assert here > 300
    assert 5 < child < here - 100
    del block


def test_elsewhere_the_system_s_count(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    assert 5 < memory.peak_resident_mb() < 100_000
