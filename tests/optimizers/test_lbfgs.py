"""L-BFGS against a dense BFGS matrix and against SciPy, and its behaviour where the objective misbehaves."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize

from nst_tf.backbones import VGG19
from nst_tf.losses import ContentLoss, GramLoss
from nst_tf.optimization.objective import Objective
from nst_tf.optimizers import LBFGS, Evaluation
from nst_tf.optimizers.curvature_pairs import CurvaturePairs
from nst_tf.optimizers.preconditioner import Preconditioner

CHECKPOINT = Path(__file__).parents[1] / "fixtures/v0_1_0/lbfgs/checkpoints/latest.npz"

SHAPE = (1, 4, 5, 3)


def objective_of(value_and_gradient):
    """Make an objective of pictures from a NumPy function of one picture's values."""

    def of_rows(rows):
        values, gradients = zip(*(value_and_gradient(row.astype(np.float64)) for row in rows), strict=True)
        return np.array(values, np.float32), np.array(gradients, np.float32)

    def objective(image):
        rows = tf.reshape(image, [image.shape[0], -1])
        total, gradient = tf.numpy_function(of_rows, [rows], [tf.float32, tf.float32])
        total = tf.ensure_shape(total, image.shape[:1])
        return Evaluation(total, tf.reshape(gradient, image.shape), {"content": total})

    return objective


def descend(solver, objective, steps):
    """Return pairs of evaluations spent and loss, from the start on."""
    start = objective(solver.image())
    solver.begin(start)
    step = tf.function(lambda: solver.step(objective), autograph=False)
    trace = [(1, float(start.total[0]))]
    for _ in range(steps):
        done = step()
        trace.append((trace[-1][0] + int(done.evaluations), float(done.evaluation.total[0])))
        if bool(done.stalled[0]):
            break
    return trace


def rosenbrock(x):
    return optimize.rosen(x), optimize.rosen_der(x)


def quadratic(seed, condition):
    """Return ½ (x − c)ᵀ A (x − c), with eigenvalues of A from 1 to ``condition``."""
    generator = np.random.default_rng(seed)
    n = int(np.prod(SHAPE))
    basis = np.linalg.qr(generator.normal(size=(n, n)))[0]
    A, c = basis * np.geomspace(1, condition, n) @ basis.T, generator.uniform(0, 1, n)
    return lambda x: (0.5 * (x - c) @ A @ (x - c), A @ (x - c))


def dense_direction(pairs, gradient, H0):
    """Compute −H g with H from γ H₀ by the BFGS formula (Nocedal & Wright 2006, equation 6.17), in float64."""
    s, y = pairs[-1]
    H = (s @ y) / (y @ H0 @ y) * H0
    for s, y in pairs:
        V = np.eye(len(s)) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    return -H @ gradient


def pairs_of(generator, count, n):
    """Return moves, and changes of the gradient, of a strongly convex quadratic."""
    L = generator.normal(size=(n, n))
    A = L @ L.T / n + np.eye(n)
    moves = generator.normal(size=(count, n))
    return [(s, A @ s) for s in moves]


@pytest.mark.parametrize("power", [0.0, 0.75])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_two_loop_recursion_equals_a_dense_bfgs_matrix(count, power):
    generator, n = np.random.default_rng(count), 60
    H0 = Preconditioner((n, 4, 5, 3), power)(tf.eye(n)).numpy().astype(np.float64)
    pairs_kept = CurvaturePairs(5, 1, n, Preconditioner(SHAPE, power))
    pairs, gradient = pairs_of(generator, count, n), generator.normal(size=n)
    for s, y in pairs:
        pairs_kept.add(*(tf.constant(v[None], tf.float32) for v in (s, y)))
    found = pairs_kept.direction(tf.constant(gradient[None], tf.float32))[0]
    expected = dense_direction(pairs[-5:], gradient, H0)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("change", [-1.0, 0.0, 1e-12, float("nan")])
