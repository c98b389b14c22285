"""The content loss on distances between the colours of small copies."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import pdist, squareform

from nst_tf.losses import ColourSimilarityLoss
from nst_tf.util.errors import InputError
from tests.losses.formulas import rows_of, slope_of, value_and_slope

RNG = np.random.default_rng(9)


def test_value_and_slope_are_those_of_scipy_s_distances():
    picture, content, direction = ({"image": RNG.uniform(size=(6, 8, 3))} for _ in range(3))
    loss = ColourSimilarityLoss(side=8)  # the size of the pictures: nothing is resized
    targets = loss.prepare({"image": tf.constant(content["image"][None], tf.float32)})

    def formula(features):
        x, c = (squareform(pdist(rows_of(each["image"]))) for each in (features, content))
        return np.abs(x - c).mean()

    value, slope = value_and_slope(lambda features: loss(features, targets)[0], picture, direction)
    assert value == pytest.approx(formula(picture), abs=1e-4)  # the distance of a pixel to itself counts as 1e-4
    assert slope == pytest.approx(slope_of(formula, picture, direction), rel=2e-2)


def test_a_change_of_all_colours_alike_costs_nothing():
    content = tf.constant(RNG.uniform(0.2, 0.5, size=(1, 40, 64, 3)), tf.float32)
    loss = ColourSimilarityLoss()
    assert loss.represent({"image": content})["image"].shape == (1, 20 * 32, 20 * 32)
    targets = loss.prepare({"image": content})
    assert float(loss({"image": content + 0.25}, targets)[0]) == pytest.approx(0, abs=1e-5)
    assert float(loss({"image": 2 * content}, targets)[0]) > 0.05


def test_a_side_below_2_is_refused():
    with pytest.raises(InputError, match="side=1: must be at least 2"):
        ColourSimilarityLoss(side=1)
