"""Runs made by hand for the tests of observers."""

import numpy as np
import pytest

from nst_tf.runs.events import Finished, Iterate, Scaled, Started
from nst_tf.runs.folder import RunFolder

COLUMNS = ["content", "content/raw", "content/conv"]
STEPS = 10


class HandMadeRun:
    """The events of a run of ten steps in a folder; the total is 100/(step + 1), the picture is grey step/10."""

    columns = COLUMNS

    def __init__(self, path):
        self.path = path
        self.folder = RunFolder(path)

    def iterate(self, step):
        total = 100.0 / (step + 1)
        return Iterate(
            step=step,
            steps=STEPS,
            evaluations=step + 1,
            seconds=0.5 * step,
            total=total,
            gradient_norm=1.0,
            terms={"content": total, "content/raw": total / 2, "content/conv": total / 2},
            picture=lambda: np.full((16, 20, 3), step / STEPS, np.float32),
            state=lambda: {"step": np.array(step)},
        )

    def start(self, settings, resumed_at=None):
        started = Started(self.folder, STEPS, resumed_at, COLUMNS, f"steps: {STEPS}", {"steps": STEPS})
        observer = settings.start(started)
        observer.scaled(Scaled(1, 1, 16, 20))
        return observer

    def run(self, settings, last=STEPS, resumed_at=None, status="completed"):
        observer = self.start(settings, resumed_at)
        for step in range(0 if resumed_at is None else resumed_at + 1, last + 1):
            observer.progressed(self.iterate(step))
        observer.finished(Finished(status, "because", self.iterate(last)))

    def files(self):
        return sorted(str(path.relative_to(self.path)) for path in self.path.rglob("*") if path.is_file())


@pytest.fixture
def hand_made_run(tmp_path):
    return HandMadeRun(tmp_path / "run")


@pytest.fixture
def hand_made_runs(tmp_path):
    """Two runs in different folders."""
    return HandMadeRun(tmp_path / "first"), HandMadeRun(tmp_path / "second")
