import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import correlate2d

from nst_tf.backbones.surgery import Padding, Pooling, ReflectConv2D, clone_with_weights
from nst_tf.util.errors import InputError


def convolve_by_scipy(x, kernel, bias, mode):
    """Convolve (H, W, C) by SciPy after ``np.pad``, add the bias, apply the ReLU."""
    height, width = kernel.shape[:2]
    pads = [((k - 1) // 2, k - 1 - (k - 1) // 2) for k in (height, width)]
    padded = np.pad(x, [*pads, (0, 0)], mode=mode).astype(np.float64)
    maps = [
        sum(correlate2d(padded[..., i], kernel[..., i, o], mode="valid") for i in range(x.shape[-1]))
        for o in range(kernel.shape[-1])
    ]
    return np.maximum(np.stack(maps, axis=-1) + bias, 0)


def pool_by_numpy(x, reduce):
    height, width, channels = x.shape
    cells = x[: height // 2 * 2, : width // 2 * 2].reshape(height // 2, 2, width // 2, 2, channels)
    return reduce(cells, axis=(1, 3))


@pytest.mark.parametrize(
    ("padding", "mode"), [(Padding.zero, "constant"), (Padding.reflect, "reflect"), (Padding.circular, "wrap")]
)
@pytest.mark.parametrize(("pooling", "reduce"), [(Pooling.max, np.max), (Pooling.average, np.mean)])
def test_two_blocks_equal_scipy_and_numpy(tiny_model, pooling, reduce, padding, mode):
    x = np.random.default_rng(0).random((10, 13, 3)).astype("float32")  # odd width: the pooling drops a column
    expected = x
    for block in (1, 2):
        for n in (1, 2):
            kernel, bias = tiny_model.get_layer(f"block{block}_conv{n}").get_weights()
            expected = convolve_by_scipy(expected, kernel, bias, mode)
        expected = pool_by_numpy(expected, reduce)
    result = clone_with_weights(tiny_model, pooling, padding)(x[None])[0]
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("kernel_size", "dilation"), [((4, 2), 1), ((5, 3), 1), ((3, 3), 2)])
def test_reflect_padding_adds_as_many_pixels_as_same_padding(kernel_size, dilation):
    """Far from the border, reflect and zero padding agree only if both add the same number of pixels."""
    plain = keras.layers.Conv2D(2, kernel_size, padding="same", dilation_rate=dilation)
    reflected = ReflectConv2D(2, kernel_size, dilation_rate=dilation)
    x = np.random.default_rng(0).random((1, 12, 12, 3)).astype("float32")
    expected = plain(x).numpy()
    reflected.build(x.shape)
    reflected.set_weights(plain.get_weights())
    result = reflected(x).numpy()
    assert result.shape == expected.shape == reflected.compute_output_shape(x.shape)
    np.testing.assert_allclose(result[:, 4:8, 4:8], expected[:, 4:8, 4:8], rtol=1e-5, atol=1e-6)
    assert np.abs(result - expected).max() > 0.01


def test_clone_keeps_names_weights_and_outputs(tiny_model):
    cut = keras.Model(tiny_model.input, {"a": tiny_model.get_layer("block1_conv2").output})
    copy = clone_with_weights(cut, Pooling.average, Padding.reflect)
    assert [layer.name for layer in copy.layers[1:]] == ["block1_conv1", "block1_conv2"]
    assert list(copy.output) == ["a"]
    for mine, theirs in zip(copy.get_weights(), cut.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("side", [11, 12])
@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(2, 3, strides=2, padding="same"),
        keras.layers.Conv2D(2, 4, strides=3, padding="same"),
        keras.layers.DepthwiseConv2D(3, strides=2, padding="same"),
        keras.layers.DepthwiseConv2D(5, padding="same", depth_multiplier=2),
        keras.layers.SeparableConv2D(4, 3, padding="same"),
    ],
    ids=lambda layer: f"{layer.name} {layer.kernel_size[0]} {layer.strides[0]}",
)
def test_reflect_padding_equals_numpy_padding_before_a_valid_convolution(layer, side):
    """The picture is padded by NumPy and convolved without padding; sizes that a trace leaves open give the same."""
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layer(inputs))
    extent, stride = layer.kernel_size[0], layer.strides[0]
    total = max((math.ceil(side / stride) - 1) * stride + extent - side, 0)
    x = np.random.default_rng(0).random((1, side, side, 3)).astype("float32")
    amounts = (total // 2, total - total // 2)
    plain = type(layer).from_config({**layer.get_config(), "padding": "valid"})
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    expected = plain(np.pad(x, [(0, 0), amounts, amounts, (0, 0)], mode="reflect"))
    reflected = clone_with_weights(model, Pooling.max, Padding.reflect)
    np.testing.assert_allclose(reflected(x), expected, rtol=1e-5, atol=1e-6)
    traced = tf.function(reflected, input_signature=[tf.TensorSpec([None, None, None, 3])])
    np.testing.assert_allclose(traced(x), expected, rtol=1e-5, atol=1e-6)
    assert reflected.compute_output_shape((1, side, side, 3)) == expected.shape == model(x).shape


def test_reflect_padding_replaces_a_zero_padding_layer():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.ZeroPadding2D(((0, 1), (2, 3)))(inputs))
    x = np.random.default_rng(0).random((1, 5, 6, 3)).astype("float32")
    expected = np.pad(x, [(0, 0), (0, 1), (2, 3), (0, 0)], mode="reflect")
    np.testing.assert_array_equal(clone_with_weights(model, Pooling.max, Padding.reflect)(x), expected)
    assert clone_with_weights(model, Pooling.max, Padding.reflect).compute_output_shape(x.shape) == expected.shape


def test_a_pointwise_convolution_keeps_its_class():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1, padding="same")(inputs))
    assert type(clone_with_weights(model, Pooling.max, Padding.reflect).layers[1]) is keras.layers.Conv2D


@pytest.mark.parametrize(("kind", "arguments"), [("Conv2D", {"filters": 4}), ("DepthwiseConv2D", {})])
def test_a_shifted_picture_has_shifted_features_with_circular_padding(kind, arguments):
    """Stride 2 after explicit padding, as in ResNet-50: a shift by two pixels is one of one position."""
    inputs = keras.Input((None, None, 3))
    x = getattr(keras.layers, kind)(kernel_size=3, strides=2, **arguments)(keras.layers.ZeroPadding2D(1)(inputs))
    x = keras.layers.MaxPooling2D(3, 1)(keras.layers.ZeroPadding2D(1)(x))
    model = clone_with_weights(keras.Model(inputs, x), Pooling.max, Padding.circular)
    picture = np.random.default_rng(0).random((1, 12, 8, 3)).astype("float32")
    features = model(picture).numpy()
    assert features.shape[1:3] == (6, 4)
    shifted = model(np.roll(picture, (4, -2), (1, 2))).numpy()
    np.testing.assert_allclose(shifted, np.roll(features, (2, -1), (1, 2)), atol=1e-6)


def test_a_layer_that_shrinks_the_picture_is_refused_with_circular_padding():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 3, name="narrowing")(inputs), name="shrinking")
    with pytest.raises(InputError, match=r"^backbone\.padding=circular: narrowing of shrinking cannot continue"):
        clone_with_weights(model, Pooling.max, Padding.circular)
