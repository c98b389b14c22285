"""`WinogradConv2D` gives the values and the gradient of a plain convolution, for pictures of any size."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG19, surgery, winograd
from nst_tf.backbones.surgery import Padding, Pooling, clone_with_weights
from nst_tf.backbones.transposed_conv import TransposedConv2D
from nst_tf.backbones.winograd import WinogradConv2D
from nst_tf.system.runtime import ConvolutionMethod

SIZES = [(8, 8), (7, 6), (1, 1), (13, 5), (4, 9)]
"""Heights and widths with and without a remainder by 4."""

DEEP = {f"block{b}_conv{n}" for b, n in ((3, 2), (3, 3), (3, 4), (4, 1), (4, 2), (4, 3), (4, 4), (5, 1))}
"""Layers of VGG-19 with at least 256 input channels, up to conv5_1."""


def values_and_gradient(function, x):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = function(x)
        loss = tf.reduce_sum(y**3)
    return y.numpy(), tape.gradient(loss, x).numpy()


def random(*shape):
    return tf.constant(np.random.default_rng(sum(shape)).normal(size=shape), tf.float32)


def assert_close(results, expected):
    for result, reference in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, reference, atol=1e-5 * np.abs(reference).max())


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_winograd_equals_the_plain_convolution(size, batch):
    x, kernel = random(batch, *size, 5), random(3, 3, 5, 7)
    transformed = winograd.transform_kernel(kernel)
    expected = values_and_gradient(lambda x: tf.nn.conv2d(x, kernel, 1, "SAME"), x)
    assert_close(values_and_gradient(lambda x: winograd.convolve(x, transformed), x), expected)
    unknown_sides = tf.TensorSpec([None, None, None, 5])
    traced = tf.function(lambda x: winograd.convolve(x, transformed), input_signature=[unknown_sides])
    assert_close(values_and_gradient(traced, x), expected)


def test_a_tile_by_hand():
    """A single 1 gives the kernel around it, turned by half a turn."""
    x = np.zeros((1, 4, 4, 1), np.float32)
    x[0, 1, 1, 0] = 1
    kernel = np.arange(1, 10, dtype=np.float32).reshape(3, 3, 1, 1)
    y = winograd.convolve(tf.constant(x), winograd.transform_kernel(tf.constant(kernel)))[0, :, :, 0].numpy()
    np.testing.assert_allclose(y[:3, :3], [[9, 8, 7], [6, 5, 4], [3, 2, 1]], atol=1e-5)
    np.testing.assert_allclose([*y[3], *y[:, 3]], 0, atol=1e-5)


@pytest.mark.parametrize("prepared", [False, True])
def test_the_layer_has_bias_and_activation_of_a_plain_one(prepared):
    layers = [kind(4, 3, padding="same", activation="relu") for kind in (keras.layers.Conv2D, WinogradConv2D)]
    for layer in layers:
        layer.build((None, None, None, 3))
        layer.set_weights([random(3, 3, 3, 4).numpy(), random(4).numpy()])
    if prepared:
        layers[1].prepare_kernel()
    x = random(2, 9, 6, 3)
    expected, results = (values_and_gradient(layer, x) for layer in layers)
    assert_close(results, expected)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="a GPU computes plain convolutions")
@pytest.mark.parametrize("recompute", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_network_computes_its_wide_convolutions_by_winograd(recompute):
    layers = ["conv3_1", "conv5_1"]
    backbone = VGG19(weights="random")
    extractors = {
        method: backbone.extractor(layers, recompute=recompute, convolution=method)
        for method in (ConvolutionMethod.plain, ConvolutionMethod.transposed, ConvolutionMethod.winograd)
    }
    classes = {method: classes_of(extractor.model) for method, extractor in extractors.items()}
    assert classes[ConvolutionMethod.plain] == {}
    assert classes[ConvolutionMethod.transposed] == dict.fromkeys(DEEP, TransposedConv2D)
    assert classes[ConvolutionMethod.winograd] == dict.fromkeys(DEEP | {"block3_conv1"}, WinogradConv2D)
    picture = tf.constant(np.random.default_rng(0).uniform(size=(1, 37, 50, 3)), tf.float32)
    for layer in layers:
        plain, _, fast = (
            values_and_gradient(lambda x, name=layer, extractor=extractor: extractor(x)[name], picture)
            for extractor in extractors.values()
        )
        assert_close(fast, plain)


def classes_of(model):
    replaced = TransposedConv2D | WinogradConv2D
    return {layer.name: type(layer) for layer in model.layers if isinstance(layer, replaced)}


def test_networks_in_training_and_in_bfloat16_have_plain_convolutions():
    trainable = clone_with_weights(keras.applications.VGG19(weights=None, include_top=False), Pooling.max, Padding.zero)
    assert classes_of(trainable) == {}
    half = VGG19(weights="random").extractor(["conv5_1"], "mixed_bfloat16", convolution=ConvolutionMethod.winograd)
    assert classes_of(half.model) == {}


@pytest.mark.parametrize(
    ("options", "methods"),
    [
        ({}, {"transposed", "winograd"}),
        ({"kernel_size": (5, 3)}, {"transposed"}),
        ({"filters": 64}, {"transposed"}),
        ({"strides": 2}, set()),
        ({"dilation_rate": 2}, set()),
        ({"groups": 2}, set()),
        ({"padding": "valid"}, set()),
        ({"kernel_size": 1}, set()),
    ],
)
def test_methods_that_a_layer_supports(options, methods):
    layer = keras.layers.Conv2D(**({"filters": 256, "kernel_size": 3, "padding": "same"} | options))
    layer(keras.Input((None, None, 256)))
    assert {method.value for method in surgery.supported_methods(layer)} == methods


def test_a_narrow_layer_with_many_filters_supports_winograd_alone():
    layer = keras.layers.Conv2D(256, 3, padding="same")
    layer(keras.Input((None, None, 128)))
    assert surgery.supported_methods(layer) == (ConvolutionMethod.winograd,)


def test_a_layer_without_a_method_falls_back():
    plain, transposed, fast = (
        ConvolutionMethod.plain,
        ConvolutionMethod.transposed,
        ConvolutionMethod.winograd,
    )
    assert [fast.for_layer(each) for each in ([], [transposed], [fast], [transposed, fast])] == [
        plain,
        transposed,
        fast,
        fast,
    ]
    assert [transposed.for_layer(each) for each in ([], [fast], [transposed, fast])] == [plain, plain, transposed]
    assert plain.for_layer([transposed, fast]) is plain