def test_a_pair_without_positive_curvature_is_not_kept(change):
    generator = np.random.default_rng(0)
    pairs_kept = CurvaturePairs(3, 1, 60, Preconditioner(SHAPE, 0.0))
    (s, y), g = pairs_of(generator, 1, 60)[0], tf.constant(generator.normal(size=(1, 60)), tf.float32)
    pairs_kept.add(*(tf.constant(v[None], tf.float32) for v in (s, y)))
    before = pairs_kept.direction(g)
    orthogonal = np.linalg.qr(np.stack([s, generator.normal(size=60)], 1))[0][:, 1]
    y = np.full(60, np.nan) if np.isnan(change) else change * s + orthogonal
    pairs_kept.add(*(tf.constant(v[None], tf.float32) for v in (s, y)))
    np.testing.assert_array_equal(pairs_kept.direction(g), before)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="a host array is a copy there")
def test_a_new_pair_takes_the_place_of_the_oldest_and_no_other_is_copied():
    generator = np.random.default_rng(4)
    kept = CurvaturePairs(3, 1, 60, Preconditioner(SHAPE, 0.0))
    add = tf.function(kept.add)
    pairs = [[tf.constant(v[None], tf.float32) for v in pair] for pair in pairs_of(generator, 5, 60)]
    for pair in pairs[:4]:
        add(*pair)
    before = kept.state()
    add(*pairs[4])
    after = kept.state()
    for name, newest in zip(("moves", "changes"), pairs[4], strict=True):
        addresses = [[row.__array_interface__["data"][0] for row in state[name].rows] for state in (before, after)]
        assert addresses[1][:2] == addresses[0][1:]
        np.testing.assert_array_equal(after[name], [*np.asarray(before[name])[1:], newest])


@pytest.mark.parametrize("added", [2, 3, 4, 5, 7])
def test_the_state_has_the_last_pairs_in_their_order_and_a_restored_one_continues(added):
    generator = np.random.default_rng(4)
    kept, twin = (CurvaturePairs(3, 1, 60, Preconditioner(SHAPE, 0.5)) for _ in range(2))
    add = tf.function(kept.add)
    pairs = [[tf.constant(v[None], tf.float32) for v in pair] for pair in pairs_of(generator, added + 2, 60)]
    for pair in pairs[:added]:
        add(*pair)
    state = {name: np.asarray(value) for name, value in kept.state().items()}
    unused = np.zeros((max(0, 3 - added), 1, 60), np.float32)
    for part, name in enumerate(("moves", "changes")):
        expected = np.stack([pair[part] for pair in pairs[:added][-3:]])
        np.testing.assert_array_equal(state[name], np.concatenate([unused, expected]))
    twin.restore(state)
    for pair in pairs[added:]:
        add(*pair)
        twin.add(*pair)
    gradient = tf.constant(generator.normal(size=(1, 60)), tf.float32)
    np.testing.assert_array_equal(twin.direction(gradient), kept.direction(gradient))
    np.testing.assert_array_equal(np.asarray(twin.state()["moves"]), np.asarray(kept.state()["moves"]))


def test_cleared_pairs_are_those_of_a_new_store():
    """A NaN among the pairs does not persist."""
    generator = np.random.default_rng(4)
    kept, fresh = (CurvaturePairs(3, 2, 60, Preconditioner((2, *SHAPE[1:]), 0.5)) for _ in range(2))
    s, y = (tf.constant(np.stack(v), tf.float32) for v in zip(*pairs_of(generator, 2, 60), strict=True))
    kept.add(s, y)
    kept.restore(
        {name: np.asarray(value) * np.float32("nan") for name, value in kept.state().items() if name != "count"}
        | {"count": 1}
    )
    kept.clear()
    for name, value in fresh.state().items():
        np.testing.assert_array_equal(np.asarray(kept.state()[name]), np.asarray(value))


