"""A small sweep, and what its folder must hold, whoever ran it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "stylize.py"
WEIGHTS = (10, 30, 70, 150)


class Sweep:
    """`python scripts/stylize.py -m` over four weights, on small pictures, in a folder of its own."""

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, os.environ | environment
        self.command = [
            *("content=sample:coffee", "style=sample:night_swirls", "image.size=64", "steps=5"),
            *("losses.style.weight=" + ",".join(map(str, WEIGHTS)), "runtime.precision=float32"),
        ]

    def __call__(self, *overrides):
        command = [sys.executable, str(SCRIPT), "-m", *self.command, *overrides]
        print("$ python scripts/stylize.py", *command[2:])
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=280
        )
        print(done.stdout, done.stderr, f"exit status {done.returncode}", sep="\n")
        return done

    def records(self):
        """Return the content of every `run.json`, in the order of the runs."""
        found = sorted((self.folder / "outputs" / "sweeps").glob("*/*/run.json"))
        return [json.loads(path.read_text()) for path in found]

    def assert_complete(self):
        records = self.records()
        assert [record["status"] for record in records] == ["completed"] * len(WEIGHTS)
        assert [record["steps"] for record in records] == [5] * len(WEIGHTS)
        assert len({record["final"]["style"] for record in records}) == len(WEIGHTS)
        assert len({record["final"]["total"] for record in records}) == len(WEIGHTS)
        assert list((self.folder / "outputs" / "sweeps").glob("*/report/index.html"))
        return records


def wait_until(condition, seconds=60):
    """Call the condition until it is true, and return its value; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, value
        time.sleep(0.2)
    return value


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def needs():
    """Skip a test whose programs are not installed, and name the package that has them."""

    def check(programs, how):
        absent = [program for program in programs if shutil.which(program) is None]
        if absent:
            pytest.skip(f"needs {', '.join(absent)}: {how}")

    return check


@pytest.fixture
def tools():
    """Return the helpers of this file that both clusters use."""
    return Sweep, wait_until, free_port
