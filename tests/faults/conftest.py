"""Fixtures of the fault tests: forked runs, and what must hold in a run folder after any fault."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nst_tf.images import read_picture
from nst_tf.runs.folder import STATUSES, RunFolder
from tests.shares import FAULTS

SERVER = Path(__file__).parent / "forked_runs.py"


def share_of(number, least=1):
    """Return `FAULTS` of a number of faults, at least ``least`` of them."""
    return max(least, round(number * FAULTS))


class ForkedRuns:
    """Starts small runs from one process that has imported TensorFlow."""

    def __init__(self, pictures):
        self.pictures = pictures
        self._server = subprocess.Popen(
            [sys.executable, str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,  # no file, which a limit of the size of files would cut
            text=True,
            env=os.environ | {"PYTHONPATH": str(SERVER.parents[2]), "CUDA_VISIBLE_DEVICES": ""},
        )
        os.set_blocking(self._server.stderr.fileno(), False)
        assert self._server.stdout.readline() == "ready\n", self._errors()

    def _errors(self):
        """Return what was written to stderr since the last call."""
        parts = []
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self._server.stderr.fileno(), 2**16):
                parts.append(part)
        return b"".join(parts).decode(errors="replace")

    def start(self, folder, fault=None, **changes):
        """Start a run, and return the number of its process."""
        content, style = self.pictures
        order = {"folder": str(folder), "content": content, "style": style, "changes": changes, "fault": fault or {}}
        self._errors()
        self._process = self._ask(order, "process")
        return self._process

    def _ask(self, order, answer):
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        kind, number = self._server.stdout.readline().split()
        assert kind == answer
        return int(number)

    def kill(self):
        """Kill the run, which may have ended already."""
        os.kill(self._process, signal.SIGKILL)

    def wait(self):
        """Wait for the run; return its exit code, negative for a signal, and what it wrote to stderr."""
        code = os.waitstatus_to_exitcode(self._ask({}, "status"))
        return code, self._errors()

    def __call__(self, folder, fault=None, **changes):
        self.start(folder, fault, **changes)
        return self.wait()

    def close(self):
        self._server.stdin.close()
        self._server.wait(60)
        self._server.stdout.close()
        self._server.stderr.close()


@pytest.fixture(scope="session")
def forked_runs(pictures):
    runs = ForkedRuns(pictures)
    yield runs
    runs.close()


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
