"""`TransposedConv2D` gives the values and the gradient of a plain convolution, and only where it is faster."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG19
from nst_tf.backbones.surgery import Padding, Pooling, clone_with_weights
from nst_tf.backbones.transposed_conv import TransposedConv2D

KERNEL_SIZES = [(3, 3), (5, 3)]


def plain_and_transposed(kernel_size, cached):
    """Return a plain and a transposed convolution of three channels with the same random weights."""
    layers = [
        layer_class(4, kernel_size, padding="same", activation="relu")
        for layer_class in (keras.layers.Conv2D, TransposedConv2D)
    ]
    generator = np.random.default_rng(0)
    for layer in layers:
        layer.build((None, None, None, 3))
    weights = [generator.normal(size=w.shape).astype("float32") for w in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    if cached:
        layers[1].prepare_kernel()
    return layers


def values_and_gradient(layer, x):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(y**3)
    return y, tape.gradient(loss, x)


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("kernel_size", KERNEL_SIZES)
def test_transposed_convolution_equals_the_plain_one(kernel_size, cached):
    x = tf.constant(np.random.default_rng(1).normal(size=(2, 7, 6, 3)), tf.float32)
    plain, transposed = (values_and_gradient(layer, x) for layer in plain_and_transposed(kernel_size, cached))
    for expected, result in zip(plain, transposed, strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


def test_only_wide_convolutions_of_frozen_networks_are_transposed_and_only_on_cpus():
    model = VGG19(weights="random").extractor(["conv5_1"]).model
    wide = {layer.name for layer in model.layers if isinstance(layer, TransposedConv2D)}
    on_cpu = not tf.config.list_physical_devices("GPU")
    deep = {f"block{b}_conv{n}" for b, n in ((3, 2), (3, 3), (3, 4), (4, 1), (4, 2), (4, 3), (4, 4), (5, 1))}
    assert wide == (deep if on_cpu else set())
    trainable = clone_with_weights(keras.applications.VGG19(weights=None, include_top=False), Pooling.max, Padding.zero)
    assert not any(isinstance(layer, TransposedConv2D) for layer in trainable.layers)
    assert trainable.trainable_variables
