"""The command line in a process of its own, as a user runs it."""

from pathlib import Path

from tests.forked_scripts import start_script

SCRIPT = Path(__file__).parents[1] / "scripts" / "stylize.py"


class CommandLine:
    """Runs `python scripts/stylize.py` in its own folder, on small pictures and a small random network."""

    def __init__(self, folder, pictures, start=start_script):
        content, style = pictures
        self.folder = folder
        self._start = start
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
        return self._start(SCRIPT, *self.small, *overrides, folder=self.folder, COLUMNS="200")

    def __call__(self, *overrides, seconds=240):
        process = self.start(*overrides)
        out, err = process.communicate(timeout=seconds)
        return process.returncode, out, err
