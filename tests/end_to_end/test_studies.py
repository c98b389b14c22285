"""A study as a user types it: folders of pictures become a sweep, which the same command continues."""

import csv
import shutil

import pytest


@pytest.mark.slow
def test_folders_become_a_sweep_that_the_same_command_finds_finished(command_line, pictures):
    for folder, names in {"photos": ("a.png", "b.png"), "paintings": ("x.png",)}.items():
        (command_line.folder / folder).mkdir()
        for name in names:
            shutil.copy(pictures[0] if name == "a.png" else pictures[1], command_line.folder / folder / name)
    words = ("content=photos/", "style=paintings/", "seed=0,1", "image.start=noise", "steps=1", "name=study")
    code, out, error = command_line(*words)
    assert (code, out.count("completed: 1 step\n")) == (0, 4), error
    assert "this command is a sweep over 2 (content) × 1 (style) pictures, as with -m\n" in out
    sweep = command_line.folder / "outputs" / "sweeps" / "study"
    names = sorted(path.parent.name for path in sweep.glob("*/run.json"))
    assert names == ["0_a,seed=0", "1_a,seed=1", "2_b,seed=0", "3_b,seed=1"]
    with (sweep / "report" / "statistics.csv").open(newline="") as file:
        assert {(row["pair"], row["n"]) for row in csv.DictReader(file) if row["over"] == "seeds"} == {
            ("a.png × x.png", "2"),
            ("b.png × x.png", "2"),
        }
    code, out, _ = command_line(*words)
    assert (code, out.count("completed: already done: 1 step\n")) == (0, 4)
