"""The benchmark: its file of measurements, and equal losses and gradients of both sides."""

import importlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ledger import Ledger, Measurement
from benchmarks.peers import CROWSONKB_SHARES, PEERS
from benchmarks.time_to_target import TOLERANCE
from benchmarks.variants import DEFAULT_STEPS
from nst_tf.config.composing import compose_config
from nst_tf.util.errors import InputError

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "benchmark.py"
OVERRIDES = (
    *("content=sample:cat", "style=sample:wedges", "backbone=vgg19", "backbone.weights=random"),
    *("image.size=40", "image.margin=0", "runtime.precision=float32"),
)


def test_a_ledger_reads_the_measurements_of_an_earlier_one(tmp_path):
    first = Ledger(tmp_path / "figures.csv")
    first.add(
        Measurement("evaluation", "ours, quickly", 256, 0.25, "s"),
        Measurement("evaluation", "ours, quickly", 256, 0.5, "s"),
    )
    again = Ledger(tmp_path / "figures.csv")
    again.add(Measurement("target seconds", "theirs", 512, float("inf"), "s", "cat + swirls"))
    assert again.values("evaluation", "ours, quickly", 256) == [0.25, 0.5]
    assert again.values("evaluation", "ours, quickly", 512) == []
    assert again.values("target seconds", "theirs", 512, "cat + swirls") == [float("inf")]
    assert again.values("target seconds", "theirs", 512, "cat + dots") == []
    assert Ledger(tmp_path / "figures.csv").entries == again.entries


def test_a_ledger_of_an_earlier_version_is_refused(tmp_path):
    (tmp_path / "figures.csv").write_text("measurement,contestant,size,value,unit\nmemory,nst_tf float32,512,900,MiB\n")
    with pytest.raises(InputError, match=r"no column pair, .* choose another --folder"):
        Ledger(tmp_path / "figures.csv")


def test_an_error_of_the_command_is_one_line(tmp_path):
    for arguments, message in ((["nothing"], "Unknown measurement 'nothing'"), (["--rounds", "0"], "--rounds 0")):
        command = [sys.executable, str(SCRIPT), *arguments, "--folder", str(tmp_path / "out")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        if "not installed" not in done.stderr:
            assert message in done.stderr
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert not (tmp_path / "out").exists()


@pytest.mark.bench
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--peers", "nobody"], "Unknown peer 'nobody'; available: neural_style"),
        (["--content", "a.png", "b.png", "--style", "c.png"], "--content has 2 pictures and --style 1"),
        (["--content", "a.png", "--style", "c.png", "--pairs", "2"], "--pairs 2: there are 1"),
        (["--content", "x/a.png", "y/a.png", "--style", "c.png", "c.png"], "Two pairs are called 'a \\+ c'"),
        (["--target-size", "256", "8"], "--target-size 8: must be at least 32"),
    ],
)
def test_pictures_and_programs_of_a_race_are_checked(arguments, message, tmp_path):
    script = importlib.import_module("scripts.benchmark")
    with pytest.raises(InputError, match=message):
        script._check_arguments(script.make_parser().parse_args([*arguments, "--folder", str(tmp_path / "out")]))
    assert not (tmp_path / "out").exists()


def test_the_number_of_steps_of_a_picture_is_the_default():
    assert compose_config("content=c", "style=s").steps == DEFAULT_STEPS


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_the_objective_of_a_peer_is_that_of_its_experiment(peer):
    """Network, losses, weights and the painting's shape are equal.

    pastiche has a hundredth of the weights of Gatys' notebook, and does not enlarge the painting.
    """
    name = {"pastiche": "gatys_pytorch"}.get(peer.key, peer.key)
    experiment = compose_config(f"experiment={name}", "content=c", "style=s")
    target = compose_config("backbone=vgg19", *peer.objective_overrides, "content=c", "style=s")
    losses = experiment.losses
    if peer.key == "pastiche":
        losses = {key: replace(loss, weight=loss.weight / 100) for key, loss in losses.items()}
    assert (target.backbone, target.losses) == (experiment.backbone, losses)
    if peer.key != "pastiche":
        assert target.image.style_fit == experiment.image.style_fit


@pytest.mark.parametrize("key", ["neural_style", "crowsonkb", "tf_tutorial", "keras_io"])
def test_the_default_of_a_peer_is_that_of_its_experiment(key):
    """Steps, start, optimiser and sizes of the race are those of the experiment with the peer's published settings."""
    experiment, setting = compose_config(f"experiment={key}", "content=c", "style=s"), PEERS[key].default
    assert setting.steps == experiment.steps
    if setting.method is None:
        raced = compose_config(*setting.overrides(600), "content=c", "style=s")
        assert (raced.optimizer, raced.losses) == (experiment.optimizer, experiment.losses)
        assert (raced.image.start, raced.image.style_fit) == (experiment.image.start, experiment.image.style_fit)
        return
    method, optimizer, schedule = setting.method, experiment.optimizer, experiment.schedule
    assert method.start == str(experiment.image.start)
    assert method.scales == pytest.approx(schedule.scales)
    assert (method.average, method.keep_moments) == (schedule.average, schedule.keep_state)
    assert method.bounded == optimizer.clamp
    if key == "crowsonkb":
        assert tuple(schedule.step_shares) == CROWSONKB_SHARES == method.step_shares
        assert (method.learning_rate, *method.betas) == (optimizer.learning_rate, optimizer.beta_1, optimizer.beta_2)


