"""The benchmark: its file of measurements, its page, and equal losses and gradients of both sides."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ledger import Ledger, Measurement
from benchmarks.variants import PEERS
from nst_tf.config.composing import compose_config

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "benchmark.py"
OVERRIDES = (
    *("content=sample:astronaut", "style=sample:wedges", "backbone.weights=random"),
    *("image.size=40", "runtime.precision=float32"),
)


def test_a_ledger_reads_the_measurements_of_an_earlier_one(tmp_path):
    first = Ledger(tmp_path / "figures.csv")
    first.add(
        Measurement("evaluation", "ours, quickly", 256, 0.25, "s"),
        Measurement("evaluation", "ours, quickly", 256, 0.5, "s"),
    )
    again = Ledger(tmp_path / "figures.csv")
    again.add(Measurement("memory", "theirs", 512, 1e3, "MiB"))
    assert again.values("evaluation", "ours, quickly", 256) == [0.25, 0.5]
    assert again.values("evaluation", "ours, quickly", 512) == []
    assert Ledger(tmp_path / "figures.csv").entries == again.entries


def test_an_error_of_the_command_is_one_line(tmp_path):
    for arguments, message in ((["nothing"], "Unknown measurement 'nothing'"), (["--rounds", "0"], "--rounds 0")):
        command = [sys.executable, str(SCRIPT), *arguments, "--folder", str(tmp_path / "out")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        if "not installed" not in done.stderr:
            assert message in done.stderr
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert not (tmp_path / "out").exists()


@pytest.mark.bench
def test_the_page_has_the_measurements_and_their_ratios(tmp_path):
    from benchmarks.page import write_page

    ledger = Ledger(tmp_path / "figures.csv")
    for name, seconds in {"nst_tf float32": 0.9, "PyTorch float32": 1.0}.items():
        ledger.add(
            Measurement("evaluation", name, 512, seconds, "s"), Measurement("evaluation", name, 512, 2 * seconds, "s")
        )
        ledger.add(
            Measurement("memory", name, 512, 1000 * seconds, "MiB"), Measurement("area", name, 512, seconds, "s")
        )
    ledger.add(Measurement("peak", "convolution float32", 0, 500.0, "GFLOP/s"))
    write_page(ledger, tmp_path / "page.md", tmp_path / "page.png", "the command", "photograph", "painting")
    page = (tmp_path / "page.md").read_text()
    row = next(line for line in page.splitlines() if "nst_tf float32" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    gflops = 4 * 361152 * 512**2 / 0.9e9
    assert cells == ["512", "nst_tf float32", "0.900", "1.350", "0.90", f"{gflops:.0f}", f"{gflops / 500:.2f}"]
    assert "the command" in page
    assert "![" in page
    assert (tmp_path / "page.png").stat().st_size > 5000


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.experiment)
def test_the_target_objective_of_a_peer_is_that_of_its_experiment(peer):
    """Network, losses and weights are equal; the optimiser is not compared."""
    experiment = compose_config(f"experiment={peer.experiment}", "content=c", "style=s")
    target = compose_config("backbone=vgg19", *peer.objective_overrides, "content=c", "style=s")
    assert (target.backbone, target.losses) == (experiment.backbone, experiment.losses)


@pytest.mark.bench
@pytest.mark.parametrize(
    ("experiment", "module", "objective_class"),
    [("neural_style", "pytorch", "NeuralStyle"), ("crowsonkb", "crowsonkb", "Crowsonkb")],
)
def test_both_sides_compute_the_same_loss_and_gradient(experiment, module, objective_class, tmp_path, monkeypatch):
    """Both implementations of an objective agree at the same noisy picture.

    The peer stops the iteration for a matrix root early; after twenty iterations it has converged.
    """
    import tensorflow as tf

    from benchmarks import ours
    from nst_tf.api import build_problem

    overrides = (f"experiment={experiment}", *OVERRIDES)
    ours.write_peer_inputs(overrides, tmp_path / "peer_inputs.npz")
    side = importlib.import_module(f"benchmarks.{module}")
    monkeypatch.setattr(side, "ROOT_ITERATIONS", 20, raising=False)
    theirs = getattr(side, objective_class)(tmp_path / "peer_inputs.npz")
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


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_a_small_benchmark_continues_after_an_interruption(tmp_path):
    """Every measurement runs at a size that takes seconds, the first two also alone."""
    code = (
        "import sys; from pathlib import Path\n"
        "from benchmarks.ledger import Ledger\n"
        "from benchmarks.benchmark import Benchmark\n"
        "from benchmarks.measurements import MEASUREMENTS\n"
        "if __name__ == '__main__':\n"
        "    here = Path('.')\n"
        "    benchmark = Benchmark('sample:astronaut', 'sample:wedges', 'random', here, Ledger(here / 'figures.csv'),\n"
        "        sizes=(32,), memory_sizes=(32,), area_sizes=(32,), rounds=1, target_size=64, step_share=0.02)\n"
        "    for name in sys.argv[1:]: MEASUREMENTS[name](benchmark)\n"
    )
    (tmp_path / "small.py").write_text(code)
    for names in (["evaluation", "memory"], ["evaluation", "memory", "startup", "target", "area"]):
        done = subprocess.run(
            [sys.executable, "small.py", *names],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr[-3000:]
    ledger = Ledger(tmp_path / "figures.csv")
    assert len(ledger.values("evaluation", "nst_tf float32", 32)) == 3
    assert all(entry.value > 0 for entry in ledger.entries)
    kinds = {entry.measurement for entry in ledger.entries}
    assert {"evaluation", "memory", "startup", "target seconds", "target loss", "area"} <= kinds
    for experiment in ("neural_style", "crowsonkb", "tf_tutorial"):
        assert (tmp_path / f"peer_{experiment}_64.png").exists()
