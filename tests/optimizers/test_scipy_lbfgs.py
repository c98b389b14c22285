"""The SciPy solver against direct calls of `scipy.optimize.minimize`."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize

from nst_tf.optimizers import Evaluation, ScipyLBFGS, Units
from nst_tf.util.errors import InputError

SHAPE = (1, 2, 2, 3)
START = np.random.default_rng(5).uniform(-1, 1, SHAPE).astype(np.float32)


def rosenbrock(image):
    """Evaluate SciPy's Rosenbrock function of the twelve values in float64, rounded to float32 at the end."""
    z = image.numpy().ravel().astype(np.float64)
    gradient = optimize.rosen_der(z).reshape(SHAPE)
    return Evaluation(tf.constant([optimize.rosen(z)], tf.float32), tf.constant(gradient, tf.float32), {})


def value_and_gradient(z):
    evaluation = rosenbrock(tf.constant(z.reshape(SHAPE), tf.float32))
    return float(evaluation.total[0]), evaluation.gradient.numpy().astype(np.float64).ravel()


def scipy_run(start, max_evaluations):
    options = {"maxfun": max_evaluations, "maxiter": max_evaluations, "ftol": 0, "gtol": 0, "maxcor": 10}
    return optimize.minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options=options)


def test_each_step_equals_a_new_scipy_run_from_the_last_picture():
    solver = ScipyLBFGS(max_evaluations=7).solver(tf.constant(START))
    solver.begin(rosenbrock(solver.image()))
    x = START.ravel().astype(np.float64)
    for _ in range(3):
        step = solver.step(rosenbrock)
        expected = scipy_run(x, 7)
        np.testing.assert_array_equal(solver.state()["pixels"], expected.x)
        assert float(step.evaluation.total[0]) == np.float32(expected.fun)
        assert int(step.evaluations) == expected.nfev - 1  # the first point was known already
        x = expected.x


def test_scipy_lbfgs_reaches_the_minimum_and_stalls_there():
    solver = ScipyLBFGS(max_evaluations=100).solver(tf.constant(START))
    solver.begin(rosenbrock(solver.image()))
    stalled = [bool(solver.step(rosenbrock).stalled) for _ in range(5)]
    np.testing.assert_allclose(solver.image(), np.ones(SHAPE), atol=1e-3)
    assert not stalled[0]
    assert stalled[-1]


def test_clamp_bounds_the_pixels():
    def distance(image):  # nearest point of the box to (2, 2, …) is (1, 1, …)
        return Evaluation(tf.reduce_sum((image - 2.0) ** 2, axis=[1, 2, 3]), 2 * (image - 2.0), {})

    solver = ScipyLBFGS(clamp=True, units=Units.byte).solver(tf.constant(np.abs(START)))
    solver.begin(distance(solver.image()))
    solver.step(distance)
    np.testing.assert_allclose(solver.image(), np.ones(SHAPE), atol=1e-6)


def test_an_objective_that_is_nan_does_not_move_the_picture():
    def broken(image):
        return Evaluation(tf.constant([np.nan]), tf.fill(image.shape, np.nan), {})

    solver = ScipyLBFGS().solver(tf.constant(START))
    solver.begin(rosenbrock(solver.image()))
    solver.step(broken)
    np.testing.assert_array_equal(solver.image(), START)


def test_a_batch_of_pictures_is_refused():
    with pytest.raises(InputError, match="one picture at a time"):
        ScipyLBFGS().solver(tf.zeros([2, 4, 4, 3]))
