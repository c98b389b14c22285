"""Many runs in one process do not fill the memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import share_of

PROGRAM = Path(__file__).parent / "memory_of_runs.py"


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("keeps", [True, False])
def test_two_hundred_runs_keep_the_memory_of_the_tenth(keeps, tmp_path):
    """They vary the seed, the layers, the size and the optimiser; a process of their own measures its memory."""
    runs = share_of(200, least=20)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(runs), str(int(keeps)), str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    resident = json.loads(done.stdout)
    assert len(resident) == runs
    assert max(resident[10:]) <= 1.05 * max(resident[:10])
