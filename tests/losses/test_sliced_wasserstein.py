"""The sliced Wasserstein loss on sets of points whose distance is known."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from nst_tf.losses import Blend, SlicedWassersteinLoss
from nst_tf.losses.sliced_wasserstein import directions, quantiles
from nst_tf.optimization.objective import Objective
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(11)
N = 6


def distance(x, target, **settings):
    """Return the loss between sets of vectors (M, N)."""
    loss = SlicedWassersteinLoss(layers=["conv"], **settings)
    features, targets = ({"conv": tf.constant(value[None, None], tf.float32)} for value in (x, target))
    return float(loss(features, loss.prepare(targets))[0])


@pytest.mark.parametrize("count", [N, 3 * N])
def test_distance_of_shifted_points_is_the_mean_square_of_the_shift(count):
    """Squared projections on N orthonormal vectors add up to ‖v‖², so their mean is ‖v‖²/N."""
    x, shift = RNG.normal(size=(40, N)), np.array([3.0, 0, -4, 0, 0, 0])
    assert distance(x, RNG.permutation(x) + shift, directions=count) == pytest.approx(25 / N, rel=1e-4)


def test_distance_of_scaled_points_is_the_mean_square_of_their_moves():
    x = RNG.normal(size=(40, N))
    assert distance(x, 3 * x) == pytest.approx(4 * (x**2).mean(), rel=1e-4)
    assert distance(x, 3 * x, reduction="relative") == pytest.approx(4 / 9, rel=1e-4)
    assert distance(0 * x, 3 * x, reduction="relative") == pytest.approx(1, rel=1e-5)  # features that are all 0


def test_distance_along_one_direction_is_the_least_cost_over_all_pairings():
    """Every pairing of five points with five is tried."""
    from itertools import permutations

    x, target = RNG.normal(size=(5, N)), RNG.normal(size=(5, N))
    theta = directions(1, N, seed=3)[0].astype(np.float64)
    a, b = x @ theta, target @ theta
    least = min(((a - b[list(order)]) ** 2).mean() for order in permutations(range(5)))
    assert distance(x, target, directions=1, seed=3) == pytest.approx(least, rel=1e-4)


def test_distributions_of_equal_mean_and_covariance_have_a_distance():
    even, odd = (np.sign(RNG.normal(size=(4000, N))), RNG.normal(size=(4000, N)))
    same = distance(odd, RNG.normal(size=(4000, N)))
    assert distance(even, odd) > 5 * same


def test_a_style_with_more_positions_is_compared_at_quantiles():
    x = RNG.normal(size=(40, N))
    assert distance(x, np.repeat(x, 3, axis=0)) == pytest.approx(0, abs=1e-9)
    many = stats.norm.ppf((np.arange(9999) + 0.5) / 9999)[:, None]
    few = stats.norm.ppf((np.arange(99) + 0.5) / 99)[:, None]
    assert distance(few, 2 + 3 * many) == pytest.approx(4 + 4 * (few**2).mean(), rel=1e-3)
    assert distance(many, 2 + 3 * few) == pytest.approx(4 + 4, rel=2e-2)


def test_quantiles_equal_numbers_computed_by_hand():
    x = tf.constant([[1.0, 3.0]])
    np.testing.assert_allclose(quantiles(x, 4), [[1, 1.5, 2.5, 3]])
    np.testing.assert_allclose(quantiles(quantiles(x, 4), 2), [[1.25, 2.75]])


def test_directions_are_orthonormal_and_determined_by_their_seed():
    for count in (N, 2 * N):
        theta = directions(count, N, 0)
        np.testing.assert_allclose(theta.T @ theta, np.eye(N) * count / N, atol=1e-5)
    np.testing.assert_array_equal(directions(N, N, 0), directions(N, N, 0))
    assert np.abs(directions(N, N, 0) - directions(N, N, 1)).max() > 0.1
    np.testing.assert_array_equal(directions(3, N, 0), directions(N, N, 0)[:3])


def test_the_distance_is_computed_for_each_picture_of_a_batch():
    x, target = RNG.normal(size=(2, 20, N)), RNG.normal(size=(30, N))
    loss = SlicedWassersteinLoss(layers=["conv"])
    targets = loss.prepare({"conv": tf.constant(target[None, None], tf.float32)})
    both = loss({"conv": tf.constant(x[:, None], tf.float32)}, targets)
    np.testing.assert_allclose(both, [distance(picture, target) for picture in x], rtol=1e-5)


def test_the_gradient_moves_every_point_towards_its_partner():
    x, target = RNG.normal(size=(30, N)), RNG.normal(size=(30, N))
    loss = SlicedWassersteinLoss(layers=["conv"])
    targets = loss.prepare({"conv": tf.constant(target[None, None], tf.float32)})
    variable = tf.constant(x[None, None], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = loss({"conv": variable}, targets)
    theta = directions(N, N, 0).astype(np.float64)
    expected = np.zeros_like(x)
    for direction in theta:
        order = np.argsort(x @ direction)
        moves = (x @ direction)[order] - np.sort(target @ direction)
        expected[order] += 2 / (30 * N) * moves[:, None] * direction
    np.testing.assert_allclose(tape.gradient(value, variable)[0, 0], expected, rtol=1e-3, atol=1e-6)


def test_blending_styles_of_different_sizes_is_refused():
    x, large = tf.zeros([1, 4, 5, 3]), tf.ones([1, 6, 5, 3])
    losses = {"style": SlicedWassersteinLoss(layers=["conv"], blend=Blend.targets)}
    with pytest.raises(InputError, match=r"blend=targets.*image.style_fit=content"):
        Objective.prepare(lambda image: {"conv": image}, losses, x, [x, large], [0.5, 0.5])
    objective = Objective.prepare(lambda image: {"conv": image}, losses, x, [x, x + 2], [0.5, 0.5])
    assert float(objective(x).total[0]) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(("fields", "words"), [({"directions": 0}, "directions=0"), ({"seed": -1}, "seed=-1")])
def test_values_out_of_range_are_refused(fields, words):
    with pytest.raises(InputError, match=words):
        SlicedWassersteinLoss(layers=["conv"], **fields)
