"""The sliced Wasserstein loss on sets of points whose distance is known."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from nst_tf.losses import Blend, SlicedWassersteinLoss
from nst_tf.losses.sliced_wasserstein import directions, drawn_directions, quantiles
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


def with_draw(x, draw):
    return {"conv": tf.constant(x[None, None], tf.float32), "draw": tf.constant(draw, tf.int32)}


@pytest.mark.parametrize("orthogonal", [True, False])
@pytest.mark.parametrize("redraw", ["phase", 3])
def test_drawn_directions_follow_from_the_seed_of_the_draw(redraw, orthogonal):
    x, target = RNG.normal(size=(12, N)), RNG.normal(size=(36, N))
    loss = SlicedWassersteinLoss(layers=["conv"], redraw=redraw, orthogonal=orthogonal, resampling="repeat")
    assert loss.draws
    targets = loss.prepare(with_draw(target, [1, 2]))
    seed = tf.random.experimental.stateless_fold_in(tf.constant([1, 2]), 0)
    theta = drawn_directions(N, N, seed, orthogonal).numpy().astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(theta, axis=1), 1, rtol=1e-5)
    if orthogonal:
        np.testing.assert_allclose(theta @ theta.T, np.eye(N), atol=1e-5)
    moves = np.sort(theta @ x.T) - np.sort(theta @ target.T)[:, ::3]
    first, again, other = (float(loss(with_draw(x, draw), targets)[0]) for draw in ([1, 2], [1, 2], [1, 3]))
    assert first == again == pytest.approx((moves**2).mean(), rel=1e-4)
    assert other != first


def test_directions_that_change_with_the_steps_project_the_style_anew():
    """At the style itself the loss is 0 along the directions of every draw."""
    x = RNG.normal(size=(20, N))
    loss = SlicedWassersteinLoss(layers=["conv"], redraw=1, directions=2)
    targets = loss.prepare(with_draw(x, [0, 0]))
    assert targets.layers["conv"].shape == (1, 1, 20, N)
    for draw in ([0, 0], [5, 6]):
        assert float(loss(with_draw(RNG.permutation(x), draw), targets)[0]) == pytest.approx(0, abs=1e-9)
        assert float(loss(with_draw(x + 1, draw), targets)[0]) > 0.01


def test_weights_of_positions_reach_directions_that_change_with_the_steps():
    x = RNG.normal(size=(1, 4, 5, N))
    mask = np.zeros((1, 4, 5, 1))
    mask[:, :2] = 1
    loss = SlicedWassersteinLoss(layers=["conv"], redraw=1, resampling="repeat")
    features = {"conv": tf.constant(x, tf.float32), "draw": tf.constant([3, 4])}
    inside = loss.represent({**features, "conv": features["conv"][:, :2]})
    value = loss.distance(loss.represent(features, {"conv": tf.constant(mask, tf.float32)}), inside)
    assert float(value["conv"][0]) == pytest.approx(0, abs=1e-9)


def test_directions_along_the_axes_sort_each_filter():
    x, target = RNG.normal(size=(20, N)), RNG.normal(size=(20, N))
    expected = ((np.sort(x, axis=0) - np.sort(target, axis=0)) ** 2).mean()
    assert distance(x, target, directions="axes") == pytest.approx(expected, rel=1e-5)
    assert not SlicedWassersteinLoss(layers=["conv"], directions="axes", redraw=1).draws


def test_a_repeated_style_is_compared_without_interpolation():
    x, target = RNG.normal(size=(40, 1)), RNG.normal(size=(10, 1))
    expected = ((np.sort(x[:, 0]) - np.repeat(np.sort(target[:, 0]), 4)) ** 2).mean()
    assert distance(x, target, resampling="repeat") == pytest.approx(expected, rel=1e-5)
    assert distance(x, target) != pytest.approx(expected, rel=1e-2)


def test_independent_directions_are_unit_vectors():
    theta = directions(50, N, 0, orthogonal=False)
    np.testing.assert_allclose(np.linalg.norm(theta, axis=1), 1, rtol=1e-6)
    assert np.abs(theta[:N] @ theta[:N].T - np.eye(N)).max() > 0.1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"directions": "all"}, r"directions='all': must be a whole number, axes"),
        ({"redraw": 0}, r"redraw=0: must be at least 1"),
        ({"redraw": "often"}, r"redraw='often': must be a whole number, never or phase"),
        ({"redraw": 2, "blend": "targets"}, r"blend=targets: .*redraw=2.*Choose blend=losses, or redraw=phase"),
    ],
)
def test_other_words_for_directions_and_draws_are_refused(fields, words):
    with pytest.raises(InputError, match=words):
        SlicedWassersteinLoss(layers=["conv"], **fields)
