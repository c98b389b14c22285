"""Float16 stays within its range, and recomputed features give the same gradients."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG19, EfficientNetV2B0, InceptionV3, ResNet50, VGG19Lite
from nst_tf.backbones.float16 import FEATURE_DIVISOR
from nst_tf.optimization.network_memory import fixed_mb, needed_mb
from nst_tf.util.compilation import compile_function

LAYERS = ["conv1_1", "conv2_1", "conv3_1", "conv4_2", "conv5_1"]
PICTURE = tf.constant(np.random.default_rng(3).uniform(0, 1, (2, 32, 48, 3)), tf.float32)
NETWORKS = {
    "vgg19": VGG19(weights="random"),
    "average and reflect": VGG19(weights="random", pooling="average", padding="reflect"),
    "vgg19_lite": VGG19Lite(),
}


@pytest.fixture(scope="module")
def loss_and_gradient():
    """Function that returns the mean squares of all features, per picture, and their gradient.

    Each network is compiled once for each precision and way of keeping features. The loss is multiplied by a factor
    before its gradient is computed, and both are divided by it afterwards.
    """

    @functools.cache
    def compiled(name, precision, recompute):
        extractor = NETWORKS[name].extractor(LAYERS, precision, recompute)

        def run(factor):
            with tf.GradientTape() as tape:
                tape.watch(PICTURE)
                squares = [tf.square(tf.cast(x, tf.float32)) for x in extractor(PICTURE).values()]
                loss = factor * tf.add_n([tf.reduce_mean(square, [1, 2, 3]) for square in squares])
            return loss / factor, tape.gradient(loss, PICTURE) / factor

        return compile_function(run)

    def evaluate(name, precision="float32", recompute=False, factor=1.0):
        return [x.numpy() for x in compiled(name, precision, recompute)(tf.constant(factor))]

    return evaluate


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("factor", [1e-20, 1.0, 1e15])
@pytest.mark.parametrize("recompute", [False, True])
def test_float16_is_near_float32_for_losses_from_1e_minus_20_to_1e15(name, factor, recompute, loss_and_gradient):
    exact = loss_and_gradient(name)
    rough = loss_and_gradient(name, "mixed_float16", recompute, factor)
    np.testing.assert_allclose(rough[0], exact[0], rtol=0.01)
    for ours, true in zip(rough[1], exact[1], strict=True):
        assert np.linalg.norm(ours - true) < 0.05 * np.linalg.norm(true)


def test_float16_features_are_converted_to_float32_at_the_scale_of_float32():
    whole, float16 = (VGG19(weights="random").extractor(LAYERS, p)(PICTURE) for p in ("float32", "mixed_float16"))
    for layer in LAYERS:
        assert float16[layer].dtype == tf.float32
        np.testing.assert_allclose(
            float16[layer], whole[layer], rtol=0.05, atol=0.01 * float(tf.reduce_max(whole[layer]))
        )


def test_features_of_1e5_are_finite_in_float16():
    """The largest float16 is 65504; the features are divided by 16."""
    extractor = VGG19(weights="random").extractor(["conv1_1"], "mixed_float16")
    kernel, bias = extractor.model.get_layer("block1_conv1").get_weights()
    extractor.model.get_layer("block1_conv1").set_weights([kernel, np.full_like(bias, 1e5 / FEATURE_DIVISOR)])
    features = extractor(PICTURE)["conv1_1"].numpy()
    assert np.isfinite(features).all()
    assert features.mean() == pytest.approx(1e5, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_recomputed_features_and_gradients_are_the_same(name, precision, loss_and_gradient):
    kept = loss_and_gradient(name, precision)
    again = loss_and_gradient(name, precision, True)
    np.testing.assert_array_equal(again[0], kept[0])
    np.testing.assert_allclose(again[1], kept[1], rtol=1e-4, atol=1e-5 * np.abs(kept[1]).max())


@pytest.mark.parametrize(
    ("network", "depth"),
    [
        pytest.param(ResNet50, 5, marks=pytest.mark.slow),
        pytest.param(InceptionV3, 4, marks=pytest.mark.slow),
        (EfficientNetV2B0, 3),
    ],
)
def test_recomputed_gradients_are_the_same_through_branches(network, depth):
    layers = [f"stage{n}" for n in range(1, depth + 1)]
    kept, again = (network(weights="random").extractor(layers, recompute=recompute) for recompute in (False, True))
    assert len(again.segments) > depth - 1
    of_features = [needed_mb(extractor, 512, 512) - fixed_mb(extractor) for extractor in (kept, again)]
    assert of_features[1] < 0.8 * of_features[0]
    picture = tf.constant(np.random.default_rng(3).uniform(0, 1, (1, 64, 96, 3)), tf.float32)
    gradients = []
    for extractor in (kept, again):
        with tf.GradientTape() as tape:
            tape.watch(picture)
            loss = tf.add_n([tf.math.log(tf.reduce_mean(tf.square(x))) for x in extractor(picture).values()])
        gradients.append(tape.gradient(loss, picture).numpy())
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-3, atol=1e-4 * np.abs(gradients[0]).max())
    assert np.abs(gradients[0]).max() > 0
