"""Every network of ``keras.applications`` in the table, compared with Keras itself."""

import functools
import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import BACKBONES, InceptionV3, MobileNet, Preprocessing, ResNet50, applications, hdf5
from nst_tf.backbones.segments import cut_points
from nst_tf.backbones.symbolic import symbolic_model
from nst_tf.backbones.weights import he_normal

NETWORKS = {name: network for name, network in BACKBONES.items() if network.__module__ == applications.__name__}
EACH = [name if name == "mobilenet" else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]
"""Every network; all but one take long to build and are slow tests."""
HEAVY = ("inception_resnet_v2", "convnext_tiny", "densenet121")
"""Networks whose layers alone take seconds to create."""

TAPS = {  # Keras's own model has no outputs inside the nested models
    "convnext_tiny": ("convnext_tiny_stage_0_block_0_gelu", "convnext_tiny_stage_3_block_2_identity", "stage4"),
}


def keras_function(network):
    """Return the function of ``keras.applications``, without the arguments that the backbone sets."""
    return getattr(keras.applications, network.application.name)


def build_first(function, **settings):
    """Build Keras's own network with the layer names of a process that has built no other network."""
    keras.utils.clear_session()
    return function(include_top=False, input_shape=(None, None, 3), **settings)


KERAS_MODULES = {
    "densenet121": "densenet",
    "efficientnet_v2_b0": "efficientnet_v2",
    "convnext_tiny": "convnext",
    "mobilenet_v3_large": "mobilenet_v3",
}
"""Module of ``keras.applications`` by backbone, where the names differ."""


def keras_preprocess(network, image):
    """Convert RGB in [0, 1] by Keras's own function."""
    module = getattr(keras.applications, KERAS_MODULES.get(network.name, network.name))
    return module.preprocess_input(255 * image)


def flat_layers(model):
    """Yield all layers, those of nested models included."""
    for layer in model.layers:
        yield from flat_layers(layer) if hasattr(layer, "layers") else [layer]


def randomize(model):
    """Give every weight another random value, kernels such that activations keep their size."""
    generator = np.random.default_rng(5)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([_drawn(w.shape, generator) for w in layer.get_weights()])


def _drawn(shape, generator):
    if len(shape) < 2:
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    return 0.7 * he_normal(shape, generator)


def pixels(side):
    return np.random.default_rng(0).random((1, side, side + 9, 3), dtype=np.float32)


def taps(name):
    return TAPS.get(name) or [f"stage{n}" for n in range(1, len(NETWORKS[name].stages) + 1)]


def assert_close(features, expected, tolerance=1e-3):
    for tap, reference in zip(features.values(), expected, strict=True):
        assert np.isfinite(reference).all()
        assert tap.shape == reference.shape
        np.testing.assert_allclose(tap, reference, rtol=tolerance, atol=tolerance * np.abs(reference).max())


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_files_written_by_keras_give_the_features_that_keras_computes(name, tmp_path):
    """Layer names, preprocessing and loading together; the legacy layout gives the same weights."""
    backbone = NETWORKS[name]
    own = build_first(keras_function(backbone), weights=None)
    randomize(own)
    outputs = [own.get_layer(backbone().resolve(tap)).output for tap in taps(name)]
    image = pixels(76)
    expected = [x.numpy() for x in keras.Model(own.input, outputs)(keras_preprocess(backbone, image))]
    own.save_weights(tmp_path / "network.weights.h5")
    own.save(tmp_path / "network.h5")
    features = backbone(weights=str(tmp_path / "network.weights.h5")).extractor(taps(name))(tf.constant(image))
    assert_close(features, expected)
    architecture = backbone().architecture()
    values = hdf5.read(tmp_path / "network.h5", name, architecture, architecture.layers_with_weights)
    written = {layer.name: layer.get_weights() for layer in flat_layers(own) if layer.weights}
    for layer, arrays in values.items():
        assert all(np.array_equal(*pair) for pair in zip(arrays, written[layer], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in HEAVY else name for name in NETWORKS]
)
def test_a_stage_is_the_last_cut_point_before_the_resolution_is_halved(name):
    network, side = NETWORKS[name], 320
    model = symbolic_model(network.application)
    last = {}
    for position, height in cut_points(model, side):
        operation = model.operations[position]
        if not isinstance(operation, keras.layers.InputLayer | keras.layers.ZeroPadding2D):
            last[round(math.log2(side / height))] = operation.name
    assert tuple(last.values()) == network.stages
    assert list(last) == list(range(6 - len(last), 6))
    assert network().aliases() == {f"stage{n}": stage for n, stage in enumerate(network.stages, 1)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inception_v3", "xception", "convnext_tiny", "inception_resnet_v2"])
def test_layer_names_are_those_of_the_first_build_at_every_build(name):
    """Keras numbers unnamed layers through the whole process; files and users know the numbers of the first build."""
    application = NETWORKS[name].application
    keras.utils.clear_session()
    with tf.Graph().as_default(), keras.StatelessScope():
        first, second = (application(weights=None, include_top=False, input_shape=(None, None, 3)) for _ in range(2))
    flat = [inner for layer in first.operations for inner in getattr(layer, "layers", [layer])]
    assert {layer.name for layer in first.operations} != {layer.name for layer in second.operations}
    again = symbolic_model.__wrapped__(application)
    assert {x.name for x in again.operations[1:]} == {x.name for x in flat[1:]}
    expected = {x.name: (type(x), [w.shape for w in getattr(x, "weights", [])]) for x in flat[1:]}
    assert {x.name: (type(x), [w.shape for w in getattr(x, "weights", [])]) for x in again.operations[1:]} == expected
    assert tuple(x.name for x in again.operations[1:]) == NETWORKS[name]().architecture().layers


@pytest.mark.parametrize("name", EACH)
def test_random_networks_have_features_at_every_stage_and_a_gradient_at_most_pixels(name):
    stages = [f"stage{n}" for n in range(1, len(NETWORKS[name].stages) + 1)]
    extractor = NETWORKS[name](weights="random").extractor(stages)
    image = tf.constant(pixels(max(76, extractor.minimum_size)))
    with tf.GradientTape() as tape:
        tape.watch(image)
        features = extractor(image)
        loss = tf.add_n([tf.math.log(tf.reduce_mean(tf.square(x))) for x in features.values()])
    gradient = tape.gradient(loss, image).numpy()
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient) > 0).mean() > 0.9
    assert all(after.shape[1] < before.shape[1] for before, after in itertools.pairwise(features.values()))
    assert all(0.05 < float(tf.math.reduce_std(x)) < 1e6 for x in features.values())
    assert extractor.model.trainable_variables == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "xception", "mobilenet"])
