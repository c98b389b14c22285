"""The convolutions that are timed for a network: their shapes by hand, their cost, and the estimated seconds."""

import math
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG19, InceptionV3, MobileNet, VGG19Lite
from nst_tf.backbones.workload import Convolution, Normalization, Part, Workload
from nst_tf.system.runtime import ConvolutionMethod

LAYERS = ["conv1_1", "conv4_2", "conv5_1"]
SMALL = Convolution((3, 3), (256, 4), 1, (6, 5), methods=(ConvolutionMethod.transposed,))


def test_vgg19_is_timed_by_the_convolutions_that_take_four_fifths_of_its_work():
    workload = VGG19(weights="random").workload(LAYERS, 256, 256)
    shapes = {(convolution.channels, convolution.size): count for convolution, count in workload.operations}
    assert shapes == {
        **{((256, 256), (64, 64)): 3, ((512, 512), (32, 32)): 3},
        **{((64, 64), (256, 256)): 1, ((128, 128), (128, 128)): 1},
    }
    # The whole network has 361152 multiplications per pixel, each with an addition.
    work = sum(count * convolution.operations for convolution, count in workload.operations)
    assert 0.8 <= work / (2 * 361152 * 256**2) < 0.85
    assert workload.methods == {ConvolutionMethod.transposed, ConvolutionMethod.winograd}


def test_reflect_padding_and_narrow_networks_have_no_transposable_convolution():
    assert not VGG19(weights="random", padding="reflect").workload(LAYERS, 64, 64).methods
    assert not VGG19Lite().workload(LAYERS, 64, 64).methods


def test_depthwise_convolutions_and_normalisations_belong_to_the_workload():
    operations = dict(MobileNet(weights="random").workload(["stage3"], 128, 128).operations)
    assert operations[Convolution((3, 3), (32, 32), 1, (64, 64), depthwise=True)] == 1
    assert operations[Normalization(32, (64, 64))] == 2  # of the first convolution and of the first depthwise one


def test_the_timed_calls_of_a_normalisation_scale_and_activate():
    calls = Normalization(3, (4, 5)).calls("bfloat16")
    assert calls["forward"]().shape == calls["backward"]().shape == (1, 4, 5, 3)
    assert float(calls["forward"]()[0, 0, 0, 0]) == 0.5 * 0.5 + 0.5
    assert float(calls["backward"]()[0, 0, 0, 0]) == 0.5 * 0.5


def test_operations_are_two_for_each_product():
    assert SMALL.operations == 2 * 9 * 256 * 4 * 30
    assert Convolution((3, 3), (8, 8), 1, (4, 4), depthwise=True).operations == 2 * 9 * 8 * 16


def test_a_large_convolution_is_timed_on_a_part_of_its_input():
    whole = Convolution((3, 3), (64, 64), 1, (512, 256))
    part = whole.cropped()
    assert part.size[0] == pytest.approx(2 * part.size[1], abs=1)
    assert part.operations == pytest.approx(1e9, rel=0.03)
    assert SMALL.cropped() == SMALL
    fast = replace(whole, methods=(ConvolutionMethod.winograd,))
    assert fast.cropped().operations == pytest.approx(5e9, rel=0.03)


def test_a_plain_workload_has_no_transposed_call_and_its_own_largest_operation():
    large = Convolution((3, 3), (64, 64), 1, (512, 256))
    workload = Workload(((SMALL, 3), (large, 1)))
    plain = workload.plain(largest=2e10)
    assert not plain.methods
    assert [count for _, count in plain.operations] == [3, 1]
    assert large.cropped(2e10) == large
    measured = {Part(n, way, "float16"): 0.5 for n in (0, 1) for way in ("forward", "backward")}
    assert plain.seconds(measured, "float16") == 3 * 1.0 + 1.0  # nothing is scaled
    small = Workload(((SMALL, 1),)).plain(largest=1e4)
    assert {part.way for part in small.candidates(["float32", "float16"])} == {"forward", "backward"}


@pytest.mark.parametrize("stride", [1, 2])
def test_the_timed_calls_compute_a_convolution_forward_and_backward(stride):
    methods = (ConvolutionMethod.transposed, ConvolutionMethod.winograd) if stride == 1 else ()
    convolution = Convolution((3, 3), (256, 4), stride, (4, 5), methods=methods)
    calls = convolution.calls("float32")
    by_method = {"forward, transposed", "forward, winograd", "backward, winograd"}
    assert set(calls) == {"forward", "backward"} | (by_method if methods else set())
    forward = calls["forward"]().numpy()
    assert forward.shape == (1, 4, 5, 4)
    np.testing.assert_allclose(forward[0, 1, 1], 9 * 256 * 0.5 * 0.01, rtol=1e-4)
    assert calls["backward"]().shape == (1, 4 * stride, 5 * stride, 256)
    if methods:
        for method in methods:
            np.testing.assert_allclose(calls[f"forward, {method.value}"](), forward, rtol=1e-4)
        np.testing.assert_allclose(calls["backward, winograd"](), calls["backward"](), rtol=1e-4)


def test_the_timed_calls_of_a_depthwise_convolution_compute_in_bfloat16():
    calls = Convolution((3, 3), (8, 8), 1, (4, 4), depthwise=True).calls("bfloat16")
    assert set(calls) == {"forward", "backward"}
    forward = calls["forward"]()
    assert (forward.dtype, forward.shape) == (tf.bfloat16, (1, 4, 4, 8))
    assert float(forward[0, 1, 1, 0]) == pytest.approx(9 * 0.5 * 0.01, rel=0.01)
    assert calls["backward"]().shape == (1, 4, 4, 8)


def test_the_seconds_of_a_network_are_the_sum_over_its_layers():
    large = Convolution((3, 3), (64, 64), 1, (512, 256))
    workload = Workload(((SMALL, 3), (large, 1)))
    scale = large.operations / large.cropped().operations
    measured = {
        **{Part(0, "forward", "float32"): 0.5, Part(0, "forward, transposed", "float32"): 0.25},
        **{Part(0, "backward", "float32"): 1.0},
        **{Part(1, "forward", "float32"): 0.1, Part(1, "backward", "float32"): 0.2},
        **{Part(0, "forward", "bfloat16"): 0.1, Part(0, "backward", "bfloat16"): 0.1},
    }
    assert workload.seconds(measured, "float32") == pytest.approx(3 * 1.5 + scale * 0.3)
    assert workload.seconds(measured, "float32", ConvolutionMethod.transposed) == pytest.approx(3 * 1.25 + scale * 0.3)
    by_winograd = workload.seconds(measured, "float32", ConvolutionMethod.winograd)
    assert by_winograd == pytest.approx(3 * 1.25 + scale * 0.3)  # which no layer supports
    assert math.isinf(workload.seconds(measured, "bfloat16"))  # the second one could not be computed


def test_a_picture_below_the_smallest_side_is_timed_at_that_side():
    backbone = InceptionV3(weights="random")
    small, least = (backbone.workload(["stage5"], side, side) for side in (64, 75))
    assert small.operations == least.operations
