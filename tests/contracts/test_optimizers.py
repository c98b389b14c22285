"""What every entry of OPTIMIZERS must do."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.optimizers import OPTIMIZERS, Evaluation, Units
from nst_tf.util.errors import InputError

SHAPE = (1, 4, 5, 3)
START = np.random.default_rng(1).uniform(0, 1, SHAPE).astype(np.float32)
TARGET = tf.constant(np.random.default_rng(2).uniform(0, 1, SHAPE).astype(np.float32))


def objective(image):
    """A quadratic with a term of its own, so that terms are seen to travel."""
    total = tf.reduce_sum((image - TARGET) ** 2, axis=[1, 2, 3])
    return Evaluation(total, 2 * (image - TARGET), {"content": total})


@pytest.fixture(params=OPTIMIZERS)
def settings(request):
    """Settings of each optimiser that suit a quadratic."""
    of_their_own = {"scipy_lbfgs": {"max_evaluations": 2}, "lbfgs": {"search_evaluations": 5}}
    return OPTIMIZERS[request.param], of_their_own.get(request.param, {"learning_rate": 0.02})


def started(settings, **more):
    kind, fields = settings
    solver = kind(**fields, **more).solver(tf.constant(START))
    evaluation = objective(solver.image())
    solver.begin(evaluation)
    return solver, evaluation


@pytest.mark.parametrize("units", Units)
def test_it_lowers_a_quadratic_in_any_units(settings, units):
    solver, first = started(settings, units=units)
    for _ in range(8):
        last = solver.step(objective)
    assert float(last.evaluation.total[0]) < float(first.total[0])


def test_a_step_reports_the_loss_of_the_picture_it_leaves(settings):
    solver, first = started(settings)
    assert float(first.total[0]) == float(objective(tf.constant(START)).total[0])
    for _ in range(3):
        step = solver.step(objective)
        assert float(step.evaluation.total[0]) == float(objective(solver.image()).total[0])
        assert float(step.evaluation.terms["content"][0]) == float(step.evaluation.total[0])


def test_it_counts_its_evaluations(settings):
    asked = 0

    def counting(image):
        nonlocal asked
        asked += 1
        return objective(image)

    solver, _ = started(settings)
    told = sum(int(solver.step(counting).evaluations) for _ in range(3))
    assert told == asked > 0


def test_a_restored_solver_goes_on_bit_for_bit(settings):
    solver, _ = started(settings, clamp=True)
    for _ in range(3):
        solver.step(objective)
    state = {name: np.array(value) for name, value in solver.state().items()}
    twin = settings[0](**settings[1], clamp=True).solver(tf.zeros(SHAPE))
    twin.restore(state)
    for _ in range(3):
        ours, theirs = solver.step(objective), twin.step(objective)
        assert int(ours.evaluations) == int(theirs.evaluations)
    np.testing.assert_array_equal(solver.image(), twin.image())


def test_a_compiled_step_equals_an_eager_one(settings):
    if not settings[0]().solver(tf.constant(START)).compiled:
        pytest.skip("works on the host")
    (eager, _), (traced, _) = started(settings), started(settings)
    step = tf.function(lambda: traced.step(objective))
    for _ in range(3):
        eager.step(objective)
        step()
    np.testing.assert_allclose(traced.image(), eager.image(), rtol=1e-6)


def test_what_is_inherited_is_enlarged_and_goes_on_counting(settings):
    kind, fields = settings
    if not kind.supports_warm_start:
        pytest.skip("keeps nothing that means the same at another size; the config refuses it")
    smaller, _ = started(settings)
    for _ in range(3):
        smaller.step(objective)
    before = smaller.state()
    size = (1, 8, 10, 3)
    solver = kind(**fields).solver(tf.zeros(size))
    solver.warm_start(smaller)
    after = solver.state()
    own = [name for name in after if name.startswith("optimizer/")]
    for name in (name for name in own if after[name].shape == size):
        x = before[name][0].astype(np.float64)
        # a quarter of pixel (1, 1) towards (2, 2) is 9, 3, 3 and 1 sixteenths of the four around it
        expected = (9 * x[1, 1] + 3 * x[2, 1] + 3 * x[1, 2] + x[2, 2]) / 16
        np.testing.assert_allclose(after[name][0, 3, 3], expected, rtol=1e-5)
        assert after[name].min() >= min(0.0, before[name].min())  # no square turns negative
    scalars = [name for name in own if after[name].shape == ()]
    assert any(int(after[name]) == 3 for name in scalars)
    for name in scalars:
        assert after[name] == before[name]
    assert bool((after["pixels"] == 0).all())  # the picture is its own start


BAD = {
    "adam": [{"learning_rate": 0.0}, {"beta_1": 1.0}, {"beta_2": -0.1}, {"epsilon": 0.0}],
    "lbfgs": [{"history": 0}, {"preconditioner_power": -0.5}, {"first_step": 0.0}, {"search_evaluations": 0}],
    "rmsprop": [{"learning_rate": -1.0}, {"rho": 1.5}, {"momentum": 1.0}, {"epsilon": 0.0}],
    "scipy_lbfgs": [{"max_evaluations": 0}, {"history": 0}, {"function_tolerance": -1.0}],
    "sgd": [{"learning_rate": float("nan")}, {"momentum": 1.0}, {"decay_rate": 0.0}, {"decay_steps": 0}],
}


@pytest.mark.parametrize(("name", "fields"), [(name, f) for name, bad in BAD.items() for f in bad])
def test_values_out_of_range_are_refused_by_their_config_key(name, fields):
    with pytest.raises(InputError, match=f"^optimizer.{next(iter(fields))}="):
        OPTIMIZERS[name](**fields)


def test_every_optimiser_has_bad_values_here():
    assert BAD.keys() == OPTIMIZERS.keys()
