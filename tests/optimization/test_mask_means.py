"""Masks that are averaged along with the network's convolutions and poolings."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG19, Extractor
from nst_tf.images import Propagation, RegionMasks
from nst_tf.optimization.position_weights import LayerWeights, averaged, pooling_factors
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(6)
MASK = (RNG.uniform(size=(12, 16)) > 0.4).astype(np.float32)


def mean_network(*, branches=False):
    """Return an extractor whose convolutions average 3×3 positions, so that it computes the means itself."""

    def convolution(x, name):
        kernel = keras.initializers.Constant(1 / (9 * x.shape[-1]))
        return keras.layers.Conv2D(1, 3, padding="same", kernel_initializer=kernel, name=name)(x)

    inputs = keras.Input((None, None, 3))
    first = convolution(inputs, "first")
    pooled = keras.layers.AveragePooling2D(2)(convolution(first, "second"))
    joined = keras.layers.Add()([pooled, convolution(pooled, "side")]) if branches else pooled
    third = convolution(joined, "third")
    model = keras.Model(inputs, {"first": first, "third": third})
    return Extractor({"one": "first", "three": "third"}, model, model, [], lambda image: image)


def test_means_follow_every_convolution_and_pooling():
    network, region = mean_network(), RegionMasks("r", 1.0, MASK, {}, Propagation.means)
    expected = network(tf.constant(np.repeat(MASK[None, ..., None], 3, axis=-1)))
    weights = LayerWeights(network).of(MASK, tf.zeros([1, 12, 16, 3]), ["one", "three"], region, "content")
    for layer in ("one", "three"):
        np.testing.assert_allclose(weights[layer], expected[layer], rtol=1e-5, atol=1e-6)


def test_vgg19_averages_1_3_5_9_and_13_times_up_to_the_first_layers_of_its_stages():
    layers = [f"conv{stage}_1" for stage in range(1, 6)]
    extractor = VGG19(weights="random").extractor(layers)
    factors = [pooling_factors(extractor.model, extractor.layers[layer]) for layer in layers]
    assert [each.count(1) for each in factors] == [1, 3, 5, 9, 13]
    assert [each.count(2) for each in factors] == [0, 1, 2, 3, 4]


def test_odd_sides_are_rounded_up_and_then_fit_to_the_layer():
    constant = averaged(np.ones((13, 9), np.float32), [2, 2], (3, 2))
    np.testing.assert_allclose(constant, np.ones((3, 2)))


def test_a_network_with_branches_is_refused():
    network, region = mean_network(branches=True), RegionMasks("r", 1.0, MASK, {}, Propagation.means)
    with pytest.raises(InputError, match=r"regions.propagation=means: .* several paths to third.*propagation=simple"):
        LayerWeights(network).of(MASK, tf.zeros([1, 12, 16, 3]), ["three"], region, "content")
