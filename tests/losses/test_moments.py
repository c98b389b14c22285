"""The Wasserstein distance between Gaussians: known distances, SciPy's matrix root, and the limits of float32."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import linalg

from nst_tf.losses import Blend, MomentsLoss
from nst_tf.losses.moments import trace_of_root
from nst_tf.util.errors import InputError

N = 4
RNG = np.random.default_rng(5)


def exact(mean, covariance, height=8, width=9):
    """Return vectors (H·W, N) with exactly this mean and covariance."""
    x = RNG.normal(size=(height * width, len(mean)))
    x -= x.mean(0)
    white = x @ np.linalg.inv(linalg.cholesky(np.cov(x.T, bias=True), lower=True)).T
    return mean + white @ linalg.cholesky(covariance, lower=True).T


def distance(x, target, **settings):
    """Return the loss between sets of vectors (M, N)."""
    loss = MomentsLoss(layers=["conv"], **({"reduction": "sum", "epsilon": 1e-8} | settings))
    features, targets = ({"conv": tf.constant(value[None, None], tf.float32)} for value in (x, target))
    return float(loss(features, loss.prepare(targets))[0])


def spread(seed):
    """Return a covariance matrix; two of different seeds do not commute."""
    A = np.random.default_rng(seed).normal(size=(N, N))
    return A @ A.T + 0.1 * np.eye(N)


def numpy_distance(x, target, epsilon):
    """Compute W₂² of the Gaussians of two sets of vectors, in float64, with SciPy's matrix root."""
    S, T = (np.cov(value.T, bias=True) + epsilon * np.eye(value.shape[1]) for value in (x, target))
    root = linalg.sqrtm(T)
    between = np.trace(linalg.sqrtm(root @ S @ root)).real
    return ((x.mean(0) - target.mean(0)) ** 2).sum() + np.trace(S) + np.trace(T) - 2 * between


def test_distance_of_diagonal_gaussians_is_that_of_their_means_and_deviations():
    mean, other = np.array([1.0, 2, 3, 4]), np.array([1.5, 2, 2, 4])
    deviation, another = np.array([1.0, 2, 0.5, 3]), np.array([2.0, 2, 1.5, 1])
    value = distance(exact(mean, np.diag(deviation**2)), exact(other, np.diag(another**2)))
    assert value == pytest.approx(0.25 + 1 + 1 + 0 + 1 + 4, rel=1e-4)


def test_distance_of_any_gaussians_is_the_closed_form_with_scipys_matrix_root():
    x, target = exact(np.zeros(N), spread(1)), exact(np.ones(N), spread(2))
    S, T = spread(1), spread(2)
    root = linalg.sqrtm(T)
    expected = N + np.trace(S) + np.trace(T) - 2 * np.trace(linalg.sqrtm(root @ S @ root)).real
    assert distance(x, target) == pytest.approx(expected, rel=1e-4)
    assert distance(target, x) == pytest.approx(expected, rel=1e-4)


def test_distance_of_a_shifted_style_is_the_squared_length_of_the_shift():
    x, shift = exact(np.zeros(N), spread(3)), np.array([3.0, 0, -4, 0])
    assert distance(x, x + shift) == pytest.approx(25, rel=1e-4)


def test_distance_of_a_scaled_style_is_the_squared_growth_of_its_deviations():
    x = exact(np.zeros(N), spread(3))
    assert distance(x, 3 * x) == pytest.approx(4 * np.trace(spread(3)), rel=1e-4)


def test_the_order_and_number_of_positions_do_not_change_the_distance():
    x = exact(np.ones(N), spread(4))
    assert distance(x, np.tile(RNG.permutation(x), (3, 1))) == pytest.approx(0, abs=1e-4)


def test_mean_and_relative_reductions_equal_numbers_computed_by_hand():
    x = exact(np.zeros(N), np.eye(N))
    assert distance(x, 3 * x, reduction="mean") == pytest.approx(4, rel=1e-4)
    assert distance(x, 3 * x, reduction="relative") == pytest.approx(4 / 9, rel=1e-4)
    assert distance(0 * x, 3 * x, reduction="relative") == pytest.approx(1, rel=1e-3)  # features that are all 0


def test_relative_distance_does_not_depend_on_the_scale_of_the_features():
    x, target = exact(np.zeros(N), spread(1)), exact(np.ones(N), spread(2))
    settings = {"reduction": "relative", "epsilon": 0.01}
    small, large = distance(x, target, **settings), distance(57 * x, 57 * target, **settings)
    assert small == pytest.approx(large, rel=1e-4)