def test_each_picture_of_a_batch_has_its_own_pairs():
    """A batch of two equals each alone; the second picture rejects its second pair."""
    generator = np.random.default_rng(4)
    alone = [CurvaturePairs(4, 1, 60, Preconditioner(SHAPE, 0.5)) for _ in range(2)]
    both = CurvaturePairs(4, 2, 60, Preconditioner((2, *SHAPE[1:]), 0.5))
    pairs = [pairs_of(generator, 3, 60) for _ in range(2)]
    pairs[1][1] = (pairs[1][1][0], -pairs[1][1][1])
    for k in range(3):
        s, y = (tf.constant([pairs[b][k][part] for b in range(2)], tf.float32) for part in range(2))
        both.add(s, y)
        for b in range(2):
            alone[b].add(s[b : b + 1], y[b : b + 1])
    g = tf.constant(generator.normal(size=(2, 60)), tf.float32)
    expected = tf.concat([alone[b].direction(g[b : b + 1]) for b in range(2)], 0)
    np.testing.assert_allclose(both.direction(g), expected, rtol=1e-4, atol=1e-5)
    both.drop(tf.constant([True, False]))
    np.testing.assert_allclose(both.direction(g)[0], -Preconditioner((2, *SHAPE[1:]), 0.5)(g)[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(both.direction(g)[1], expected[1], rtol=1e-4, atol=1e-5)


def test_preconditioner_scales_each_wave_by_a_power_of_its_frequency():
    rows, columns = np.mgrid[0:8, 0:6]
    for ky, kx in [(0, 1), (2, 0), (3, 2), (4, 3)]:
        wave = np.cos(2 * np.pi * (ky * rows / 8 + kx * columns / 6))
        picture = np.stack([wave, 0 * wave, 2 * wave], 2)[None].astype(np.float32)
        found = Preconditioner(picture.shape, 0.75)(tf.constant(picture.reshape(1, -1)))
        expected = (0.5 / np.hypot(ky / 8, kx / 6)) ** 0.75 * picture
        np.testing.assert_allclose(found, expected.reshape(1, -1), rtol=1e-5, atol=1e-5)


def test_preconditioner_is_symmetric_positive_and_scales_the_mean_as_the_coarsest_wave():
    H0 = Preconditioner((60, 4, 5, 3), 1.0)(tf.eye(60)).numpy()
    np.testing.assert_allclose(H0, H0.T, atol=1e-6)
    assert np.linalg.eigvalsh(H0).min() > 0.5
    np.testing.assert_allclose(H0.sum(1), 0.5 * 5, rtol=1e-5)  # of a constant picture: one cycle in five columns


def test_lbfgs_matches_scipy_on_rosenbrock():
    start = np.tile([-1.2, 1.0], 30).astype(np.float32)
    solver = LBFGS(history=10, preconditioner_power=0, clamp=False).solver(tf.constant(start.reshape(SHAPE)))
    trace = descend(solver, objective_of(rosenbrock), 600)
    reference = optimize.minimize(rosenbrock, start, jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": 1e-3})
    needed = next(evaluations for evaluations, total in trace if total < 1e-6)
    assert needed <= 1.1 * reference.nfev
    np.testing.assert_allclose(solver.image(), np.ones(SHAPE), atol=1e-2)


@pytest.mark.parametrize("condition", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("power", [0.0, 0.75])
def test_lbfgs_needs_about_as_many_evaluations_as_scipy_on_quadratics(condition, power):
    """At most a tenth more; a third more with the preconditioner, which is made for pictures, not for these."""
    function = quadratic(3, condition)
    solver = LBFGS(history=10, preconditioner_power=power, clamp=False).solver(tf.zeros(SHAPE))
    trace = descend(solver, objective_of(function), 100)
    goal = 1e-4 * trace[0][1]
    needed = next(evaluations for evaluations, total in trace if total < goal)
    asked = []

    def counted(x):
        asked.append(function(x)[0])
        return function(x)

    optimize.minimize(counted, np.zeros(60), jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": 0, "maxcor": 10})
    reference = next(n for n, total in enumerate(asked, 1) if total < goal)
    assert needed <= (1.1 if power == 0 else 1.34) * reference + 2


@pytest.mark.slow
def test_lbfgs_lowers_a_style_objective_as_fast_as_scipy():
    """Content and style are noise in a random VGG-19; losses are compared at equal numbers of evaluations."""
    generator = np.random.default_rng(0)
    content, style = (tf.constant(generator.uniform(0, 1, (1, 32, 32, 3)), tf.float32) for _ in range(2))
    losses = {"content": ContentLoss(layers=["conv2_1"]), "style": GramLoss(layers=["conv1_1", "conv2_1"], weight=1e3)}
    extractor = VGG19(weights="random").extractor(["conv1_1", "conv2_1"])
    objective = Objective.prepare(extractor, losses, content, [style], [1.0])
    solver = LBFGS(history=10, preconditioner_power=0, clamp=False).solver(content)
    trace = descend(solver, objective, 60)
    lowest = []

    def value_and_gradient(z):
        evaluation = objective(tf.constant(z.reshape(content.shape), tf.float32))
        lowest.append(min([float(evaluation.total[0]), *lowest[-1:]]))
        return float(evaluation.total[0]), evaluation.gradient.numpy().ravel().astype(np.float64)

    options = {"maxfun": 60, "ftol": 0, "gtol": 0}
    optimize.minimize(value_and_gradient, content.numpy().ravel(), jac=True, method="L-BFGS-B", options=options)
    compared = [(total, lowest[spent - 1]) for spent, total in trace if 20 <= spent <= len(lowest)]
    assert len(compared) >= 20
    ours, theirs = np.transpose(compared)
    assert (ours <= 1.1 * theirs).all()


def test_a_compiled_step_is_traced_once():
    calls = []

    def objective(image):
        calls.append(image)
        return Evaluation(tf.reduce_sum(image**2, [1, 2, 3]), 2 * image, {})

    solver = LBFGS().solver(tf.random.uniform(SHAPE, seed=1))
    solver.begin(objective(solver.image()))
    step = tf.function(lambda: solver.step(objective), autograph=False)
    for _ in range(5):
        step()
    assert (len(calls), step.experimental_get_tracing_count()) == (2, 1)


@pytest.mark.slow
def test_two_pictures_of_a_batch_descend_as_each_does_alone():
    """The line searches of the two take different numbers of evaluations."""
    starts = [np.tile([-1.2, 1.0], 30), np.full(60, 0.9)]
    batch = tf.constant(np.reshape(starts, (2, *SHAPE[1:])), tf.float32)
    settings = LBFGS(history=4, preconditioner_power=0.5, clamp=False)
    both = settings.solver(batch)
    descend(both, objective_of(rosenbrock), 6)
    for b in range(2):
        alone = settings.solver(batch[b : b + 1])
        descend(alone, objective_of(rosenbrock), 6)
        np.testing.assert_allclose(both.image()[b], alone.image()[0], rtol=2e-3, atol=2e-3)


def test_lbfgs_drops_its_pairs_then_stalls_where_nothing_is_lower():
    wrong = objective_of(lambda x: (x @ x, -2 * x))  # has the wrong sign
    right = objective_of(lambda x: (x @ x, 2 * x))
    solver = LBFGS(search_evaluations=4, clamp=False).solver(tf.fill(SHAPE, 0.5))
    solver.begin(right(solver.image()))
    solver.step(right)
    solver.begin(wrong(solver.image()))
    image = solver.image().numpy()
    first, second = solver.step(wrong), solver.step(wrong)
    assert (bool(first.stalled[0]), bool(second.stalled[0])) == (False, True)
    assert (int(first.evaluations), int(second.evaluations)) == (4, 4)
    np.testing.assert_array_equal(solver.image(), image)
    assert float(second.evaluation.total[0]) == pytest.approx(float(np.sum(image.astype(np.float64) ** 2)), rel=1e-6)


def test_lbfgs_stalls_at_the_minimum():
    objective = objective_of(lambda x: (x @ x, 2 * x))
    solver = LBFGS(clamp=False).solver(tf.zeros(SHAPE))
    trace = descend(solver, objective, 5)
    assert len(trace) <= 3
    assert bool(solver.step(objective).stalled[0])
    np.testing.assert_array_equal(solver.image(), np.zeros(SHAPE))


@pytest.mark.parametrize("beyond", [float("nan"), float("inf")])
def test_lbfgs_backs_off_from_points_whose_loss_is_not_finite(beyond):
    """The function −Σ log(1 − x) − 10 Σ x is not defined for x ≥ 1, where the first trial lands."""

    def barrier(x):
        if x.max() >= 1:
            return beyond, np.full_like(x, np.nan)
        return float(-np.log(1 - x).sum() - 10 * x.sum()), 1 / (1 - x) - 10

    solver = LBFGS(first_step=5.0, clamp=False).solver(tf.zeros(SHAPE))
    descend(solver, objective_of(barrier), 30)
    np.testing.assert_allclose(solver.image(), np.full(SHAPE, 0.9), atol=1e-3)


@pytest.mark.parametrize("power", [0.75, pytest.param(0.0, marks=pytest.mark.slow)])
def test_clamped_lbfgs_finds_the_bounded_minimum_of_scipy(power):
    """The unbounded minimum of the quadratic lies outside of the bounds."""
    generator = np.random.default_rng(8)
    L = generator.normal(size=(60, 60))
    A, c = L @ L.T / 60 + 0.1 * np.eye(60), generator.uniform(-0.5, 1.5, 60)

    def function(x):
        return 0.5 * (x - c) @ A @ (x - c), A @ (x - c)

    solver = LBFGS(preconditioner_power=power).solver(tf.fill(SHAPE, 0.5))
    trace = descend(solver, objective_of(function), 300)
    bounds = optimize.Bounds(0, 1)
    options = {"ftol": 0, "gtol": 1e-9}
    best = optimize.minimize(function, np.full(60, 0.5), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    assert trace[-1][1] == pytest.approx(best.fun, rel=1e-3)
    image = solver.image().numpy()
    assert 0 <= image.min() <= image.max() <= 1


@pytest.mark.slow
def test_the_first_trial_moves_pixels_by_first_step_in_any_units():
    seen = []
    function = objective_of(lambda x: (x @ x, 2 * x))

    def objective(image):
        tf.numpy_function(lambda x: seen.append(x) or np.float32(0), [image], tf.float32)
        return function(image)

    for units in ("unit", "byte", "normalized"):
        seen.clear()
        solver = LBFGS(units=units, first_step=0.03, clamp=False).solver(tf.fill(SHAPE, 0.5))
        descend(solver, objective, 1)
        assert np.sqrt(np.mean((seen[1] - seen[0]) ** 2)) == pytest.approx(0.03, rel=1e-4)


def test_a_checkpoint_of_version_0_1_0_is_restored():
    """Version 0.1.0 wrote the curvature pairs under ``history/``."""
    with np.load(CHECKPOINT) as saved:
        old = {name.removeprefix("solver/"): saved[name] for name in saved if name.startswith("solver/")}
    assert {name for name in old if "/" in name and not name.startswith("term/")} == {
        f"history/{name}" for name in ("moves", "changes", "rho", "gamma", "count")
    }
    solver = LBFGS(history=len(old["history/moves"])).solver(tf.zeros(old["gradient"].shape))
    solver.restore(old)
    new = solver.state()
    assert new.keys() == {name.replace("history/", "pairs/") for name in old}
    for name, value in old.items():
        np.testing.assert_array_equal(new[name.replace("history/", "pairs/")], value)
