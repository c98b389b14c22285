"""Commands that start no run answer without TensorFlow, and at once."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PICTURES = ["content=sample:coffee", "style=sample:night_swirls"]

REFUSED = {
    "misspelt option": ([*PICTURES, "optimizer=adm"], "adm"),
    "misspelt key": ([*PICTURES, "optimizer.histry=3"], "histry"),
    "wrong type": ([*PICTURES, "steps=abc"], "steps"),
    "out of range": ([*PICTURES, "image.size=3"], "image.size=3"),
    "missing content": (["style=sample:night_swirls"], "content is missing"),
    "missing style": (["content=sample:coffee"], "style is missing"),
    "missing picture": (["content=nowhere.jpg", "style=sample:night_swirls"], "nowhere.jpg"),
    "unreadable picture": (["content=broken.jpg", "style=sample:night_swirls"], "broken.jpg"),
    "missing start": ([*PICTURES, "image.start=nowhere.png"], "nowhere.png"),
    "unknown layer": ([*PICTURES, "losses.content.layers=[conv9_1]"], "conv9_1"),
    "missing weights": ([*PICTURES, "backbone=vgg19", "backbone.weights=nowhere.h5"], "nowhere.h5"),
}

PROGRAM = """
import contextlib, io, json, sys
for name in ("tensorflow", "keras"):
    sys.modules[name] = None  # an import raises ImportError
from nst_tf.cli.commands import main
answers = []
for arguments in json.load(sys.stdin):
    sys.argv[1:] = arguments
    error, code = io.StringIO(), None
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            code = end.code
    answers.append([code, error.getvalue()])
print(json.dumps(answers))
"""


def test_refused_commands_and_help_need_no_tensorflow(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    commands = [arguments for arguments, _ in REFUSED.values()]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([*commands, ["--help"], ["--cfg", "job"], ["compare", "--help"]]),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *answers, shown_help, config, compare = json.loads(done.stdout)
    for (code, error), (name, (_, word)) in zip(answers, REFUSED.items(), strict=True):
        assert (code, error.count("\n")) == (2, 1), (name, error)
        assert word in error, name
    assert [code for code, _ in (shown_help, config, compare)] == [0, 0, 0]


@pytest.mark.timing
def test_commands_answer_within_five_times_the_import_of_hydra(tmp_path, monkeypatch):
    """Five imports of Hydra and NumPy take 1.2 to 2 s, depending on the machine; the seconds are printed."""
    program = str(Path(sys.executable).with_name("nst-tf"))
    monkeypatch.setenv("COMP_LINE", "nst-tf image.colour=")
    commands = {name: [program, *arguments] for name, (arguments, _) in REFUSED.items() if name != "unreadable picture"}
    commands |= {
        "--help": [program, "--help"],
        "--cfg job": [program, "--cfg", "job", *PICTURES],
        "compare --help": [program, "compare", "--help"],
        "completion": [program, "-sc", "query=bash"],
    }
    unit = _seconds([sys.executable, "-c", "import hydra, numpy"], tmp_path)
    print(f"\nimport hydra, numpy: {unit:.2f} s")
    seconds = {name: _seconds(command, tmp_path) for name, command in commands.items()}
    for name, value in seconds.items():
        print(f"{name:<20} {value:5.2f} s  {value / unit:4.1f}")
    assert max(seconds.values()) < 5 * unit, seconds


def _seconds(command, folder):
    """Return the shortest of three durations of a command."""
    durations = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, capture_output=True, env=os.environ, check=False)
        durations.append(time.perf_counter() - start)
    return min(durations)
