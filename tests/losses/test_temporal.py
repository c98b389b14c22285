"""The temporal loss, against hand numbers and against the sum over frames that its single target stands for."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.losses import ContentLoss, TemporalLoss
from nst_tf.optimization.objective import Objective
from nst_tf.video.neighbours import Neighbour, temporal_target

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(size=(1, 5, 6, 3)).astype(np.float32)


def tensors(target):
    return {name: tf.constant(array[None]) for name, array in target.items()}


def value(loss, image, target):
    return float(loss.distance(loss.represent({"image": tf.constant(image)}), tensors(target))["image"][0])


def test_the_loss_is_the_weighted_mean_of_squared_differences():
    warped, weights = RNG.uniform(size=(5, 6, 3)), RNG.uniform(size=(5, 6))
    target = temporal_target([Neighbour(warped.astype(np.float32), weights.astype(np.float32))], (5, 6))
    expected = np.mean(weights[..., None] * (IMAGE[0] - warped) ** 2)
    assert value(TemporalLoss(), IMAGE, target) == pytest.approx(expected, rel=1e-5)
    assert value(TemporalLoss(value_range="byte"), IMAGE, target) == pytest.approx(255**2 * expected, rel=1e-5)


def test_one_target_stands_for_the_sum_over_several_frames():
    soft = [RNG.uniform(size=(5, 6)).astype(np.float32) * scale for scale in (0.6, 0.8, 1.0)]
    warped = [RNG.uniform(size=(5, 6, 3)).astype(np.float32) for _ in soft]
    target = temporal_target([Neighbour(*pair) for pair in zip(warped, soft, strict=True)], (5, 6))
    taken, expected = np.zeros((5, 6)), 0.0
    gradient = np.zeros((5, 6, 3))
    for weights, frame in zip(soft, warped, strict=True):
        share = np.maximum(weights - taken, 0)[..., None]
        expected += np.mean(share * (IMAGE[0] - frame) ** 2)
        gradient += 2 * share * (IMAGE[0] - frame) / IMAGE.size
        taken = taken + weights
    assert value(TemporalLoss(), IMAGE, target) == pytest.approx(expected, rel=1e-5)
    image, loss = tf.constant(IMAGE), TemporalLoss()
    with tf.GradientTape() as tape:
        tape.watch(image)
        total = loss.distance({"image": image}, tensors(target))["image"]
    np.testing.assert_allclose(tape.gradient(total, image)[0], gradient, atol=1e-7)


def test_a_single_picture_and_a_first_frame_have_no_loss():
    loss = TemporalLoss()
    assert float(loss.distance({"image": tf.constant(IMAGE)}, {})["image"][0]) == 0
    assert value(loss, IMAGE, temporal_target([], (5, 6))) == 0


def test_given_targets_reach_the_objective_as_inputs():
    losses = {"content": ContentLoss(layers=["a"]), "temporal": TemporalLoss(weight=3.0)}
    image = tf.constant(IMAGE)
    objective = Objective.prepare(lambda picture: {"a": picture}, losses, image, [], [])
    assert float(objective(image).terms["temporal"][0]) == 0
    target = temporal_target([Neighbour(IMAGE[0] - 0.5, np.ones((5, 6), np.float32))], (5, 6))
    given = objective.with_targets({"temporal": tensors(target), "absent": {}})
    assert float(given(image).terms["temporal"][0]) == pytest.approx(3 * 0.25, rel=1e-5)
    assert set(given.inputs["temporal"].targets[0].layers) == {"image", "weights", "spread"}
