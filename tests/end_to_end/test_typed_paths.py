"""Names that need care reach the files of a run, from any folder and in any locale."""

import json
import os
import shutil
import subprocess
import sys

import pytest

SMALL = [
    *("image.size=32", "steps=2", "backbone=vgg19", "backbone.weights=random", "loss=gatys", "weights=gatys"),
    *("losses.content.layers=[conv2_1]", "losses.style.layers=[conv1_1,conv2_1]", "runtime.precision=float32"),
]


def start(folder, *overrides, **environment):
    """Start a command with small settings in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "nst_tf", *overrides],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"COLUMNS": "200"} | environment,
    )


def finish(process, seconds=120):
    """Return the exit code and both outputs of a command."""
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


@pytest.fixture
def folder(tmp_path, pictures):
    """A folder with two pictures, one of whose names is not UTF-8 and one not ASCII."""
    folder = tmp_path / "first"
    folder.mkdir()
    for picture, name in zip(pictures, ("photo\udce9 (1).png", "🌄, 照片.png"), strict=True):
        shutil.copy(picture, folder / name)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=["C", "ascii"])
def test_names_outside_ascii_are_used_in_any_locale(folder, locale):
    content, style = b"content=photo\xe9 (1).png", os.fsencode("style=🌄, 照片.png")
    code, out, err = finish(
        start(folder, *SMALL, content, style, b"image.start=photo\xe9 (1).png", "name=é (1)", **locale)
    )
    assert (code, err) == (0, b""), (out, err)
    assert b"switched off" not in out
    run = folder / "outputs" / "runs" / "é (1)"
    inputs = json.loads((run / "run.json").read_text(encoding="utf-8"))["inputs"]
    assert os.fsencode(inputs["content"]["path"]) == os.fsencode(folder / "photo\udce9 (1).png")
    assert os.fsencode(inputs["style:1"]["source"]) == os.fsencode("🌄, 照片.png")


@pytest.mark.slow
def test_a_run_is_repeated_from_another_folder_and_with_its_own_working_folder(folder, tmp_path):
    typed = ("content=photo\udce9 (1).png", "style=[🌄, 照片.png]", "hydra.job.chdir=true", "name=a")
    code, out, err = finish(start(folder, *SMALL, *typed))
    assert (code, err) == (0, b""), (out, err)
    second = tmp_path / "second"
    second.mkdir()
    code, out, err = finish(start(second, "rerun=../first/outputs/runs/a", "name=b", "hydra.job.chdir=true"))
    assert (code, err) == (0, b""), (out, err)
    records = [place / "outputs" / "runs" / name / "run.json" for place, name in ((folder, "a"), (second, "b"))]
    first, again = (json.loads(path.read_text(encoding="utf-8")) for path in records)
    assert first["final"] == again["final"]
    assert again["inputs"]["content"]["source"] == first["inputs"]["content"]["path"]


@pytest.mark.slow
def test_unnamed_commands_of_one_second_get_two_folders(folder):
    processes = [start(folder, *SMALL, "content=sample:cat", "style=sample:wedges") for _ in range(2)]
    assert [finish(process)[0] for process in processes] == [0, 0]
    assert len(list((folder / "outputs" / "runs").glob("*/stylized.png"))) == 2
