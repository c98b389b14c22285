"""Fixtures of the fault tests: forked runs, and what must hold in a run folder after any fault."""

import csv
import json
import signal
from pathlib import Path

import numpy as np
import pytest

from nst_tf.images import read_picture
from nst_tf.runs.folder import STATUSES, RunFolder
from tests.shares import FAULTS

SCRIPT = Path(__file__).with_name("run_with_fault.py")
ROOT = SCRIPT.parents[2]


def share_of(number, least=1):
    """Return `FAULTS` of a number of faults, at least ``least`` of them."""
    return max(least, round(number * FAULTS))


class ForkedRuns:
    """Starts small runs, each in a process of its own."""

    def __init__(self, forked_scripts, pictures):
        self.pictures = pictures
        self._scripts = forked_scripts

    def start(self, folder, fault=None, **changes):
        """Start a run."""
        content, style = self.pictures
        order = {"folder": str(folder), "content": content, "style": style, "changes": changes, "fault": fault or {}}
        self._run = self._scripts.start(SCRIPT, json.dumps(order), folder=ROOT, CUDA_VISIBLE_DEVICES="")

    def kill(self):
        """Kill the run, which may have ended already."""
        self._run.send_signal(signal.SIGKILL)

    def wait(self):
        """Wait for the run; return its exit code, negative for a signal, and what it wrote to stderr."""
        _, error = self._run.communicate()
        return self._run.returncode, error

    def __call__(self, folder, fault=None, **changes):
        self.start(folder, fault, **changes)
        return self.wait()


@pytest.fixture(scope="session")
def forked_runs(forked_scripts, pictures):
    return ForkedRuns(forked_scripts, pictures)


@pytest.fixture(scope="session")
def reference(forked_runs, tmp_path_factory):
    """Pixels and table of a run without a fault."""
    folder = tmp_path_factory.mktemp("reference") / "run"
    code, error = forked_runs(folder)
    assert code == 0, error
    return folder


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def pixels(path):
    return read_picture(str(path)).pixels


def assert_files_are_whole(path):
    """Whatever file is there can be read as what it is."""
    folder = RunFolder(path)
    if folder.record.exists():
        assert folder.read_record()["status"] in {*STATUSES, "running"}
    for picture in [folder.picture, *folder.snapshots.glob("step_*.png")]:
        if picture.exists():
            assert pixels(picture).shape == (26, 32, 3)
    if folder.checkpoint.exists():
        assert "engine/steps" in folder.read_checkpoint()
    if folder.metrics.exists():
        lines = folder.metrics.read_text().splitlines(keepends=True)
        assert len({line.count(",") for line in lines}) == 1
        assert all(line.endswith("\n") for line in lines)


def assert_equals(path, reference):
    """The run has ended, with the picture and the losses of a run without a fault, and nothing is left over."""
    folder = RunFolder(path)
    assert folder.read_record()["status"] == "completed"
    np.testing.assert_array_equal(pixels(folder.picture), pixels(reference / "stylized.png"))
    for row, expected in zip(rows(path), rows(reference), strict=True):
        assert {**row, "seconds": ""} == {**expected, "seconds": ""}
    assert not [entry for entry in path.rglob("*") if entry.suffix == ".partial"]
