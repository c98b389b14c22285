"""Structure, embedded weights, cost and quality of vgg19_lite."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG19, Padding, Pooling, VGG19Lite
from nst_tf.backbones.architecture import Architecture
from nst_tf.backbones.download import Embedded
from nst_tf.backbones.vgg19_lite import vgg19_lite

GATYS = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv4_2", "conv5_1"]


def multiplications(extractor, size=64):
    """Return the multiplications of all convolutions, per pixel of the picture."""
    total = 0
    for layer in extractor.model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            shape = layer.compute_output_shape((1, *input_shape(extractor, layer, size)))
            total += math.prod(layer.kernel.shape) * shape[1] * shape[2]
    return total / size**2


def input_shape(extractor, layer, size):
    """Return the shape of a layer's input for a square picture."""
    model = keras.Model(extractor.model.input, layer.input)
    return model.compute_output_shape((1, size, size, 3))[1:]


def test_architecture_equals_that_of_the_built_model():
    table, built = VGG19Lite().architecture(), Architecture.from_model(vgg19_lite())
    assert dict(table.weights) == dict(built.weights)
    assert set(table.layers) == set(built.layers)
    assert set(table.convolutions) < set(built.convolutions)


def test_layer_names_are_those_of_vgg19():
    lite, whole = VGG19Lite(), VGG19()
    for name in [*GATYS, "relu3_3", "conv4_4", "stage3", "pool2", "conv:13", "block4_conv2"]:
        assert lite.resolve(name) == whole.resolve(name)
    assert lite.resolve("stage5") == "block5_conv1"


def test_vgg19_lite_needs_at_most_an_eighth_of_vgg19s_multiplications():
    small, whole = (multiplications(network(weights="random").extractor(GATYS)) for network in (VGG19Lite, VGG19))
    assert whole == 361152
    assert small <= whole / 8


def test_defaults_are_average_pooling_and_reflect_padding():
    lite = VGG19Lite(weights="random")
    assert (lite.pooling, lite.padding) == (Pooling.average, Padding.reflect)
    classes = {type(layer).__name__ for layer in lite.extractor(["conv2_1"]).model.layers}
    assert classes == {"InputLayer", "ReflectConv2D", "AveragePooling2D", "Conv2D"}


def test_a_tap_is_an_affine_map_of_its_narrow_convolution():
    extractor = VGG19Lite(weights="random", seed=3).extractor(["conv1_1"])
    image = tf.constant(np.random.default_rng(1).random((1, 8, 9, 3), np.float32))
    narrow = keras.Model(extractor.model.input, extractor.model.get_layer("block1_narrow1").output)
    features = narrow(extractor.preprocess(image)).numpy()
    assert features.min() == 0  # its ReLU
    kernel, bias = extractor.model.get_layer("block1_conv1").get_weights()
    tap = extractor(image)["conv1_1"].numpy()
    np.testing.assert_allclose(tap, features @ kernel[0, 0] + bias, rtol=1e-3, atol=1e-3)
    assert tap.shape[-1] == features.shape[-1] + 1
    assert tap.min() < 0


def test_only_the_taps_needed_are_built():
    names = {layer.name for layer in VGG19Lite(weights="random").extractor(["conv3_1"]).model.layers}
    assert "block3_conv1" in names
    assert not names & {"block1_conv1", "block2_conv1", "block3_narrow2"}


def test_the_embedded_file_is_finite_float16_of_at_most_4_mb():
    path = VGG19Lite.pretrained.locate()
    assert path.stat().st_size <= 4_000_000
    model = VGG19Lite().extractor(GATYS).model
    for layer in model.layers:
        for weight in layer.get_weights():
            assert np.isfinite(weight).all()
            np.testing.assert_array_equal(weight, weight.astype(np.float16))


def test_identity_names_the_embedded_file():
    identity = VGG19Lite().identity()
    assert identity["weights"] == "embedded"
    assert identity["sha256"] == VGG19Lite.pretrained.sha256


def test_a_changed_embedded_file_is_an_error_of_one_line(monkeypatch, tmp_path, refused):
    path = tmp_path / "vgg19_lite.weights.h5"
    path.write_bytes(VGG19Lite.pretrained.path.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(VGG19Lite, "pretrained", Embedded(path, VGG19Lite.pretrained.sha256))
    with refused("The embedded weights", str(path), "missing or damaged", "install nst_tf again"):
        VGG19Lite().extractor(["conv1_1"])


def test_weights_of_another_network_are_an_error_of_one_line(refused, skeleton):
    with refused("Weights file", "holds 16 layers with weights instead of 26", "give a file of vgg19_lite"):
        VGG19Lite(weights=str(skeleton(VGG19().architecture()))).extractor(["conv1_1"])


@pytest.mark.parametrize(("network", "weights"), [(VGG19, "embedded"), (VGG19Lite, "imagenet")])
def test_a_weights_keyword_of_another_network_is_an_error_of_one_line(network, weights, refused):
    with refused(f"backbone.weights={weights}", network.name, network.pretrained.keyword):
        network(weights=weights).extractor(["conv1_1"])


def test_gram_distances_estimate_those_of_vgg19(shared_weights, shared):
    """Compare the Gram matrices of a photograph and a painting in both networks."""
    from nst_tf.images import Canvas, read_picture

    canvas = Canvas(size=256)
    content = canvas.content(read_picture(str(shared / "images/content/kodak19_lighthouse.png")))
    style = canvas.styles([read_picture(str(shared / "images/style/vangogh_starry_night.jpg"))], content)[0]
    weights = shared_weights("vgg19_notop.weights.h5")
    distances = []
    for network in (VGG19(weights=weights), VGG19Lite()):
        a, b = (network.extractor(GATYS)(tf.constant(x)) for x in (content, style))
        distances.append([float(tf.norm(mean_gram(a[tap]) - mean_gram(b[tap]))) for tap in GATYS])
    vgg19, lite = np.array(distances)
    np.testing.assert_allclose(lite, vgg19, rtol=0.35)
    np.testing.assert_allclose(lite[:2], vgg19[:2], rtol=0.05)


def mean_gram(x):
    F = tf.reshape(x, [-1, x.shape[-1]])
    return tf.matmul(F, F, transpose_a=True) / len(F)
