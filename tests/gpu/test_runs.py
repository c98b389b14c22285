"""Whole runs on a GPU: the demo, resumption bit for bit, batches, and the choice of the precision."""

import csv
import json
import signal

import numpy as np
import pytest
from PIL import Image

from nst_tf import stylize
from nst_tf.api import BatchJob, stylize_batch
from nst_tf.backbones import VGG19
from nst_tf.images import Canvas, read_picture
from nst_tf.observers import Metrics
from nst_tf.optimization import execution
from nst_tf.optimization.cache import RunCache
from nst_tf.optimization.execution import PRECISIONS, WITH_XLA, WITHOUT_XLA, choose_execution
from nst_tf.optimizers import LBFGS
from nst_tf.system import measurement
from nst_tf.system.runtime import JitCompile, Precision, Runtime, expected_precision
from tests.end_to_end.test_resume import assert_same_run, rows_without_seconds, wait_for_step

pytestmark = pytest.mark.gpu

STEPS = 150
LAYERS = ["conv1_1", "conv2_1", "conv3_1"]


def totals(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row["total"]) for row in csv.DictReader(file)]


def test_the_demo_computes_on_the_device(command_line, device, device_name):
    command_line.small = ["experiment=demo", "image.size=128", "steps=4", "tracking=every_step"]
    code, _, error = command_line(f"runtime.device={device}", "hydra.run.dir=demo")
    assert code == 0, error
    folder = command_line.folder / "demo"
    record = json.loads((folder / "run.json").read_text())
    assert (record["status"], record["device"], record["steps"]) == ("completed", device_name, 4)
    assert record["precision"] in PRECISIONS
    assert record["peak_memory_mb"] > 0
    assert totals(folder)[-1] < 0.9 * totals(folder)[0]
    with Image.open(folder / "stylized.png") as picture:
        assert max(picture.size) == 128
        assert np.asarray(picture).std() > 10


def test_a_killed_run_continues_bit_for_bit(command_line, device, device_name):
    command = [
        *(f"runtime.device={device}", "runtime.deterministic=true", "optimizer=lbfgs", "optimizer.history=4"),
        *(f"steps={STEPS}", "tracking.checkpoints.every=7", "tracking.snapshots.every=0"),
    ]
    process = command_line.start(*command, "hydra.run.dir=killed")
    folder = command_line.folder / "killed"
    wait_for_step(folder, 17, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert json.loads((folder / "run.json").read_text())["status"] == "running"
    for name in ("killed", "whole"):
        code, _, error = command_line(*command, f"hydra.run.dir={name}")
        assert code == 0, error
    assert json.loads((folder / "run.json").read_text())["device"] == device_name
    assert len(rows_without_seconds(folder)) == STEPS + 1
    assert_same_run(folder, command_line.folder / "whole")


def test_a_batch_of_runs_equals_the_runs_alone(small_config, device, device_name, tmp_path):
    def config(seed):
        runtime = Runtime(device=device, precision=Precision.float32, tf32=False)
        return small_config(
            seed=seed,
            optimizer=LBFGS(history=4),
            image=Canvas(size=32, margin=0, start="noise"),
            runtime=runtime,
            tracking={"metrics": Metrics(every=1)},
        )

    jobs = [BatchJob(config(seed), tmp_path / f"batch_{seed}") for seed in range(3)]
    assert stylize_batch(jobs, RunCache(keeps=True)) == 3
    for seed in range(3):
        alone, together = tmp_path / f"alone_{seed}", tmp_path / f"batch_{seed}"
        stylize(config(seed), alone)
        assert json.loads((together / "run.json").read_text())["device"] == device_name
        np.testing.assert_allclose(totals(together), totals(alone), rtol=1e-3)
        pictures = [read_picture(str(folder / "stylized.png")).pixels for folder in (together, alone)]
        np.testing.assert_allclose(*pictures, atol=2.5 / 255)
    assert len({totals(tmp_path / f"batch_{seed}")[-1] for seed in range(3)}) == 3


def test_weights_are_on_the_device_of_the_run(small_config, device_name, device, tmp_path, monkeypatch):
    found, extractor = [], VGG19.extractor

    def watched(*arguments, **options):
        made = extractor(*arguments, **options)
        found.extend(variable.value.device for variable in made.model.weights)
        return made

    monkeypatch.setattr(VGG19, "extractor", watched)
    for setting, name in (("cpu", "/CPU:0"), (device, device_name)):
        found.clear()
        runtime = Runtime(device=setting, precision=Precision.float32)
        assert stylize(small_config(steps=1, runtime=runtime), tmp_path / name[1:4]).record["device"] == name
        assert found
        assert all(place.endswith(name[1:]) for place in found)


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Allow measurements, with an empty cache folder; the value is that folder."""
    monkeypatch.setenv(measurement.MEASURE_VARIABLE, "1")
    monkeypatch.setenv(measurement.CACHE_VARIABLE, str(tmp_path))
    return tmp_path / "measurements"


def measured_keys(folder):
    return [json.loads(file.read_text())["key"] for file in folder.glob("*.json")]


def test_precision_auto_is_the_fastest_measured_one_and_is_kept(measured, device, device_name, monkeypatch):
    def choose():
        return choose_execution(VGG19(weights="random"), LAYERS, Runtime(device=device), (64, 64))

    chosen = choose()
    seconds = {name: chosen.seconds[name] for name in PRECISIONS if name in chosen.seconds}
    print(f"{chosen.describe()} on {device}: {seconds}")
    assert chosen.decided_by == "measurement"
    assert "float32" in seconds
    fastest = min(chosen.seconds.values())
    own = min(value for name, value in chosen.seconds.items() if name.split(",")[0] == chosen.precision)
    assert own <= (1 + measurement.TOLERANCE) * fastest
    (key,) = (key for key in measured_keys(measured) if key["measured"].startswith("convolutions"))
    assert ("gpu" in key) == ("GPU" in device_name)
    monkeypatch.setattr(execution, "measure", lambda candidates: pytest.fail("measured again"))
    assert choose() == chosen


def test_xla_is_measured_on_a_gpu_once_and_not_on_a_cpu(measured, device, device_name, monkeypatch):
    def choose():
        return choose_execution(VGG19(weights="random"), LAYERS, Runtime(device=device, precision="float32"), (64, 64))

    chosen = choose()
    print(f"XLA on {device}: {chosen.jit_compile.value}")
    keys = [key for key in measured_keys(measured) if "XLA" in key["measured"]]
    assert len(keys) == ("GPU" in device_name)
    if keys:
        print({name: chosen.seconds[name] for name in (WITHOUT_XLA, WITH_XLA)})  # a way that fails has no seconds
    else:
        assert chosen.jit_compile is JitCompile.never
    monkeypatch.setattr(execution, "measure", lambda candidates: pytest.fail("measured again"))
    assert choose().jit_compile is chosen.jit_compile


def test_precision_auto_follows_the_properties_of_the_device_without_a_measurement(device, device_name):
    chosen = choose_execution(VGG19(weights="random"), LAYERS, Runtime(device=device), (64, 64))
    assert chosen.decided_by == "properties of the device"
    assert chosen.precision == expected_precision(device_name).value
