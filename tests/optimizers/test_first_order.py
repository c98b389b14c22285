"""Keras optimisers on pixels, against the update rules of the papers in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.optimizers import SGD, Adam, Evaluation, RMSprop, Units

SHAPE = (1, 2, 3, 3)
START = np.random.default_rng(1).uniform(0.2, 0.8, SHAPE).astype(np.float32)
HESSIAN = np.random.default_rng(2).uniform(0.5, 2.0, SHAPE).astype(np.float32)


def quadratic(image):
    """½ Σ c x², whose gradient is c x."""
    return Evaluation(tf.reduce_sum(0.5 * HESSIAN * image**2, axis=[1, 2, 3]), HESSIAN * image, {})


def run(optimizer, steps):
    solver = optimizer.solver(tf.constant(START))
    solver.begin(quadratic(solver.image()))
    for _ in range(steps):
        solver.step(quadratic)
    return solver.image().numpy()


def test_sgd_follows_its_update_rule_with_exponential_decay():
    x = START.astype(np.float64)
    for step in range(5):
        x = x - 0.1 * 0.5 ** (step / 2) * HESSIAN * x
    optimizer = SGD(learning_rate=0.1, decay_rate=0.5, decay_steps=2)
    np.testing.assert_allclose(run(optimizer, 5), x, rtol=1e-5)


def test_sgd_follows_its_update_rule_with_momentum_and_staircase_decay():
    x, v = START.astype(np.float64), 0.0
    for step in range(5):
        v = 0.9 * v - 0.1 * 0.5 ** (step // 2) * HESSIAN * x
        x = x + v
    optimizer = SGD(learning_rate=0.1, momentum=0.9, decay_rate=0.5, decay_steps=2, staircase=True)
    np.testing.assert_allclose(run(optimizer, 5), x, rtol=1e-4)


def test_adam_follows_its_update_rule():
    x, m, v = START.astype(np.float64), 0.0, 0.0
    for t in range(1, 6):
        g = HESSIAN * x
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        x = x - 0.05 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(run(Adam(learning_rate=0.05), 5), x, atol=1e-5)


def test_rmsprop_follows_its_update_rule():
    x, v = START.astype(np.float64), 0.0
    for _ in range(5):
        g = HESSIAN * x
        v = 0.9 * v + 0.1 * g**2
        x = x - 0.01 * g / np.sqrt(v + 1e-7)
    np.testing.assert_allclose(run(RMSprop(learning_rate=0.01), 5), x, rtol=1e-4)


def test_rmsprop_follows_keras_in_its_default_and_pytorch_with_epsilon_outside_of_the_root():
    x, v, m = START.astype(np.float64), 0.0, 0.0
    for _ in range(5):
        g = HESSIAN * x
        v = 0.8 * v + 0.2 * g**2
        m = 0.5 * m + 0.01 * g / (np.sqrt(v) + 0.1)
        x = x - m
    settings = {"learning_rate": 0.01, "rho": 0.8, "momentum": 0.5, "epsilon": 0.1}
    np.testing.assert_allclose(run(RMSprop(**settings, epsilon_in_root=False), 5), x, rtol=1e-5)
    assert np.abs(run(RMSprop(**settings), 5) - x).max() > 1e-3


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_rmsprop_equals_the_optimiser_of_keras(momentum):
    optimizer = tf.keras.optimizers.RMSprop(0.01, rho=0.8, momentum=momentum, epsilon=1e-3)
    variable = tf.keras.Variable(START)
    for _ in range(5):
        optimizer.apply([HESSIAN * variable.value], [variable])
    ours = run(RMSprop(learning_rate=0.01, rho=0.8, momentum=momentum, epsilon=1e-3), 5)
    np.testing.assert_array_equal(ours, variable.numpy())


def test_rmsprop_equals_the_operation_of_tensorflow_1():
    variable, mean_square, momentum = (tf.Variable(value) for value in (START, 0 * START, 0 * START))
    slots = {"var": variable.handle, "ms": mean_square.handle, "mom": momentum.handle}
    for _ in range(5):
        constants = {"lr": 0.01, "rho": 0.8, "momentum": 0.5, "epsilon": 1e-3}
        tf.raw_ops.ResourceApplyRMSProp(**slots, **constants, grad=HESSIAN * variable)
    ours = run(RMSprop(learning_rate=0.01, rho=0.8, momentum=0.5, epsilon=1e-3), 5)
    np.testing.assert_allclose(ours, variable.numpy(), rtol=1e-5)


@pytest.mark.parametrize(("in_root", "least", "most"), [(True, 1e-2, 1.0), (False, 0.0, 1e-3)])
def test_small_weights_change_the_path_of_rmsprop_only_with_epsilon_in_the_root(in_root, least, most):
    def path(factor):
        solver = RMSprop(learning_rate=0.01, epsilon_in_root=in_root, epsilon=1e-7).solver(tf.constant(START))
        evaluate = lambda image: Evaluation(quadratic(image).total, factor * HESSIAN * image, {})  # noqa: E731
        solver.begin(evaluate(solver.image()))
        for _ in range(5):
            solver.step(evaluate)
        return solver.image().numpy()

    assert least <= np.abs(path(1e-4) - path(1.0)).max() <= most


def test_sgd_in_units_of_bytes_has_the_rate_over_255_squared():
    byte, unit = SGD(learning_rate=50.0, units=Units.byte), SGD(learning_rate=50.0 / 255**2)
    np.testing.assert_allclose(run(byte, 3), run(unit, 3), rtol=1e-5)


def test_adam_in_units_of_bytes_has_the_rate_over_255():
    byte = Adam(learning_rate=10.0, epsilon=1e-12, units=Units.byte)  # epsilon is in units of the gradient
    unit = Adam(learning_rate=10.0 / 255, epsilon=1e-12)
    np.testing.assert_allclose(run(byte, 3), run(unit, 3), atol=1e-6)


def test_adam_in_normalized_units_moves_each_channel_by_the_rate_times_its_deviation():
    moved = START - run(Adam(learning_rate=0.003, units=Units.normalized), 1)
    np.testing.assert_allclose(moved, np.broadcast_to(0.003 * np.array([0.229, 0.224, 0.225]), SHAPE), rtol=1e-3)


@pytest.mark.parametrize("units", Units)
def test_clamp_projects_pixels_onto_the_unit_interval(units):
    def rising(image):
        return Evaluation(-tf.reduce_sum(image, axis=[1, 2, 3]), -tf.ones_like(image), {})

    solver = SGD(learning_rate=1e6, clamp=True, units=units).solver(tf.constant(START))
    solver.begin(rising(solver.image()))
    solver.step(rising)
    np.testing.assert_allclose(solver.image(), np.ones(SHAPE), atol=1e-6)
