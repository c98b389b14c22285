"""Commands that start no run answer without TensorFlow, and at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

PICTURES = ["content=photo.png", "style=photo.png"]
SCORED_WITH = ["--content", "sample:coffee", "--style", "sample:night_swirls"]

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
    "picture as weights": ([*PICTURES, "backbone=vgg19", "backbone.weights=broken.jpg"], "broken.jpg"),
    "regions": ([*PICTURES, "regions.labels=nowhere.png", "regions.style_labels=[nowhere.png]"], "nowhere.png"),
    "missing photographs": (["distill"], "photographs"),
    "missing run": (["compare", "nowhere"], "nowhere"),
    "unreadable picture to score": (["evaluate", "broken.jpg", *SCORED_WITH], "broken.jpg"),
}

FURTHER = {
    "unknown experiment": ([*PICTURES, "experiment=gtys"], "gtys"),
    "unknown sample": (["content=sample:cofee", "style=sample:night_swirls"], "cofee"),
    "missing picture to repeat": (["rerun=nowhere.png"], "nowhere.png"),
    "no loss": ([*PICTURES, "losses.content.weight=0", "losses.style.weight=0"], "losses"),
    "contradiction": ([*PICTURES, "schedule.keep_state=true"], "schedule.keep_state=true"),
    "shares": ([*PICTURES, "style_weights=[1,2]"], "style_weights"),
    "grammar": ([*PICTURES, "losses.content.layers=[conv4_2"], "losses.content.layers"),
    "several values": ([*PICTURES, "steps=1,2"], "steps=1,2"),
    "output": ([*PICTURES, "output=result.xyz"], "result.xyz"),
    "device": ([*PICTURES, "runtime.device=gpu"], "runtime.device"),
    "judge": ([*PICTURES, "evaluation=on", "evaluation.measures=[nothing]"], "nothing"),
    "missing folder of photographs": (["distill", "photographs=nowhere"], "photographs=nowhere"),
    "missing picture to score": (["evaluate", "nowhere"], "nowhere"),
}
"""Refused commands of further kinds, which are timed only."""

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
    _write_pictures(tmp_path)
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


LIMIT = 4.3
"""Longest time of a command, in imports of Hydra and NumPy: 1.2 s where these take 0.28 s."""


@pytest.mark.timing
def test_commands_answer_within_the_time_of_four_imports_of_hydra(tmp_path, monkeypatch):
    """The unit is the processor time of a Python that imports Hydra and NumPy, which other processes change little."""
    _write_pictures(tmp_path)
    program = str(Path(sys.executable).with_name("nst-tf"))
    monkeypatch.setenv("COMP_LINE", "nst-tf image.colour=")
    commands = {name: [program, *arguments] for name, (arguments, _) in (REFUSED | FURTHER).items()}
    commands |= {
        "--help": [program, "--help"],
        "--cfg job": [program, "--cfg", "job", *PICTURES],
        "compare --help": [program, "compare", "--help"],
        "completion": [program, "-sc", "query=bash"],
    }
    unit = _seconds([sys.executable, "-c", "import hydra, numpy"], tmp_path)
    print(f"\nimport hydra, numpy: {unit:.2f} s")
    ratios = {}
    for name, command in commands.items():
        seconds = _seconds(command, tmp_path)
        ratios[name] = seconds / unit
        print(f"{name:<30} {seconds:5.2f} s  {ratios[name]:4.1f}")
    assert max(ratios.values()) < LIMIT, ratios


def _write_pictures(folder):
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    Image.effect_noise((768, 512), 60).convert("RGB").save(folder / "photo.png")


def _seconds(command, folder):
    """Return the lesser processor time of two runs of a command, whose modules are compiled as in an installation."""
    seconds, environment = [], {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(2):
        before = os.times()
        subprocess.run(command, cwd=folder, capture_output=True, env=environment, check=False)
        after = os.times()
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(seconds)
