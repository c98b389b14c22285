"""Run folders and pictures that version 0.1.0 wrote can be continued, repeated and reported.

``fixtures/v0_1_0`` holds two runs of three steps, and in ``continued`` the same runs as 0.1.0 continued them to six.
"""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import yaml

from nst_tf import stylize
from nst_tf.config.composing import compose_config
from nst_tf.config.settings import recorded_settings
from nst_tf.reports import write_report
from nst_tf.runs.folder import RunFolder
from nst_tf.system.runtime import Precision

FIXTURES = Path(__file__).parents[1] / "fixtures" / "v0_1_0"
RUNS = ("lbfgs", "adam")


def overrides_of(name):
    return yaml.safe_load((FIXTURES / name / ".hydra" / "overrides.yaml").read_text(encoding="utf-8"))


def record_of(folder):
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def metrics_of(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def fingerprint_of(config, record):
    hashes = [picture["sha256"] for picture in record["inputs"].values()]
    return recorded_settings(config, [], hashes, record["weights"]).fingerprint


@pytest.mark.parametrize("name", RUNS)
def test_the_overrides_of_0_1_0_give_its_fingerprint(name):
    record = record_of(FIXTURES / name)
    assert fingerprint_of(compose_config(*overrides_of(name)), record) == record["fingerprint"]


@pytest.mark.parametrize("name", RUNS)
def test_a_picture_of_0_1_0_composes_to_the_settings_that_made_it(name):
    record = record_of(FIXTURES / name)
    repeated = compose_config(f"rerun={FIXTURES / name / 'stylized.png'}")
    assert repeated == dataclasses.replace(compose_config(*overrides_of(name), "image.margin=0"), name="composed")
    assert fingerprint_of(repeated, record) == record["fingerprint"]


@pytest.mark.parametrize("name", [pytest.param("lbfgs", marks=pytest.mark.slow), "adam"])
def test_a_run_of_0_1_0_continues_from_its_checkpoint(name, tmp_path, caplog):
    shutil.copytree(FIXTURES / name, tmp_path / name)
    before = metrics_of(tmp_path / name)
    config = compose_config(*overrides_of(name), "steps=6")
    with caplog.at_level("INFO"):
        result = stylize(config, tmp_path / name, overrides_of(name))
    assert (result.status, result.record["steps"]) == ("completed", 6)
    assert any(message.startswith("Continues from its checkpoint at step 3") for message in caplog.messages)
    assert metrics_of(tmp_path / name)[: len(before)] == before
    expected = record_of(FIXTURES / "continued" / name)["final"]
    assert {key: result.record["final"][key] for key in expected} == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_runs_of_0_1_0_are_reported_beside_a_new_run(tmp_path):
    for name in RUNS:
        shutil.copytree(FIXTURES / name, tmp_path / name)
    typed = [
        *("content=sample:cat", "style=sample:wedges", "image.size=48", "runtime.precision=float32", "steps=1"),
        *("optimizer.history=2", "optimizer.preconditioner_power=0", "losses.style.diagnostics=true"),
        *("losses.style.smoothing=softmax", "method=optimize", "tracking=quiet"),
    ]
    config = compose_config(*typed)
    assert config.runtime.precision is Precision.float32
    stylize(config, tmp_path / "new", typed)
    RunFolder(tmp_path / "new").write_overrides(typed)
    write_report([tmp_path])
    with (tmp_path / "report" / "table.csv").open(newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    assert {name: row["status"] for name, row in rows.items()} == dict.fromkeys(("adam", "lbfgs", "new"), "completed")
    powers = {name: row["optimizer.preconditioner_power"] for name, row in rows.items()}
    assert powers == {"adam": "default", "lbfgs": "0.5", "new": "0"}
    assert {"optimizer.metric_power", "losses.style.peaks"}.isdisjoint(rows["new"])
    assert "optimizer.preconditioner_power=0.5" in rows["lbfgs"]["command"]


@pytest.mark.slow
def test_a_sweep_accepts_old_names_typed_and_in_a_file_of_the_user(command_line):
    (command_line.folder / "mine" / "sweep").mkdir(parents=True)
    (command_line.folder / "mine" / "sweep" / "powers.yaml").write_text(
        "# @package _global_\nhydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      optimizer.metric_power: 0,0.5\n"
    )
    common = ["steps=1", "optimizer=lbfgs", "method=optimise", "hydra.sweep.dir=sweep"]
    code, out, error = command_line(*common, "sweep=powers", "--config-dir=mine")
    assert code == 0, error
    names = {path.parent.name for path in (command_line.folder / "sweep").glob("*/run.json")}
    assert {name.partition(",")[0] for name in names} == {
        "0_optimizer.preconditioner_power=0",
        "1_optimizer.preconditioner_power=0.5",
    }
    accepted = "the old name is accepted until the next release"
    assert error == f"method=optimise is now called method=optimize; {accepted}\n"
    # Hydra has set up the log by the time it reads the sweep.
    assert out.count(f"optimizer.metric_power is now called optimizer.preconditioner_power; {accepted}\n") == 1
