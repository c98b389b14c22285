"""`rerun=` on the command line: the same picture bit for bit, further settings, sweeps, errors."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image


def pixels(folder):
    with Image.open(folder / "stylized.png") as image:
        return np.asarray(image)


@pytest.fixture
def made(command_line):
    """A run in a sweep's folder, whose name holds ``=`` and commas."""
    code, _, error = command_line(
        "steps=3", "image.start=noise", "losses.style.weight=20,30", "seed=4,5", "hydra.sweep.dir=sweep", "-m"
    )
    assert code == 0, error
    command_line.small = []
    (folder,) = (command_line.folder / "sweep").glob("3_*")
    assert {"=", ","} <= set(folder.name)
    return folder


@pytest.mark.slow
def test_rerun_makes_the_same_picture_bit_for_bit(made, command_line):
    picture = f"rerun={made.relative_to(command_line.folder)}/stylized.png"
    code, _, error = command_line(picture, "name=again")
    assert code == 0, error
    again = command_line.folder / "outputs" / "runs" / "again"
    np.testing.assert_array_equal(pixels(again), pixels(made))
    assert yaml.safe_load((again / ".hydra" / "overrides.yaml").read_text()) == [picture, "name=again"]
    records = [json.loads((folder / "run.json").read_text()) for folder in (made, again)]
    assert records[0]["fingerprint"] == records[1]["fingerprint"]

    code, _, error = command_line(f"rerun={made}", "steps=5", "name=longer")  # the folder will do
    assert code == 0, error
    longer = command_line.folder / "outputs" / "runs" / "longer"
    assert json.loads((longer / "run.json").read_text())["steps"] == 5
    assert (pixels(longer) != pixels(made)).any()


@pytest.mark.slow
def test_rerun_can_be_swept_over(made, command_line):
    picture = f"rerun={made}/stylized.png"
    code, _, error = command_line(picture, "losses.style.weight=30,1000", "hydra.sweep.dir=around", "-m")
    assert code == 0, error
    folders = sorted((command_line.folder / "around").glob("[01]_*"))
    assert [path.name for path in folders] == ["0_losses.style.weight=30", "1_losses.style.weight=1000"]
    np.testing.assert_array_equal(pixels(folders[0]), pixels(made))
    assert (pixels(folders[1]) != pixels(made)).any()


@pytest.mark.slow
def test_a_moved_source_is_one_line_and_writes_nothing(made, command_line, tmp_path):
    source = tmp_path / "style.png"
    Image.new("RGB", (30, 30), "red").save(source)
    code, _, error = command_line(f"rerun={made}", f"style={source}", "name=red")
    assert code == 0, error
    red = tmp_path / "outputs" / "runs" / "red"
    source.rename(tmp_path / "moved.png")
    code, out, error = command_line(f"rerun={red}", "name=again")
    assert (code, out, len(error.splitlines())) == (2, "", 1)
    assert "style.png" in error
    assert "style=NEWPATH" in error
    assert not (tmp_path / "outputs" / "runs" / "again").exists()
    code, _, error = command_line(f"rerun={red}", f"style={tmp_path / 'moved.png'}", "name=again")
    assert code == 0, error
    np.testing.assert_array_equal(pixels(red.parent / "again"), pixels(red))