def test_epsilon_is_added_to_every_variance():
    x = exact(np.zeros(N), np.eye(N))
    assert distance(x, 2 * x, epsilon=5.0) == pytest.approx(N * (np.sqrt(9) - np.sqrt(6)) ** 2, rel=1e-4)


@pytest.mark.parametrize("positions", [1, 6, 40])
def test_value_and_gradient_match_float64_with_fewer_positions_than_filters(positions):
    """With 24 filters and five positions, the covariance of the target is singular."""
    filters, epsilon = 24, 1e-3
    x, target = RNG.normal(size=(positions, filters)), RNG.normal(size=(5, filters)) * np.linspace(0.1, 2, filters)
    assert distance(x, target, epsilon=epsilon) == pytest.approx(numpy_distance(x, target, epsilon), rel=2e-3)
    loss = MomentsLoss(layers=["conv"], reduction="sum", epsilon=epsilon)
    variable = tf.constant(x[None, None], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = loss({"conv": variable}, loss.prepare({"conv": tf.constant(target[None, None], tf.float32)}))
    direction = RNG.normal(size=x.shape)
    slope = float((tape.gradient(value, variable).numpy()[0, 0] * direction).sum())
    ahead, behind = (numpy_distance(x + sign * 1e-4 * direction, target, epsilon) for sign in (1, -1))
    assert slope == pytest.approx((ahead - behind) / 2e-4, rel=0.02, abs=0.02)


def test_gradient_of_the_trace_of_the_root_is_half_the_inverse_root_also_for_equal_eigenvalues():
    for A in (spread(6), 4 * np.eye(N)):
        with tf.GradientTape() as tape:
            x = tf.constant(A[None], tf.float32)
            tape.watch(x)
            value = trace_of_root(x)
        assert float(value[0]) == pytest.approx(np.trace(linalg.sqrtm(A)), rel=1e-5)
        np.testing.assert_allclose(tape.gradient(value, x)[0], np.linalg.inv(linalg.sqrtm(A)) / 2, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("reduction", ["sum", "mean", "relative"])
def test_the_gradient_of_constant_features_is_finite(reduction):
    for x, target in ((np.zeros, np.ones), (np.ones, np.zeros), (np.zeros, np.zeros)):
        loss = MomentsLoss(layers=["conv"], reduction=reduction)
        variable = tf.constant(x([1, 3, 3, N]), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(variable)
            value = loss({"conv": variable}, loss.prepare({"conv": tf.constant(target([1, 3, 3, N]), tf.float32)}))
        assert np.isfinite(float(value[0]))
        assert np.isfinite(tape.gradient(value, variable)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_give_a_loss_that_is_not_finite(value):
    """A run that diverges ends because of its loss, not because of an error in the decomposition."""
    x = np.ones([2, 3, 3, N])
    x[0, 1, 1, 2] = value
    loss = MomentsLoss(layers=["conv"])
    values = loss({"conv": tf.constant(x, tf.float32)}, loss.prepare({"conv": tf.ones([1, 3, 3, N])})).numpy()
    assert not np.isfinite(values[0])
    assert values[1] == pytest.approx(0, abs=1e-4)


def test_blended_styles_are_the_mixture_of_both():
    from nst_tf.optimization.objective import Objective

    x, one, other = (tf.constant(RNG.normal(size=(1, 6, 7, 3)) + shift, tf.float32) for shift in (0, 1, 3))
    losses = {"style": MomentsLoss(layers=["conv"], reduction="sum", blend=Blend.targets)}
    objective = Objective.prepare(lambda image: {"conv": image}, losses, x, [one, other], [0.5, 0.5])
    both = np.concatenate([one.numpy().reshape(-1, 3), other.numpy().reshape(-1, 3)])
    expected = numpy_distance(x.numpy().reshape(-1, 3).astype(np.float64), both.astype(np.float64), 1e-4)
    assert float(objective(x).total[0]) == pytest.approx(expected, rel=1e-4)


def test_the_distance_is_computed_for_each_picture_of_a_batch():
    x, target = (RNG.normal(size=(count, 3, 4, N)) for count in (2, 1))
    loss = MomentsLoss(layers=["conv"], reduction="sum")
    values = loss({"conv": tf.constant(x, tf.float32)}, loss.prepare({"conv": tf.constant(target, tf.float32)})).numpy()
    expected = [numpy_distance(picture.reshape(-1, N), target.reshape(-1, N), 1e-4) for picture in x]
    np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_an_epsilon_of_zero_is_refused():
    with pytest.raises(InputError, match="epsilon=0"):
        MomentsLoss(layers=["conv"], epsilon=0)
