import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import VGG16, VGG19
from nst_tf.backbones.surgery import Padding, Pooling
from nst_tf.backbones.transposed_conv import TransposedConv2D

NAMES = [
    "conv1_1",
    "relu2_1",
    "conv4_2",
    "block4_conv2",
    "block3_pool",
    "pool1",
    "conv:13",
    "stage4",
    "pool5",
]


def keras_model(extractor, network):
    """Return Keras's own network with the extractor's weights."""
    model = network.application(weights=None, include_top=False, input_shape=(None, None, 3))
    for layer in extractor.model.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())
    return model


@pytest.fixture(scope="module")
def extractor():
    return VGG19(weights="random").extractor(NAMES)


def test_features_equal_those_of_keras(extractor, image):
    own = keras_model(extractor, VGG19)
    outputs = [own.get_layer(VGG19().resolve(name)).output for name in NAMES]
    pixels = keras.applications.vgg19.preprocess_input(image.numpy() * 255)
    expected = keras.Model(own.input, outputs)(pixels)
    features = extractor(image)
    assert list(features) == NAMES
    for name, tensor in zip(NAMES, expected, strict=True):
        np.testing.assert_allclose(features[name], tensor, rtol=1e-3, atol=1e-3 * np.abs(tensor).max())
        assert features[name].shape == tensor.shape


def test_layers_map_the_names_given_to_keras_names(extractor):
    assert extractor.layers["conv4_2"] == extractor.layers["block4_conv2"] == "block4_conv2"
    assert list(extractor.layers) == NAMES


def test_pretrained_features_equal_those_of_keras(shared_weights, image):
    path = shared_weights("vgg19_notop.weights.h5")
    own = keras.applications.VGG19(weights=path, include_top=False, input_shape=(None, None, 3))
    pixels = keras.applications.vgg19.preprocess_input(image.numpy() * 255)
    expected = keras.Model(own.input, own.get_layer("block5_conv1").output)(pixels)
    features = VGG19(weights=path).extractor(["conv5_1"])(image)["conv5_1"]
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_the_model_ends_at_the_deepest_layer_needed():
    model = VGG16(weights="random").extractor(["conv1_1", "stage2"]).model
    assert [layer.name for layer in model.layers[1:]] == [
        "block1_conv1",
        "block1_conv2",
        "block1_pool",
        "block2_conv1",
        "block2_conv2",
    ]


def test_default_network_has_only_layer_classes_of_keras(extractor):
    classes = {type(layer) for layer in extractor.model.layers}
    classes.discard(TransposedConv2D)  # test_transposed_conv.py checks its values
    assert classes == {keras.layers.InputLayer, keras.layers.Conv2D, keras.layers.MaxPooling2D}
    assert extractor.model.get_layer("block1_conv1").activation is keras.activations.relu


def test_the_model_has_no_trainable_variables(extractor):
    assert extractor.model.trainable_variables == []


def test_without_layers_there_are_no_features_and_no_weights_are_read(image):
    assert VGG19(weights="nowhere.h5").extractor([])(image) == {}


def test_a_traced_extractor_serves_every_size_and_equals_eager_execution():
    extractor = VGG19(weights="random").extractor(["conv2_1", "pool2"])
    traces = []

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def traced(picture):
        traces.append(1)
        return extractor(picture)

    for height, width in [(32, 40), (37, 51)]:
        picture = tf.random.stateless_uniform((2, height, width, 3), [height, width])
        features = traced(picture)
        assert features["conv2_1"].shape == (2, height // 2, width // 2, 128)
        assert features["pool2"].shape == (2, height // 4, width // 4, 128)
        scale = float(tf.reduce_max(features["pool2"]))
        np.testing.assert_allclose(features["pool2"], extractor(picture)["pool2"], atol=1e-5 * scale)
    assert len(traces) == 1


@pytest.mark.parametrize("padding", list(Padding))
@pytest.mark.parametrize("pooling", list(Pooling))
def test_gradient_matches_a_finite_difference(pooling, padding):
    extractor = VGG19(weights="random", pooling=pooling, padding=padding).extractor(["conv2_1"])
    generator = np.random.default_rng(1)
    image = generator.random((1, 8, 8, 3), dtype=np.float32)

    def energy(picture):
        features = tf.cast(extractor(picture)["conv2_1"], tf.float64)
        return tf.reduce_sum(features * features)

    with tf.GradientTape() as tape:
        x = tf.constant(image)
        tape.watch(x)
        value = energy(x)
    gradient = tape.gradient(value, x)
    nudge = np.zeros_like(image)
    nudge[0, 3, 4, 1] = 1e-3
    finite = (energy(tf.constant(image + nudge)) - energy(tf.constant(image - nudge))) / 2e-3
    np.testing.assert_allclose(gradient[0, 3, 4, 1], finite, rtol=2e-2)


@pytest.mark.parametrize(
    ("layers", "padding", "minimum"),
    [
        (["conv1_1"], "zero", 1),
        (["conv1_1"], "reflect", 2),
        (["conv5_1"], "zero", 16),
        (["conv5_1"], "reflect", 32),
        (["pool5"], "reflect", 32),
    ],
)
def test_minimum_size_is_the_smallest_size_with_features(layers, padding, minimum, refused):
    extractor = VGG16(weights="random", padding=padding).extractor(layers)
    assert extractor.minimum_size == minimum
    assert extractor(tf.zeros((1, minimum, minimum, 3)))[layers[0]].shape[1] >= 1
    with refused(f"Picture of {minimum}×{minimum - 1} pixels is too small", f"at least {minimum}"):
        extractor(tf.zeros((1, minimum - 1, minimum, 3)))


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("padding", ["zero", "reflect"])
def test_bfloat16_features_are_near_those_in_float32(pooling, padding, image):
    """bfloat16 has 8 bits of precision: a relative error of about 2^-8 per layer. The gradient is in float32."""
    backbone = VGG19(weights="random", pooling=pooling, padding=padding)
    exact, rough = (backbone.extractor(["conv3_1"], p) for p in ("float32", "mixed_bfloat16"))
    picture = tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(picture)
        features = rough(picture)["conv3_1"]
        total = tf.reduce_sum(tf.cast(features, tf.float32))
    assert features.dtype == tf.bfloat16
    assert tape.gradient(total, picture).dtype == tf.float32
    assert {weight.dtype for weight in rough.model.weights} == {"bfloat16"}
    expected = exact(picture)["conv3_1"].numpy()
    error = np.linalg.norm(tf.cast(features, tf.float32).numpy() - expected) / np.linalg.norm(expected)
    assert 1e-5 < error < 0.02
