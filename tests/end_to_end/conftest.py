"""Fixtures that run the command line in a process of its own, as a user does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "stylize.py"


class CommandLine:
    """Runs `python scripts/stylize.py` in its own folder, on small pictures and a small random network."""

    def __init__(self, folder, pictures):
        content, style = pictures
        self.folder = folder
        self.small = [
            f"content={content}",
            f"style={style}",
            "image.size=32",
            "backbone=vgg19",
            "backbone.weights=random",
            "loss=gatys",
            "weights=gatys",
            "losses.content.layers=[conv2_1]",
            "losses.style.layers=[conv1_1,conv2_1]",
            "losses.total_variation.weight=0.1",
            "tracking=every_step",
            "runtime.precision=float32",
            "optimizer=adam",
        ]

    def start(self, *overrides):
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), *self.small, *overrides],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"COLUMNS": "200"},
        )

    def __call__(self, *overrides, seconds=240):
        process = self.start(*overrides)
        out, err = process.communicate(timeout=seconds)
        return process.returncode, out, err


@pytest.fixture
def command_line(tmp_path, pictures):
    return CommandLine(tmp_path, pictures)


@pytest.fixture(scope="session")
def command_lines():
    """Return the class itself, for fixtures of a wider scope."""
    return CommandLine