def test_the_rate_of_the_keras_example_shrinks_with_the_area():
    overrides = PEERS["keras_io"].default.overrides
    assert "optimizer.learning_rate=25" in overrides(300)
    assert "optimizer.learning_rate=100" in overrides(900)


@pytest.mark.bench
@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_both_sides_compute_the_same_loss_and_gradient(peer, tmp_path, monkeypatch):
    """Both implementations of an objective agree at the same noisy picture, and at the same saved one.

    Photograph and painting have different shapes. style-transfer-pytorch ends the iteration for a matrix root early;
    here its roots are exact.
    """
    import tensorflow as tf
    from PIL import Image

    from benchmarks import ours
    from nst_tf.api import build_problem

    overrides = (*peer.objective_overrides, *OVERRIDES)
    ours.write_peer_inputs(overrides, tmp_path / "peer_inputs.npz")
    module, _, name = peer.objective.partition(":")
    kind = getattr(importlib.import_module(module), name)
    monkeypatch.setattr(kind, "root_iterations", None, raising=False)
    theirs = kind(tmp_path / "peer_inputs.npz")
    problem = build_problem(compose_config(*overrides))
    content, styles = problem.pictures()
    objective = problem.objective(content, styles)
    noisy = np.clip(content + np.random.default_rng(0).normal(0, 0.1, content.shape), 0, 1).astype(np.float32)
    evaluation = objective(tf.constant(noisy))
    x = theirs.variable(noisy).requires_grad_(True)
    loss = theirs.loss(x)
    loss.backward()
    assert loss.item() == pytest.approx(float(evaluation.total[0]), rel=1e-3)
    gradient = theirs.rgb_gradient(x.grad)[0]
    expected = evaluation.gradient[0].numpy()
    assert np.linalg.norm(gradient - expected) < 2e-3 * np.linalg.norm(expected)
    Image.fromarray(theirs.pixels(x)).save(tmp_path / "noisy.png")
    Image.fromarray(theirs.pixels(x)[1:]).save(tmp_path / "low.png")
    files = [tmp_path / "noisy.png", tmp_path / "low.png"]
    by_them, by_us = [theirs.converged_loss(file) for file in files], ours.picture_losses(overrides, files)
    assert by_them[0] == pytest.approx(by_us[0], rel=1e-3)
    assert by_them[1] == by_us[1] == float("inf")


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_a_small_benchmark_continues_after_an_interruption(tmp_path):
    """Every measurement runs at a size that takes seconds, the first one also alone; forked workers need no imports."""
    code = (
        "import multiprocessing, sys; from pathlib import Path\n"
        "from benchmarks import processes\n"
        "from benchmarks.ledger import Ledger\n"
        "from benchmarks.benchmark import Benchmark, Pair\n"
        "from benchmarks.measurements import MEASUREMENTS\n"
        "if __name__ == '__main__':\n"
        "    processes.START_METHOD = 'forkserver'\n"
        "    multiprocessing.set_forkserver_preload(['tensorflow', 'torch', 'nst_tf.api', 'benchmarks.pytorch_runs'])\n"
        "    here = Path('.')\n"
        "    pairs = (Pair('sample:astronaut', 'sample:wedges'),)\n"
        "    benchmark = Benchmark(pairs, 'random', here, Ledger(here / 'figures.csv'), sizes=(32,),\n"
        "        memory_sizes=(32,), area_sizes=(32,), rounds=1, target_sizes=(64,),\n"
        "        peers=('neural_style', 'tf_tutorial'), picture_size=64, step_share=0.02)\n"
        "    for name in sys.argv[1:]: MEASUREMENTS[name](benchmark)\n"
    )
    (tmp_path / "small.py").write_text(code)
    every = ["evaluation", "memory", "startup", "target", "area", "picture"]
    for names in (every[:1], every, every):
        before = Ledger(tmp_path / "figures.csv").entries
        done = subprocess.run(
            [sys.executable, "small.py", *names],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr[-3000:]
    ledger = Ledger(tmp_path / "figures.csv")
    assert ledger.entries == before, "the third command had nothing to measure"
    assert len(ledger.values("evaluation", "nst_tf float32", 32)) == 3
    differences = [entry.value for entry in ledger.entries if entry.measurement == "target difference"]
    assert all(0 <= difference < TOLERANCE for difference in differences)
    assert all(entry.value > 0 for entry in ledger.entries if entry.measurement != "target difference")
    kinds = {entry.measurement for entry in ledger.entries}
    assert {"evaluation", "memory", "startup", "target seconds", "target loss", "area", "picture"} <= kinds
    for peer in (PEERS["neural_style"], PEERS["tf_tutorial"]):
        for name in (*(setting.name for setting in peer.settings), "nst_tf float32", "nst_tf bfloat16"):
            key = (f"{peer.key}: {name}", 64, "astronaut + wedges")
            (theirs,), (ours,) = ledger.values("target loss", *key), ledger.values("target loss by nst_tf", *key)
            assert np.isfinite(theirs)
            assert theirs == pytest.approx(ours, rel=TOLERANCE)
            assert len(ledger.values("target seconds", *key)) == 1
