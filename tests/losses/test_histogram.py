"""The histogram loss: exact ranks against NumPy, and bins against a rebuild of the histograms."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.losses import HistogramLoss, SlicedWassersteinLoss
from nst_tf.losses.histogram import bin_numbers, lower_edges
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(8)
H, W, N = 4, 6, 5
M = H * W
X, STYLE = RNG.normal(size=(H, W, N)) ** 2, RNG.normal(size=(2 * H, 2 * W, N)) ** 2


def features(x, dtype=tf.float32):
    return {"conv": tf.constant(np.asarray(x)[None], dtype)}


def value_and_gradient(loss, x, style, dtype=tf.float32):
    targets = loss.prepare(features(style, dtype))
    variable = tf.constant(np.asarray(x)[None], dtype)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = loss({"conv": variable}, targets)
    return float(value[0]), tape.gradient(value, variable).numpy()[0].astype(np.float64)


def match_exactly(x, style):
    """Return R(F): every value is replaced by the style's of the same rank."""
    matched = np.empty(x.shape)
    for n in range(N):
        values, result = np.sort(style[..., n].ravel()), np.empty(M)
        result[np.argsort(x[..., n].ravel())] = values[np.arange(M) * values.size // M]
        matched[..., n] = result.reshape(x.shape[:2])
    return matched


def match_by_bins(x, style, bins, permutation):
    """Return R(F) as a program with histograms does: cumulative counts decide the bin whose edge a value becomes."""
    matched = np.empty(x.shape)
    for n in range(N):
        flat, target = x[..., n].astype(np.float32).ravel(), style[..., n].astype(np.float32).ravel()
        numbers = np.minimum(((flat - flat.min()) / (np.ptp(flat) / np.float32(bins))).astype(int), bins - 1)
        counts = np.histogram(target, bins)[0]
        below = np.cumsum(counts) - counts
        result, rank = np.empty(flat.size), 0
        for number in range(bins):
            for position in permutation:
                if numbers[position] == number:
                    edge = np.flatnonzero(rank * target.size / flat.size >= below).max()
                    result[position], rank = target.min() + edge * np.ptp(target) / bins, rank + 1
        matched[..., n] = result.reshape(x.shape[:2])
    return matched


def test_exact_loss_and_gradient_equal_the_matched_histograms():
    value, gradient = value_and_gradient(HistogramLoss(layers=["conv"]), X, STYLE)
    matched = match_exactly(X, STYLE)
    assert value == pytest.approx(((X - matched) ** 2).mean(), rel=1e-5)
    np.testing.assert_allclose(gradient, 2 * (X - matched) / X.size, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("bins", [4, 16])
def test_binned_loss_and_gradient_equal_a_rebuild_of_the_histograms(bins):
    loss = HistogramLoss(layers=["conv"], bins=bins, seed=3)
    value, gradient = value_and_gradient(loss, X, STYLE)
    matched = match_by_bins(X, STYLE, bins, np.random.default_rng(3).permutation(M))
    assert value == pytest.approx(((X - matched) ** 2).mean(), rel=1e-4)
    np.testing.assert_allclose(gradient, 2 * (X - matched) / X.size, rtol=1e-3, atol=1e-6)


def test_exact_ranks_are_the_sliced_loss_along_the_axes():
    exact = HistogramLoss(layers=["conv"], reduction="relative")
    sliced = SlicedWassersteinLoss(layers=["conv"], reduction="relative", directions="axes", resampling="repeat")
    both = [value_and_gradient(loss, X, STYLE) for loss in (exact, sliced)]
    assert both[0][0] == pytest.approx(both[1][0], rel=1e-6)
    np.testing.assert_allclose(both[0][1], both[1][1], rtol=1e-6)


def test_many_bins_approach_exact_ranks():
    values = [value_and_gradient(HistogramLoss(layers=["conv"], bins=bins), X, STYLE)[0] for bins in (8, 64, 4096)]
    exact = value_and_gradient(HistogramLoss(layers=["conv"]), X, STYLE)[0]
    assert abs(values[2] - exact) < 5e-3 * exact < abs(values[0] - exact)


def test_bins_and_their_edges_equal_numbers_computed_by_hand():
    x = tf.constant([[0.0, 1.0, 2.0, 3.9, 4.0], [5.0, 5.0, 5.0, 5.0, 5.0]])
    np.testing.assert_array_equal(bin_numbers(x, 4), [[0, 1, 2, 3, 3], [0] * 5])
    np.testing.assert_array_equal(lower_edges(x, 4), [[0, 1, 2, 3, 3], [5] * 5])


@pytest.mark.parametrize("bins", [None, 16])
def test_features_in_bfloat16_are_compared_in_float32(bins):
    loss = HistogramLoss(layers=["conv"], bins=bins)
    half, gradient = value_and_gradient(loss, X, STYLE, tf.bfloat16)
    assert half == pytest.approx(value_and_gradient(loss, X, STYLE)[0], rel=0.05)
    assert np.isfinite(gradient).all()


def test_fewer_than_two_bins_are_refused():
    with pytest.raises(InputError, match="bins=1: must be at least 2"):
        HistogramLoss(layers=["conv"], bins=1)
