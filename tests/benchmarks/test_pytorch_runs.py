"""Complete runs of other programs in PyTorch, on a small objective whose minimum is known."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks import pytorch_runs  # noqa: E402 - PyTorch may be missing
from benchmarks.crowsonkb import TraceOfRoot, exact_trace_of_root  # noqa: E402
from benchmarks.peers import PyTorchMethod, Solver  # noqa: E402
from benchmarks.pytorch import PeerObjective  # noqa: E402

pytestmark = pytest.mark.bench

SHAPE = (1, 6, 8, 3)


class Quadratic(PeerObjective):
    """Half the squared distance to the painting, which has a mean of 200 / 255."""

    def prepare_targets(self):
        self.goal = self.style

    def loss(self, x):
        return 0.5 * (x - self.goal).square().sum()


class Stretched(Quadratic):
    """The same with curvatures from 1 to 25."""

    def loss(self, x):
        curvature = torch.linspace(1, 25, x.shape[3])
        return 0.5 * (curvature * (x - self.goal).square()).sum()


def _inputs(path, factor=1):
    random = np.random.default_rng(3)
    shape = (1, int(SHAPE[1] * factor), int(SHAPE[2] * factor), 3)
    content, start = (random.uniform(0.2, 0.4, shape).astype(np.float32) for _ in range(2))
    style = np.full(shape, 200 / 255, np.float32)
    np.savez(path, content=content, style=style, start=start)
    return path


def _run(tmp_path, method, steps, objective="Quadratic", factors=(1,), **limits):
    inputs = [_inputs(tmp_path / f"{factor}.npz", factor) for factor in factors]
    name = f"{__name__}:{objective}"
    return pytorch_runs.run_method(name, inputs, method, steps, tmp_path / "picture.png", **limits), inputs


def test_lbfgs_reaches_the_minimum_and_its_picture_is_saved(tmp_path):
    run, inputs = _run(tmp_path, PyTorchMethod(), 40, "Stretched")
    losses = [loss for _, loss in run.curve]
    assert [step for step, _ in run.curve] == list(range(1, 41))
    assert losses[-1] < 1e-6 * losses[0]
    assert run.snapshots == []
    (loss,) = pytorch_runs.picture_losses(f"{__name__}:Stretched", inputs[0], [tmp_path / "picture.png"], None)
    assert loss < 1e-6


def test_steps_of_one_iteration_are_those_of_one_call(tmp_path):
    """L-BFGS in single steps, between which snapshots are possible, has the losses of PyTorch's own loop."""
    run, (inputs,) = _run(tmp_path, PyTorchMethod(), 12, "Stretched")
    objective, expected = Stretched(inputs), []
    x = objective.content.clone().requires_grad_(True)
    solver = torch.optim.LBFGS([x], lr=1, max_iter=12, max_eval=12, tolerance_grad=-1, tolerance_change=-1)

    def closure():
        solver.zero_grad()
        value = objective.loss(x)
        value.backward()
        expected.append(value.item())
        return value.detach()

    solver.step(closure)
    assert [loss for _, loss in run.curve] == pytest.approx(expected, rel=1e-5)


def test_the_first_step_of_adam_is_its_learning_rate(tmp_path):
    run, (inputs,) = _run(tmp_path, PyTorchMethod(Solver.adam, learning_rate=3.0), 2)
    objective = Quadratic(inputs)
    moved = objective.content + 3.0  # towards the brighter painting
    assert run.curve[1][1] == pytest.approx(objective.loss(moved).item(), rel=1e-4)


def test_a_run_ends_at_the_first_snapshot_that_reaches_the_target(tmp_path):
    method = PyTorchMethod(Solver.adam, learning_rate=1.0)
    full, inputs = _run(tmp_path, method, 60, every=4)
    losses = [snapshot.loss for snapshot in full.snapshots]
    assert len(losses) == 15
    assert losses == sorted(losses, reverse=True)
    run, _ = _run(tmp_path, method, 60, every=4, target=losses[5])
    assert [snapshot.loss for snapshot in run.snapshots] == losses[:6]
    assert len(run.curve) == 24
    name = f"{__name__}:Quadratic"
    assert pytorch_runs.picture_losses(name, inputs[0], [tmp_path / "picture.png"], None) == [losses[5]]
    late, _ = _run(tmp_path, method, 60, every=4, most_seconds=0.0)
    assert len(late.snapshots) == 1
    unreached, _ = _run(tmp_path, method, 10, every=4, target=0.0)
    assert [len(unreached.snapshots), len(unreached.curve)] == [3, 10]  # after steps 4, 8 and 10


def test_the_start_may_be_noise(tmp_path):
    run, (inputs,) = _run(tmp_path, PyTorchMethod(start="noise"), 1)
    objective = Quadratic(inputs)
    assert run.curve[0][1] == pytest.approx(objective.loss(objective.start).item(), rel=1e-6)


def test_a_moving_average_is_saved_and_starts_the_next_size(tmp_path):
    """Two steps of Adam with rate 1 from x₀ go to x₀+1 and about x₀+2; their mean with decay ½ is x₀ + (½ + 2)/1.5."""
    method = PyTorchMethod(
        Solver.adam, scales=(0.5, 1.0), step_shares=(2, 1), bounded=True, average=0.5, keep_moments=True
    )
    run, inputs = _run(tmp_path, method, 3, factors=(0.5, 1))
    small, large = Quadratic(inputs[0]), Quadratic(inputs[1])
    averaged = small.content + (0.5 * 1 + 2) / 1.5
    start = torch.nn.functional.interpolate(averaged, large.content.shape[2:], mode="bicubic")
    assert [step for step, _ in run.curve] == [1, 2, 3]
    assert run.curve[2][1] == pytest.approx(large.loss(start).item(), rel=1e-3)


def test_the_steps_of_the_sizes_add_up():
    assert pytorch_runs._shared(3000, (2, 1, 1, 1, 1)) == [1000, 500, 500, 500, 500]
    assert pytorch_runs._shared(1001, (1, 1)) == [500, 501]


def test_the_exact_root_has_the_trace_that_iterations_approach():
    """Hand numbers: eigenvalues 4, 1, 1e-6 and 1e-8 have the roots 2, 1, 1e-3 and 1e-4."""
    basis = torch.linalg.qr(torch.tensor(np.random.default_rng(0).normal(size=(4, 4)))).Q
    A = basis @ torch.diag(torch.tensor([4.0, 1.0, 1e-6, 1e-8], dtype=torch.float64)) @ basis.T
    assert exact_trace_of_root(A).item() == pytest.approx(3.0011, rel=1e-6)
    iterated = [TraceOfRoot.apply(A.float(), iterations).item() for iterations in (4, 8)]
    assert abs(iterated[0] - 3.0011) > abs(iterated[1] - 3.0011) > 1e-4
