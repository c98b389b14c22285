"""The command line in a process of its own, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "stylize.py"


class CommandLine:
    """Runs `python scripts/stylize.py` in its own folder, on small pictures and a small random network."""

    def __init__(self, folder, pictures, forked=None):
        content, style = pictures
        self.folder = folder
        self._forked = forked
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
        """Start it in a process that Python starts, or, if there are any, in one of `ForkedScripts`."""
        words = [*self.small, *overrides]
        if self._forked is not None:
            return self._forked.start(SCRIPT, *words, folder=self.folder, COLUMNS="200")
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), *words],
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
