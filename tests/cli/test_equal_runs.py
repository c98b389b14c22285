"""Equal runs of a sweep are computed once."""

import dataclasses
import json
import shutil
import threading
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from nst_tf.cli.equal_runs import NOTES, run_once
from nst_tf.config.effects import effective_key
from nst_tf.config.settings import recorded_settings
from nst_tf.config.tree import Config
from nst_tf.images import Canvas, read_picture
from nst_tf.optimizers import Adam
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.result import Result
from nst_tf.util.errors import InputError


@pytest.fixture
def sweep(tmp_path, pictures):
    """A sweep whose runs only note that they were computed."""
    content, style = (shutil.copy(path, tmp_path) for path in pictures)  # a test replaces the content

    class Sweep:
        folder = tmp_path / "sweep"
        config = Config(content=content, style=style, image=Canvas(size=32), steps=2)
        computed: ClassVar[list[str]] = []

        def run(self, name, status="completed", **changes):
            folder = RunFolder(self.folder / name)
            config = dataclasses.replace(self.config, name=name, **changes)

            def compute():
                self.computed.append(name)
                hashes = [read_picture(path).sha256 for path in (content, style)]
                weights = config.backbone.identity()
                settings = recorded_settings(config, [], hashes, weights, "float32")
                inputs = {role: {"source": "", "sha256": digest} for role, digest in zip("cs", hashes, strict=True)}
                record = {"status": status, "reason": "2 steps", "steps": 2, "fingerprint": settings.fingerprint}
                record |= {"inputs": inputs, "weights": weights, "precision": "float32", "name": name}
                folder.make()
                folder.write_record(record)
                folder.picture.write_bytes(name.encode())
                folder.metrics.write_text("step\n")
                folder.snapshot(1).parent.mkdir(exist_ok=True)
                folder.snapshot(1).write_bytes(b"1")
                return Result(status, "2 steps", folder, record)

            return run_once(config, folder, [f"seed={config.seed}"], self.folder, compute)

    return Sweep()


def test_a_run_that_differs_in_a_setting_without_effect_is_a_copy(sweep):
    sweep.run("0_seed=0", seed=0)
    result = sweep.run("1_seed=1", seed=1)
    assert sweep.computed == ["0_seed=0"]
    assert (result.status, result.reason) == ("completed", "equals run 0_seed=0: 2 steps")
    folder = sweep.folder / "1_seed=1"
    assert (folder / "stylized.png").read_bytes() == b"0_seed=0"
    assert (folder / "metrics.csv").exists()
    assert (folder / "snapshots" / "step_000001.png").exists()
    record = json.loads((folder / "run.json").read_text())
    assert (record["equals"], record["name"]) == ("0_seed=0", "1_seed=1")
    assert "seed: 1\n" in (folder / ".hydra" / "config.yaml").read_text()


def test_the_fingerprint_of_a_copy_is_that_of_its_own_settings(sweep):
    sweep.run("0_seed=0", seed=0)
    copied = sweep.run("1_seed=1", seed=1).record["fingerprint"]
    original = sweep.folder / "2"
    sweep.config = dataclasses.replace(sweep.config, image=Canvas(size=32))
    (sweep.folder / NOTES).rename(sweep.folder / "elsewhere")  # the same settings are computed again
    assert sweep.run(original.name, seed=1).record["fingerprint"] == copied


def test_the_same_command_finds_a_copy_done(sweep):
    for _ in range(2):
        sweep.run("0_seed=0", seed=0)
        result = sweep.run("1_seed=1", seed=1)
    assert result.reason == "already done: equals run 0_seed=0: 2 steps"
    assert "1_seed=1" not in sweep.computed


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 3},
        {"image": Canvas(size=33)},
        {"optimizer": Adam()},
        {"image": Canvas(size=32, start="noise"), "seed": 1},
    ],
)
def test_runs_that_differ_in_a_setting_with_effect_are_all_computed(sweep, changes):
    sweep.run("0")
    sweep.run("1", **changes)
    assert sweep.computed == ["0", "1"]


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_an_unfinished_run_is_not_copied(sweep, status):
    sweep.run("0_seed=0", status, seed=0)
    sweep.run("1_seed=1", seed=1)
    assert sweep.computed == ["0_seed=0", "1_seed=1"]


def test_a_run_is_not_copied_after_a_picture_has_changed(sweep):
    sweep.run("0_seed=0", seed=0)
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(sweep.config.content)
    sweep.run("1_seed=1", seed=1)
    assert sweep.computed == ["0_seed=0", "1_seed=1"]


def test_a_refused_run_leaves_no_note(sweep):
    def refuse():
        raise InputError("no")

    with pytest.raises(InputError):
        run_once(sweep.config, RunFolder(sweep.folder / "0"), [], sweep.folder, refuse)
    assert not (sweep.folder / NOTES).exists()


def test_an_equal_run_waits_for_the_one_that_is_computed(sweep):
    begun, finish = threading.Event(), threading.Event()
    config = sweep.config

    def slow():
        begun.set()
        finish.wait(10)
        return Result("completed", "slow", RunFolder(sweep.folder / "0"), {})

    thread = threading.Thread(
        target=run_once, args=(config, RunFolder(sweep.folder / "0"), [], sweep.folder, slow), daemon=True
    )
    thread.start()
    assert begun.wait(10)
    other = threading.Thread(target=sweep.run, args=("1",), kwargs={"seed": 1}, daemon=True)
    other.start()
    other.join(1)
    assert sweep.computed == []
    finish.set()
    thread.join(10)
    other.join(10)
    assert sweep.computed == ["1"]  # the first run has left no record


def test_names_do_not_distinguish_runs(sweep):
    assert effective_key(sweep.config) == effective_key(dataclasses.replace(sweep.config, name="other"))
