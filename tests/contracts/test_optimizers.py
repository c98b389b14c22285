"""The contract that every optimiser in OPTIMIZERS fulfils."""

import inspect
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.optimizers import OPTIMIZERS, SGD, Evaluation, Optimizer, Solver, Step, Units
from nst_tf.util.errors import InputError

SHAPE = (1, 4, 5, 3)
START = np.random.default_rng(1).uniform(0, 1, SHAPE).astype(np.float32)
TARGET = tf.constant(np.random.default_rng(2).uniform(0, 1, SHAPE).astype(np.float32))


def objective(image):
    """Evaluate a quadratic with one named term."""
    total = tf.reduce_sum((image - TARGET) ** 2, axis=[1, 2, 3])
    return Evaluation(total, 2 * (image - TARGET), {"content": total})


@pytest.fixture(params=OPTIMIZERS)
def settings(request):
    """Return the class of each optimiser and settings that suit the quadratic."""
    special = {"scipy_lbfgs": {"max_evaluations": 2}, "lbfgs": {"search_evaluations": 5}}
    return OPTIMIZERS[request.param], special.get(request.param, {"learning_rate": 0.02})


def started(settings, **more):
    kind, fields = settings
    solver = kind(**fields, **more).solver(tf.constant(START))
    evaluation = objective(solver.image())
    solver.begin(evaluation)
    return solver, evaluation


@pytest.mark.parametrize("units", Units)
def test_every_step_lowers_a_quadratic_in_any_units(settings, units):
    solver, first = started(settings, units=units)
    totals = [float(first.total[0]), *(float(solver.step(objective).evaluation.total[0]) for _ in range(8))]
    assert totals == sorted(totals, reverse=True)
    assert totals[1] < totals[0]


def test_a_step_reports_the_loss_and_the_terms_of_the_picture_it_leaves(settings):
    solver, first = started(settings)
    assert float(first.total[0]) == float(objective(tf.constant(START)).total[0])
    for _ in range(3):
        step = solver.step(objective)
        assert float(step.evaluation.total[0]) == float(objective(solver.image()).total[0])
        assert float(step.evaluation.terms["content"][0]) == float(step.evaluation.total[0])


def test_a_step_reports_the_number_of_its_evaluations(settings):
    calls = 0

    def counting(image):
        nonlocal calls
        calls += 1
        return objective(image)

    solver, _ = started(settings)
    reported = sum(int(solver.step(counting).evaluations) for _ in range(3))
    assert reported == calls >= 3


def test_a_restored_solver_continues_bit_for_bit(settings):
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


@pytest.mark.slow
def test_a_compiled_step_equals_an_eager_one(settings):
    if not settings[0]().solver(tf.constant(START)).compiled:
        pytest.skip("runs on the host")
    (eager, _), (traced, _) = started(settings), started(settings)
    step = tf.function(lambda: traced.step(objective))
    for _ in range(3):
        eager.step(objective)
        step()
    np.testing.assert_allclose(traced.image(), eager.image(), rtol=1e-6)


def test_a_warm_start_enlarges_the_moments_and_keeps_the_number_of_steps(settings):
    kind, fields = settings
    if not kind.supports_warm_start:
        pytest.skip("does not support a warm start; the config refuses it")
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
    assert bool((after["pixels"] == 0).all())  # the picture is not taken over


BAD = {
    "adam": [{"learning_rate": 0.0}, {"beta_1": 1.0}, {"beta_2": -0.1}, {"epsilon": 0.0}],
    "lbfgs": [{"history": 0}, {"preconditioner_power": -0.5}, {"first_step": 0.0}, {"search_evaluations": 0}],
    "rmsprop": [{"learning_rate": -1.0}, {"rho": 1.5}, {"momentum": 1.0}, {"epsilon": 0.0}],
    "scipy_lbfgs": [{"max_evaluations": 0}, {"history": 0}, {"function_tolerance": -1.0}],
    "sgd": [{"learning_rate": float("nan")}, {"momentum": 1.0}, {"decay_rate": 0.0}, {"decay_steps": 0}],
}


@pytest.mark.parametrize(("name", "fields"), [(name, f) for name, bad in BAD.items() for f in bad])
def test_values_out_of_range_are_refused_with_their_config_key(name, fields):
    with pytest.raises(InputError, match=f"^optimizer.{next(iter(fields))}="):
        OPTIMIZERS[name](**fields)


def test_the_table_of_bad_values_covers_every_optimiser():
    assert BAD.keys() == OPTIMIZERS.keys()


def test_optimizers_and_solvers_are_abstract():
    assert Optimizer.__abstractmethods__ == {"image_copies", "solver"}
    assert Solver.__abstractmethods__ == {"image", "begin", "step", "state", "restore", "reset"}


def test_the_example_in_the_docstring_of_solver_is_gradient_descent():
    code = inspect.getdoc(Solver).split("is::\n")[1].split("The gradient at the current picture")[0]
    namespace = {"Solver": Solver, "Step": Step, "tf": tf}
    exec(textwrap.dedent(code), namespace)
    optimizer = SGD(learning_rate=500.0, units=Units.byte)
    example, sgd = namespace["DescentSolver"](optimizer, tf.constant(START)), optimizer.solver(tf.constant(START))
    for solver in (example, sgd):
        solver.begin(objective(solver.image()))
    for _ in range(3):
        assert float(example.step(objective).evaluation.total[0]) == pytest.approx(
            float(sgd.step(objective).evaluation.total[0]), rel=1e-6
        )
    np.testing.assert_allclose(example.image(), sgd.image(), rtol=1e-6)
    assert np.abs(sgd.image() - START).max() > 0.01
    continued = namespace["DescentSolver"](optimizer, tf.zeros(SHAPE))
    continued.restore(example.state())
    continued.step(objective), example.step(objective)
    np.testing.assert_array_equal(continued.image(), example.image())
    example.reset(optimizer, tf.constant(START))
    np.testing.assert_allclose(example.image(), START, rtol=1e-6)
