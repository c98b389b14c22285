"""Wide convolutions by the detour over the mirrored kernel: the same values, the same gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG19, transposed_conv
from nst_tf.backbones.surgery import Padding, Pooling, rebuild
from nst_tf.backbones.transposed_conv import TransposedConv2D

SIZES = [(3, 3), (5, 3)]


def pair(kernel_size, settled):
    """A plain convolution and the other one, with the same random weights, built for three channels."""
    layers = [
        kind(4, kernel_size, padding="same", activation="relu") for kind in (keras.layers.Conv2D, TransposedConv2D)
    ]
    generator = np.random.default_rng(0)
    for layer in layers:
        layer.build((None, None, None, 3))
    weights = [generator.normal(size=w.shape).astype("float32") for w in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    if settled:
        layers[1].finalize_kernels()
    return layers


def values_and_gradient(layer, x):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(y**3)
    return y, tape.gradient(loss, x)


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("kernel_size", SIZES)
def test_equals_the_plain_convolution(kernel_size, settled):
    x = tf.constant(np.random.default_rng(1).normal(size=(2, 7, 6, 3)), tf.float32)
    plain, other = (values_and_gradient(layer, x) for layer in pair(kernel_size, settled))
    for expected, result in zip(plain, other, strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


def test_is_taken_where_it_pays_and_only_by_frozen_networks():
    model = VGG19(weights="random").extractor(["conv5_1"]).model
    wide = {layer.name for layer in model.layers if isinstance(layer, TransposedConv2D)}
    on_cpu = not tf.config.list_physical_devices("GPU")
    deep = {f"block{b}_conv{n}" for b, n in ((3, 2), (3, 3), (3, 4), (4, 1), (4, 2), (4, 3), (4, 4), (5, 1))}
    assert wide == (deep if on_cpu else set())
    trainable = rebuild(keras.applications.VGG19(weights=None, include_top=False), Pooling.max, Padding.zero)
    assert not any(isinstance(layer, TransposedConv2D) for layer in trainable.layers)
    assert trainable.trainable_variables


@pytest.mark.parametrize(
    "options", [{"strides": 2}, {"dilation_rate": 2}, {"groups": 2}, {"padding": "valid"}, {"kernel_size": 1}]
)
def test_other_kinds_of_convolutions_keep_the_plain_route(options, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    x = keras.Input((None, None, transposed_conv.WIDE))
    usual = {"filters": 4, "kernel_size": 3, "padding": "same"}
    plain, other = keras.layers.Conv2D(**usual), keras.layers.Conv2D(**(usual | options))
    plain(x), other(x)
    assert transposed_conv.is_faster_transposed(plain, "float32")
    assert not transposed_conv.is_faster_transposed(plain, "bfloat16")
    assert not transposed_conv.is_faster_transposed(other, "float32")
