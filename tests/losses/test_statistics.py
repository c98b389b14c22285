"""Losses whose statistics are sums over positions: weights of positions, and pictures in parts."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.losses import (
    LOSSES,
    ContentLoss,
    DistributionLoss,
    Extent,
    GramDivisor,
    GramLoss,
    GramReduction,
    MeanVarianceLoss,
    MomentsLoss,
    SlicedWassersteinLoss,
    StatisticsLoss,
)
from nst_tf.losses.sliced_wasserstein import weighted_quantiles

RNG = np.random.default_rng(16)
HEIGHT, WIDTH, FILTERS = 7, 9, 5
X = RNG.normal(size=(2, HEIGHT, WIDTH, FILTERS)) ** 2
STYLE = RNG.normal(size=(1, HEIGHT + 2, WIDTH, FILTERS)) ** 2
IMAGE = RNG.uniform(size=(2, 2 * HEIGHT, 2 * WIDTH, 3))
MASK = RNG.uniform(size=(1, HEIGHT, WIDTH, 1))
HALF = np.zeros((1, HEIGHT, WIDTH, 1))
HALF[:, :, :4] = 1

ALL = [pytest.param(kind, id=name) for name, kind in LOSSES.items() if issubclass(kind, DistributionLoss)]
ADDITIVE_KINDS = [kind for kind in LOSSES.values() if issubclass(kind, StatisticsLoss)]


def features(x, image=IMAGE):
    return {"conv": tf.constant(x, tf.float32), "image": tf.constant(image, tf.float32)}


def represent(loss, x, weights=None):
    weights = None if weights is None else {"conv": tf.constant(weights, tf.float32)}
    return loss.represent(features(x), weights)["conv"].numpy()


def test_statistics_losses_are_sums_over_positions_and_the_sorted_one_is_not():
    additive = {name for name, kind in LOSSES.items() if issubclass(kind, StatisticsLoss)}
    assert additive == {"gram", "guided_sums", "moments", "mean_variance"}
    assert issubclass(SlicedWassersteinLoss, DistributionLoss)
    assert StatisticsLoss.__abstractmethods__ == {"sums", "statistics", "layer_distance"}


@pytest.mark.parametrize("value", [1.0, 0.25])
@pytest.mark.parametrize("kind", ALL)
def test_equal_weights_give_the_loss_without_weights(kind, value):
    loss = kind(layers=["conv"])
    weights = np.full((1, HEIGHT, WIDTH, 1), value)
    np.testing.assert_allclose(represent(loss, X, weights), represent(loss, X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ALL)
def test_positions_of_weight_zero_have_no_influence_and_no_gradient(kind):
    loss = kind(layers=["conv"])
    other = np.where(HALF > 0, X, 100 * RNG.normal(size=X.shape))
    np.testing.assert_allclose(represent(loss, other, HALF), represent(loss, X, HALF), rtol=1e-5, atol=1e-6)
    target = loss.represent(features(STYLE))["conv"]
    variable = tf.constant(X, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        weights = {"conv": tf.constant(HALF, tf.float32)}
        representation = loss.represent({**features(X), "conv": variable}, weights)
        finalized = loss.finalize_targets({"conv": target})
        value = loss.distance(representation, finalized)["conv"]
    gradient = tape.gradient(value, variable).numpy()
    assert (gradient[:, :, 4:] == 0).all()
    assert np.abs(gradient[:, :, :4]).min() >= 0
    assert np.abs(gradient[:, :, :4]).max() > 0


@pytest.mark.parametrize("reduction", GramReduction)
@pytest.mark.parametrize("divisor", GramDivisor)
def test_a_weighted_gram_matrix_is_the_mean_of_the_region_times_the_number_of_positions(divisor, reduction):
    m = HEIGHT * WIDTH
    F, w = X.reshape(2, m, FILTERS), MASK.reshape(m)
    G = m * np.einsum("p,bpi,bpj->bij", w, F, F) / w.sum()
    divisors = {"none": 1, "hw": m, "chw": m * FILTERS, "hwc": m * FILTERS}
    sizes = {"gatys": m, "relative": m, "mean_chw": np.sqrt(m * FILTERS), "keras_example": IMAGE[0].size}
    expected = G / divisors[divisor.name] / sizes.get(reduction.name, 1)
    loss = GramLoss(layers=["conv"], divisor=divisor, reduction=reduction)
    np.testing.assert_allclose(represent(loss, X, MASK), expected, rtol=1e-5)


def test_weighted_moments_and_deviations_are_those_of_numpy():
    F, w = X.reshape(2, -1, FILTERS), MASK.ravel()
    mean = np.array([np.average(f, axis=0, weights=w) for f in F])
    second = np.einsum("p,bpi,bpj->bij", w, F, F) / w.sum()
    covariance = np.array([np.cov(f.T, aweights=w, ddof=0) for f in F])
    moments = represent(MomentsLoss(layers=["conv"]), X, MASK)
    np.testing.assert_allclose(moments, np.dstack([second, mean]), rtol=1e-5)
    deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2) + 1e-5)
    values = represent(MeanVarianceLoss(layers=["conv"]), X, MASK)
    np.testing.assert_allclose(values, np.stack([mean, deviation], -1), rtol=1e-5)


@pytest.mark.parametrize("weights", [None, MASK], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(("kind", "shift"), [*((kind, 0.0) for kind in ADDITIVE_KINDS), (MeanVarianceLoss, 100.0)])
def test_the_sums_of_parts_of_a_picture_give_the_representation_and_gradient_of_the_whole(kind, weights, shift):
    loss, x, image = kind(layers=["conv"]), tf.constant(X + shift, tf.float32), tf.constant(IMAGE, tf.float32)
    whole_weights = None if weights is None else tf.constant(weights, tf.float32)
    parts = [slice(0, 2), slice(2, 3), slice(3, HEIGHT)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        whole = loss.represent_layer(x, image, whole_weights)
        each = [loss.sums(x[:, p], None if weights is None else whole_weights[:, p]) for p in parts]
        added = tuple(tf.add_n([tf.cast(value, tf.float64) for value in values]) for values in zip(*each, strict=True))
        summed = loss.from_sums(added, Extent.measure(x, image, whole_weights))
    np.testing.assert_allclose(summed, whole, rtol=1e-5)
    slope = tf.constant(RNG.normal(size=whole.shape), tf.float32)
    gradients = [tape.gradient(value, x, output_gradients=slope).numpy() for value in (summed, whole)]
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5 * np.abs(gradients[1]).max())


def test_a_weight_of_one_changes_no_bit_of_half_precision_features():
    x = tf.cast(X, tf.bfloat16)
    loss = GramLoss(layers=["conv"])
    ones = tf.ones([1, HEIGHT, WIDTH, 1])
    np.testing.assert_array_equal(loss.sums(x, ones)[0], loss.sums(x)[0])


def test_weighted_quantiles_are_those_of_repeated_numbers():
    x = RNG.normal(size=(2, 3, 6)).astype(np.float32)
    counts = np.array([3, 0, 1, 2, 0, 6])
    repeated = np.sort(np.repeat(x, counts, axis=-1))  # 12 numbers: each of the 6 quantiles lies between two
    values = weighted_quantiles(tf.constant(x), tf.constant(counts.reshape(1, 2, 3, 1), tf.float32)).numpy()
    np.testing.assert_array_equal(values, repeated[..., 1::2])


def test_equal_weights_give_the_sorted_numbers():
    x = RNG.normal(size=(1, 4, 12)).astype(np.float32)
    values = weighted_quantiles(tf.constant(x), tf.fill([1, 3, 4, 1], 0.3))
    np.testing.assert_array_equal(values, np.sort(x))


def test_the_content_loss_weighs_squared_differences():
    target = RNG.normal(size=X.shape)
    loss = ContentLoss(layers=["conv"], reduction="sum")
    representations = [{"conv": tf.constant(represent(loss, value, MASK))} for value in (X, target)]
    expected = (MASK * (X - target) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(loss.distance(*representations)["conv"], expected, rtol=1e-5)
