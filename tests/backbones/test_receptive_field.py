"""Receptive fields of layers: published tables, arithmetic by hand, and pixels that change a feature."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import BACKBONES, VGG19, Padding
from nst_tf.backbones.receptive_field import AxisField, receptive_fields, wraps_around
from nst_tf.backbones.symbolic import symbolic_model
from nst_tf.util.errors import InputError

VGG_FIELDS = {
    "conv1_1": (1, 1, 3),
    "conv2_1": (2, 4, 10),
    "conv3_1": (4, 10, 24),
    "conv4_1": (8, 30, 68),
    "conv4_2": (8, 38, 84),
    "conv5_1": (16, 70, 156),
    "conv5_4": (16, 118, 252),
}
"""Stride, reach and size of the receptive fields of VGG-19's layers, as its architecture gives them by hand."""

REACHES = [1, 2, 4, 6, 10, 14, 18, 22, 30, 38, 46, 54, 70, 86, 102, 118]
"""Reach of each convolution of VGG-19 in turn."""


def test_the_fields_of_vgg19_are_those_of_the_table():
    network = VGG19(weights="random")
    fields = receptive_fields(symbolic_model(VGG19.application))
    for layer, expected in VGG_FIELDS.items():
        for axis in fields[network.resolve(layer)]:
            assert (axis.stride, axis.reach, axis.size) == expected, layer
    assert [fields[name].vertical.reach for name in network.architecture().convolutions] == REACHES


def test_vgg19_lite_has_the_fields_of_vgg19():
    lite, whole = (symbolic_model(BACKBONES[name].application) for name in ("vgg19_lite", "vgg19"))
    narrow, wide = receptive_fields(lite), receptive_fields(whole)
    convolutions = BACKBONES["vgg19_lite"]().architecture().convolutions
    assert len(convolutions) == 13
    assert all(narrow[name] == wide[name] for name in convolutions)


def test_a_reach_is_counted_beyond_the_cell_of_the_side_that_sees_more():
    assert AxisField(4, -3, 9).reach == 6
    assert AxisField(4, -3, 9).size == 13
    assert AxisField(2, 0, 1).reach == 0


def test_the_outputs_of_a_built_network_have_the_fields_of_their_layers():
    model = VGG19(weights="random", padding=Padding.reflect).extractor(["conv1_2", "conv2_1"]).model
    fields = receptive_fields(model)
    assert {name: fields[name].vertical for name in model.output} == {
        "block1_conv2": AxisField(1, -2, 2),
        "block2_conv1": AxisField(2, -4, 5),
    }


SLOW_NETWORKS = ["resnet50", "inception_v3", "convnext_tiny", "densenet121", "xception"]


@pytest.mark.parametrize("name", ["mobilenet", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_NETWORKS)])
def test_only_pixels_of_its_receptive_field_change_a_feature(name):
    """The gradient of one feature at the middle of the picture is 0 outside of the field."""
    extractor = BACKBONES[name](weights="random").extractor(["stage3"])
    field = receptive_fields(extractor.model)[extractor.layers["stage3"]]
    image = tf.constant(np.random.default_rng(0).uniform(size=(1, 189, 187, 3)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(image)
        features = extractor(image)["stage3"]
        row, column = features.shape[1] // 2, features.shape[2] // 2
        value = tf.reduce_sum(features[0, row, column])
    seen = np.abs(tape.gradient(value, image).numpy()[0]).sum(-1) > 0
    for axis, position, size in zip(field, (row, column), image.shape[1:3], strict=True):
        pixels = np.flatnonzero(seen.any(1 if axis is field.vertical else 0))
        first, last = position * axis.stride + axis.first, position * axis.stride + axis.last
        assert pixels.min() >= max(0, first)
        assert pixels.max() <= min(size - 1, last)
        assert len(pixels) >= 0.6 * min(axis.size, size)


@pytest.mark.parametrize("name", [pytest.param("efficientnet_v2_b0", marks=pytest.mark.slow), "mobilenet_v3_large"])
def test_a_network_that_averages_over_the_picture_has_no_receptive_fields(name):
    with pytest.raises(InputError, match=r"GlobalAveragePooling2D\) combines all positions") as error:
        receptive_fields(symbolic_model(BACKBONES[name].application))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("padding", [*Padding])
def test_circular_padding_alone_wraps_around(padding):
    model = VGG19(weights="random", padding=padding).extractor(["conv1_1"]).model
    assert wraps_around(model) is (padding is Padding.circular)
