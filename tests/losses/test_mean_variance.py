"""The mean-variance loss on numbers computed by hand."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.losses import Blend, MeanVarianceLoss
from nst_tf.optimization.objective import Objective

#                 means 2, 5 and deviations 1, 3          means 3, 5 and deviations 2, 3
X = np.array([[1.0, 2], [3, 8], [1, 8], [3, 2]])
TARGET = np.array([[1.0, 2], [5, 8], [1, 8], [5, 2]])


def features(x):
    return {"conv": tf.constant(x[None, None], tf.float32)}


def distance(x, target, reduction):
    loss = MeanVarianceLoss(layers=["conv"], reduction=reduction)
    return float(loss(features(x), loss.prepare(features(target)))[0])


@pytest.mark.parametrize(("reduction", "expected"), [("sum", 1 + 1), ("mean", 1), ("relative", 2 / (9 + 25 + 4 + 9))])
def test_every_reduction_equals_the_number_computed_by_hand(reduction, expected):
    assert distance(X, TARGET, reduction) == pytest.approx(expected, rel=1e-4)


def test_correlations_and_the_order_and_number_of_positions_do_not_change_the_loss():
    other = np.stack([X[:, 0], [2, 8, 2, 8]], 1)
    assert np.corrcoef(X.T)[0, 1] != pytest.approx(np.corrcoef(other.T)[0, 1])
    assert distance(X, np.tile(other, (3, 1)), "sum") == pytest.approx(0, abs=1e-9)


def test_relative_loss_of_zero_features_is_one():
    assert distance(0 * X, TARGET, "relative") == pytest.approx(1, rel=1e-2)  # √ε remains of a deviation of 0


def test_blended_styles_have_the_weighted_mean_of_their_means_and_deviations():
    x, one, other = (tf.constant(value[None, None], tf.float32) for value in (X, X, TARGET))
    losses = {"style": MeanVarianceLoss(layers=["conv"], reduction="sum", blend=Blend.targets)}
    objective = Objective.prepare(lambda image: {"conv": image}, losses, x, [one, other], [0.25, 0.75])
    assert float(objective(x).total[0]) == pytest.approx(2 * 0.75**2, rel=1e-4)


@pytest.mark.parametrize("reduction", ["sum", "mean", "relative"])
def test_the_gradient_of_a_constant_filter_is_finite(reduction):
    for x, target in ((0 * X, X), (X, 0 * X), (0 * X, 0 * X)):
        loss = MeanVarianceLoss(layers=["conv"], reduction=reduction)
        variable = features(x)["conv"]
        with tf.GradientTape() as tape:
            tape.watch(variable)
            value = loss({"conv": variable}, loss.prepare(features(target)))
        assert np.isfinite(tape.gradient(value, variable)).all()