def test_reflect_padding_changes_borders_and_average_pooling_changes_features_after_a_max_pooling(name):
    """Shapes stay the same; MobileNet has no max pooling."""
    network, stages, image = NETWORKS[name], taps(name)[:3], tf.constant(pixels(64))
    plain, reflected, averaged = (
        network(weights="random", **settings).extractor(stages)(image)
        for settings in ({}, {"padding": "reflect"}, {"pooling": "average"})
    )
    for tap in stages:
        assert reflected[tap].shape == averaged[tap].shape == plain[tap].shape
    assert (
        not np.allclose(reflected[stages[0]], plain[stages[0]]) or name == "xception"
    )  # no padding before its stage 1
    centre = (slice(None), slice(12, -12), slice(12, -12))
    np.testing.assert_allclose(reflected[stages[0]][centre], plain[stages[0]][centre], rtol=1e-4, atol=1e-3)
    assert np.allclose(averaged[stages[2]], plain[stages[2]]) == (name == "mobilenet")


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precisions_are_near_float32(precision):
    exact, half = (MobileNet(weights="random").extractor(["stage3"], p) for p in ("float32", precision))
    image = tf.constant(pixels(64))
    expected, features = (tf.cast(x(image)["stage3"], tf.float32).numpy() for x in (exact, half))
    error = np.linalg.norm(features - expected) / np.linalg.norm(expected)
    assert 1e-5 < error < 0.05


def test_conv_n_counts_full_and_depthwise_convolutions():
    assert MobileNet().resolve("conv:1") == "conv1"
    assert MobileNet().resolve("conv:2") == "conv_dw_1"
    assert MobileNet().resolve("conv:27") == "conv_pw_13"
    assert len(ResNet50().architecture().convolutions) == 53
    assert len(InceptionV3().architecture().convolutions) == 94


def test_default_preprocessing_is_that_of_keras_weights():
    expected = {"caffe": {"resnet50"}, "torch": {"densenet121", "efficientnet_v2_b0", "convnext_tiny"}}
    for name, network in NETWORKS.items():
        mode = next((mode for mode, names in expected.items() if name in names), "tf")
        assert network().preprocessing is Preprocessing[mode]


@pytest.mark.slow
def test_a_file_with_shifted_layer_numbers_is_matched_by_class_and_number(tmp_path):
    """A process that had built seven convolutions wrote it, so its first layer is ``conv2d_7``."""
    keras.utils.clear_session()
    for _ in range(7):
        keras.layers.Conv2D(1, 1)
    own = keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(None, None, 3))
    randomize(own)
    own.save_weights(tmp_path / "later.weights.h5")
    image = pixels(75)
    mixed = keras.Model(own.input, own.get_layer("mixed5").output)
    features = InceptionV3(weights=str(tmp_path / "later.weights.h5")).extractor(["mixed5"])(tf.constant(image))
    assert_close(features, [mixed(2 * image - 1).numpy()])


def test_pretrained_features_of_resnet50_and_inception_equal_those_of_keras(shared_weights):
    image = pixels(96)
    for network, file, layers in [
        (ResNet50, "resnet50_notop_to_conv4.weights.h5", [f"stage{n}" for n in range(1, 5)]),
        (InceptionV3, "inception_v3_notop_to_mixed8.weights.h5", ["stage1", "stage2", "stage3", "stage4", "mixed8"]),
    ]:
        path = shared_weights(file)
        own = build_first(network.application, weights=path)
        outputs = [own.get_layer(network().resolve(tap)).output for tap in layers]
        expected = keras.Model(own.input, outputs)(keras_preprocess(network, image))
        features = network(weights=path).extractor(layers)(tf.constant(image))
        assert_close(features, [x.numpy() for x in expected])
        assert all(float(tf.math.reduce_std(tap)) > 0.01 for tap in features.values())


def test_a_pretrained_file_without_the_deepest_layers_is_an_error_that_names_them(shared_weights, refused, caplog):
    resnet = functools.partial(ResNet50, weights=shared_weights("resnet50_notop_to_conv4.weights.h5"))
    with refused("zeros in place of filters in conv5_block1", "backbone.missing_weights=random"):
        resnet().extractor(["stage5"])
    mixed = resnet(missing_weights="random").extractor(["stage5"])
    assert "random filters take their place" in caplog.text
    assert (mixed.model.get_layer("conv5_block2_1_bn").get_weights()[3] == 1).all()
    assert not (mixed.model.get_layer("conv4_block6_1_bn").get_weights()[3] == 1).all()
    inception = InceptionV3(weights=shared_weights("inception_v3_notop_to_mixed8.weights.h5"))
    with refused("zeros in place of filters in conv2d_81;", "set backbone.missing_weights=random"):
        inception.extractor(["mixed9"])
