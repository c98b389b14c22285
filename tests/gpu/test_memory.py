"""Too little memory on a GPU: the run is refused, or ends with a picture; either says so in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.gpu

SCRIPT = Path(__file__).with_name("small_memory.py")
LARGE = ["image.size=2048", "image.tile=off"]
REASON = "out of memory: choose a smaller image.size"


@pytest.fixture
def with_little_memory(command_line, device):
    """Function that runs the command line by `small_memory`; it returns exit code, stdout and stderr."""

    def run(phase, *overrides):
        command = [sys.executable, str(SCRIPT), device, str(phase), *command_line.small, *LARGE, *overrides]
        done = subprocess.run(command, cwd=command_line.folder, capture_output=True, text=True, timeout=200)
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_run_that_runs_out_of_memory_later_ends_with_the_picture_so_far(with_little_memory, command_line):
    scales = ["schedule=coarse_to_fine", "schedule.scales=[0.0625,1.0]", "steps=6", "tracking.checkpoints.every=1"]
    code, out, error = with_little_memory(2, *scales, "hydra.run.dir=run")
    assert code == 1, error
    assert REASON in out + error
    assert "Traceback" not in out + error
    folder = command_line.folder / "run"
    record = json.loads((folder / "run.json").read_text())
    assert (record["status"], record["reason"]) == ("failed", REASON)
    with Image.open(folder / "stylized.png") as picture:
        assert min(picture.size) > 64
    assert (folder / "metrics.csv").read_text().count("\n") == 1 + 1 + record["steps"]
    assert (folder / "checkpoints" / "latest.npz").exists()


def test_a_run_that_runs_out_of_memory_before_its_first_picture_is_refused_in_one_line(with_little_memory):
    code, out, error = with_little_memory(1, "steps=2", "hydra.run.dir=run")
    assert code == 2, error
    assert error.splitlines()[-1].endswith(REASON)
    assert "Traceback" not in out + error


def test_a_picture_that_cannot_fit_is_refused_before_the_first_step(command_line, device, device_name):
    code, _, error = command_line(f"runtime.device={device}", "image.size=60000", "image.tile=off", "steps=1")
    assert code == 2, error
    assert "image.size" in error.splitlines()[-1]
    assert ("GPU" in error.splitlines()[-1]) == ("GPU" in device_name)
    assert "Traceback" not in error
