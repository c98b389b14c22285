"""Gradients of losses with respect to features, each made when it is asked for."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG19Lite
from nst_tf.losses import ContentLoss, GramLoss, LayerLoss, Loss, TotalVariationLoss
from nst_tf.losses.strotss import StrotssLoss
from nst_tf.optimization.layer_gradients import LayerGradients, joint_layers, vjp_of_features
from nst_tf.optimization.objective import Objective

RNG = np.random.default_rng(5)
IMAGE = tf.constant(RNG.uniform(0, 1, (1, 16, 20, 3)), tf.float32)
LAYERS = ["conv1_1", "conv2_1", "conv3_1"]
LOSSES = [GramLoss(layers=LAYERS), ContentLoss(layers=["conv2_1"]), TotalVariationLoss()]


@dataclass
class JointLoss(Loss):
    """A loss that needs two layers at once."""

    @property
    def taps(self):
        return ["conv1_1", "conv3_1"]

    def references(self, styles):
        return []

    def represent(self, features):
        return features

    def distance(self, representation, targets):
        return {}


@dataclass
class CrossLoss(LayerLoss):
    """A loss over layers that breaks the rule: what it compares in each layer depends on the other one too."""

    def represent(self, features):
        return features

    def layer_distance(self, representation, target):
        return representation


def product_of_means(features):
    return tf.reduce_mean(features["conv1_1"]) * tf.reduce_mean(features["conv3_1"])


def separate_terms(features):
    squares = [tf.reduce_mean(tf.square(features[layer])) for layer in LAYERS]
    return tf.add_n([*squares, tf.reduce_mean(features["conv2_1"]), tf.reduce_sum(tf.square(features["image"]))])


@pytest.mark.parametrize(
    ("losses", "value_of"),
    [
        (LOSSES, separate_terms),
        ([*LOSSES, JointLoss()], lambda features: separate_terms(features) + product_of_means(features)),
        ([CrossLoss(layers=LAYERS)], product_of_means),
        ([TotalVariationLoss()], lambda features: tf.reduce_sum(features["image"] ** 3)),
    ],
    ids=["layer by layer", "two layers at once", "undeclared", "picture"],
)
def test_the_gradient_is_that_of_one_tape(losses, value_of):
    extractor = VGG19Lite().extractor(LAYERS)
    features, pull_back = vjp_of_features(extractor, IMAGE)
    with LayerGradients(features, losses) as gradients:
        value = value_of(features)
    with tf.GradientTape() as tape:
        tape.watch(IMAGE)
        same = value_of({"image": IMAGE, **extractor(IMAGE)})
    expected = tape.gradient(same, IMAGE).numpy()
    assert float(value) == pytest.approx(float(same), rel=1e-6)
    np.testing.assert_allclose(
        pull_back(gradients.towards(value)), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )
    assert np.abs(expected).max() > 0


def test_layers_that_a_loss_reads_at_once_get_their_gradients_together():
    features = {"image": IMAGE} | {layer: tf.constant([[[[2.0]]]]) for layer in LAYERS}
    with LayerGradients(features, [GramLoss(layers=LAYERS), JointLoss()]) as gradients:
        value = product_of_means(features) + tf.reduce_sum(features["conv2_1"] ** 2)
    gradient_of = gradients.towards(value)
    assert gradient_of("conv2_1").numpy() == 4  # 2x, by a tape of its own
    assert gradient_of("conv3_1").numpy() == 2  # one factor of the product of two means
    assert gradient_of("conv1_1").numpy() == 2
    assert gradient_of("image") is None


def test_several_values_take_the_gradients_that_come_from_above():
    features = {"image": tf.ones([1, 2, 2, 3]), "a": tf.constant([[[[3.0]]]])}
    with LayerGradients(features, [ContentLoss(layers=["a"])]) as gradients:
        values = [features["a"] ** 2, 5 * features["a"]]
    gradient_of = gradients.towards(values, [tf.constant([[[[10.0]]]]), tf.constant([[[[1.0]]]])])
    assert gradient_of("a").numpy() == 65  # 10·2x + 5


def test_a_function_that_returns_the_picture_itself_has_a_gradient_for_each_name():
    features, pull_back = vjp_of_features(lambda image: {"a": image}, IMAGE)
    with LayerGradients(features, [ContentLoss(layers=["a"]), TotalVariationLoss()]) as gradients:
        value = tf.reduce_sum(2 * features["a"]) + tf.reduce_sum(5 * features["image"])
    np.testing.assert_allclose(pull_back(gradients.towards(value)), 7 * np.ones_like(IMAGE))


def test_layers_are_joint_where_a_loss_that_is_no_layer_loss_reads_them():
    assert joint_layers(LOSSES) == []
    assert joint_layers([*LOSSES, JointLoss()]) == ["conv1_1", "conv3_1"]


ALL = GramLoss(layers=LAYERS, reference="style")


@pytest.mark.parametrize(
    "losses",
    [
        {"style": ALL, "content": ContentLoss(layers=["conv2_1"]), "smooth": TotalVariationLoss()},
        {"style": replace(ALL, smoothing="softmax", diagnostics=True)},
        {"style": ALL, "content": ContentLoss(layers=["relu2_1"])},
        {
            "transport": StrotssLoss(layers=LAYERS, samples=16, style_samples=32),
            "style": ALL,
            "smooth": TotalVariationLoss(),
        },
    ],
    ids=["layers and picture", "softmax and diagnostics", "two names of a layer", "with a joint loss"],
)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("recompute", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_gradient_of_an_objective_is_that_of_one_tape(losses, precision, recompute):
    extractor = VGG19Lite().extractor([*LAYERS, "relu2_1"], precision, recompute)
    style = tf.constant(RNG.uniform(0, 1, (1, 20, 16, 3)), tf.float32)
    objective = Objective.prepare(extractor, losses, IMAGE, [style], [1.0])
    picture = tf.constant(RNG.uniform(0, 1, IMAGE.shape), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(picture)
        total, _ = objective.values(picture)
    expected = tape.gradient(total, picture).numpy()
    evaluation = objective(picture)
    assert float(evaluation.total[0]) == pytest.approx(float(total[0]), rel=1e-5)
    error = np.linalg.norm(evaluation.gradient - expected) / np.linalg.norm(expected)
    assert error < {"float32": 1e-4, "mixed_bfloat16": 0.02, "mixed_float16": 0.02}[precision]
