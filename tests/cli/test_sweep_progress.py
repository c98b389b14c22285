"""A sweep prints how many runs have ended, and about how long the others take; a run says what it will do."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from nst_tf.cli.announcement import announcement
from nst_tf.cli.sweep_progress import Countdown, SweepProgress, number_of_runs
from nst_tf.config.pairs import PAIRS_TARGET
from nst_tf.config.tree import Config
from nst_tf.distillation.settings import Distillation
from nst_tf.images import Canvas
from nst_tf.optimization.schedule import Schedule


def sweep(*typed, folder="sweep", **sweeper):
    launcher = {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}
    hydra = {
        "overrides": {"task": list(typed)},
        "sweeper": sweeper,
        "launcher": launcher,
        "sweep": {"dir": str(folder)},
    }
    return OmegaConf.create({"hydra": hydra})


@pytest.mark.parametrize(
    ("config", "runs"),
    [
        (sweep("steps=3"), 1),
        (sweep("steps=3,4", "seed=1,2,3", "content=a"), 6),
        (sweep("seed=range(0,5)", params={"steps": "1,2"}), 10),
        (sweep("steps=3,4", params={"steps": "1,2,3"}), 2),
        (sweep("experiment=glob(*)"), None),
        (sweep(n_trials=7), 7),
        (sweep("content=a,b", "style=x,y", "seed=0,1,2", _target_=PAIRS_TARGET), 6),
    ],
)
def test_the_runs_of_a_grid_or_a_search_are_counted(config, runs):
    assert number_of_runs(config) == runs


@pytest.fixture
def clock(monkeypatch):
    shown = SimpleNamespace(now=0.0)
    monkeypatch.setattr("nst_tf.cli.sweep_progress.time.monotonic", lambda: shown.now)
    return shown


def record(folder, name, status, age=0.0):
    path = folder / name / "run.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"status": status, "fingerprint": "f"}))
    modified = path.stat().st_mtime - age
    os.utime(path, (modified, modified))


def test_the_remaining_time_is_that_of_the_runs_computed_so_far(tmp_path, clock, capsys):
    record(tmp_path, "0", "completed", age=3600)
    record(tmp_path, "1", "failed", age=3600)  # it will be run again
    countdown = Countdown(tmp_path, total=5)
    countdown.update()
    countdown.update()
    for name, status in {"1": "completed", "2": "failed", "3": "running"}.items():
        record(tmp_path, name, status, age=-1)
    clock.now = 40.0
    countdown.update()
    assert capsys.readouterr().out.splitlines() == [
        "1 of 5 runs have ended",
        "3 of 5 runs have ended, about 40 s left",
    ]


def test_the_runs_of_this_process_are_counted_as_they_end(tmp_path, clock, capsys):
    callback = SweepProgress()
    callback.on_multirun_start(sweep("seed=1,2,3", folder=tmp_path))
    for _ in range(3):
        clock.now += 10
        callback.on_job_end(OmegaConf.create(), None)
    callback.on_multirun_end(OmegaConf.create())
    callback.on_job_end(OmegaConf.create(), None)
    assert capsys.readouterr().out.splitlines() == [
        "1 of 3 runs have ended, about 20 s left",
        "2 of 3 runs have ended, about 10 s left",
    ]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            Config(content="a/photo.jpg", style=["b/x.png", "sample:wedges"], image=Canvas(size=256), steps=50),
            "photo.jpg in the style of x.png and sample:wedges, long side 256 pixels, vgg19_lite, lbfgs, 50 steps; "
            "folder outputs/runs/one",
        ),
        (
            Config(style="x.png", image=Canvas(fit="exact", height=20, width=30), schedule=Schedule(scales=[0.5, 1.0])),
            "x.png, 30x20 pixels, 2 scales, vgg19_lite, lbfgs, 200 steps; folder outputs/runs/one",
        ),
        (
            Config(content="c.png", style="s.png", method="feedforward"),
            "c.png in the style of s.png, long side 512 pixels, one forward pass; folder outputs/runs/one",
        ),
        (
            Distillation(photographs="photographs", steps=10),
            "training of vgg19_lite on photographs, teacher vgg19, 10 steps; folder outputs/runs/one",
        ),
    ],
)
def test_a_run_says_what_it_will_do(settings, line):
    assert announcement(settings, Path.cwd() / "outputs/runs/one") == line
    assert announcement(settings, Path("/elsewhere")).endswith("; folder /elsewhere")
