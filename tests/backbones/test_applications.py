"""Every network of ``keras.applications`` in the table, held against Keras itself."""

import functools
import importlib
import itertools
import math

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from keras.src.utils import file_utils, naming

from nst_tf.backbones import BACKBONES, InceptionV3, MobileNet, Preprocessing, ResNet50, applications, hdf5
from nst_tf.backbones.blueprint import blueprint
from nst_tf.backbones.segments import narrow_places
from nst_tf.backbones.weights import he_normal

NETWORKS = {name: network for name, network in BACKBONES.items() if network.__module__ == applications.__name__}
LIGHT = ("resnet50", "mobilenet", "mobilenet_v3_large")
EACH = [name if name in LIGHT else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]
"""Every network; those that take long to build among the slow tests."""

TAPS = {  # of a nested network Keras gives only what lies between the inner ones
    "convnext_tiny": ("convnext_tiny_stage_0_block_0_gelu", "convnext_tiny_stage_3_block_2_identity", "stage4"),
}


def keras_function(network):
    """Keras's function, without what we set."""
    return getattr(network.application, "func", network.application)


def as_in_a_fresh_process(function, **settings):
    """Keras's own network under the names that it has where nothing else was built."""
    naming.reset_uids()
    return function(include_top=False, input_shape=(None, None, 3), **settings)


def module(network):
    return importlib.import_module(keras_function(network).__module__)


def randomize(model):
    """Give every weight a value of its own; kernels so that activations keep their size."""
    generator = np.random.default_rng(5)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([_drawn(w.shape, generator) for w in layer.get_weights()])


def _drawn(shape, generator):
    if len(shape) < 2:
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    return 0.7 * he_normal(shape, generator)


def save_legacy(model, path):
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)


def pixels(side):
    return np.random.default_rng(0).random((1, side, side + 9, 3), dtype=np.float32)


def asked(name):
    return TAPS.get(name) or [f"stage{n}" for n in range(1, len(NETWORKS[name].stages) + 1)]


def assert_close(features, expected, tolerance=1e-3):
    for tap, reference in zip(features.values(), expected, strict=True):
        assert np.isfinite(reference).all()
        assert tap.shape == reference.shape
        np.testing.assert_allclose(tap, reference, rtol=tolerance, atol=tolerance * np.abs(reference).max())


@pytest.mark.parametrize("name", EACH)
def test_files_that_keras_wrote_give_the_features_that_keras_computes(name, tmp_path):
    """Loader, names, taps and preprocessing at once; and its other kind of file holds the same."""
    backbone = NETWORKS[name]
    own = as_in_a_fresh_process(keras_function(backbone), weights=None)
    randomize(own)
    outputs = [own.get_layer(backbone().resolve(tap)).output for tap in asked(name)]
    image = pixels(76)
    expected = [x.numpy() for x in keras.Model(own.input, outputs)(module(backbone).preprocess_input(255 * image))]
    own.save_weights(tmp_path / "network.weights.h5")
    save_legacy(own, tmp_path / "network.h5")
    features = backbone(weights=str(tmp_path / "network.weights.h5")).extractor(asked(name))(tf.constant(image))
    assert_close(features, expected)
    architecture = backbone().architecture()
    values = hdf5.read(tmp_path / "network.h5", name, architecture, architecture.weighted)
    written = {layer.name: layer.get_weights() for layer in own._flatten_layers() if layer.weights}
    for layer, arrays in values.items():
        assert all(np.array_equal(*pair) for pair in zip(arrays, written[layer], strict=True))


@pytest.mark.parametrize("name", EACH)
def test_the_pretrained_file_is_the_one_that_keras_asks_for(name, monkeypatch):
    class AskedError(Exception):
        pass

    def get_file(fname, origin, cache_subdir, file_hash=None):
        raise AskedError(fname, origin, file_hash)

    monkeypatch.setattr(file_utils, "get_file", get_file)
    network = NETWORKS[name]
    with tf.Graph().as_default(), keras.StatelessScope(), pytest.raises(AskedError) as caught:
        keras_function(network)(weights="imagenet", include_top=False, input_shape=(224, 224, 3))
    file, url, checksum = caught.value.args
    published = network.pretrained
    assert (published.file, published.url) == (file, url)
    assert (published.checksum and published.checksum.partition(":")[2]) == checksum
    if checksum:
        assert published.checksum.startswith("md5:" if len(checksum) == 32 else "sha256:")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_stage_is_the_last_narrow_layer_before_the_resolution_is_halved(name):
    network, side = NETWORKS[name], 320
    model = blueprint(network.application)
    last = {}
    for place, height in narrow_places(model, side):
        operation = model.operations[place]
        if not isinstance(operation, keras.layers.InputLayer | keras.layers.ZeroPadding2D):
            last[round(math.log2(side / height))] = operation.name
    assert tuple(last.values()) == network.stages
    assert list(last) == list(range(6 - len(last), 6))
    assert network().aliases() == {f"stage{n}": stage for n, stage in enumerate(network.stages, 1)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inception_v3", "xception", "convnext_tiny", "inception_resnet_v2"])
def test_names_are_those_of_a_fresh_process_at_every_build(name):
    """Keras numbers unnamed layers through the whole process; files and users know only the first round."""
    application = NETWORKS[name].application
    with tf.Graph().as_default(), keras.StatelessScope():
        fresh = as_in_a_fresh_process(application, weights=None)
        moved = application(weights=None, include_top=False, input_shape=(None, None, 3))
    flat = [inner for layer in fresh.operations for inner in getattr(layer, "layers", [layer])]
    assert {layer.name for layer in fresh.operations} != {layer.name for layer in moved.operations}
    again = blueprint.__wrapped__(application)
    assert {x.name for x in again.operations[1:]} == {x.name for x in flat[1:]}
    kinds = {x.name: (type(x), [w.shape for w in getattr(x, "weights", [])]) for x in flat[1:]}
    assert {x.name: (type(x), [w.shape for w in getattr(x, "weights", [])]) for x in again.operations[1:]} == kinds
    assert tuple(x.name for x in again.operations[1:]) == NETWORKS[name]().architecture().layers


@pytest.mark.parametrize("name", EACH)
def test_random_networks_give_features_of_every_stage_and_a_gradient_of_the_pixels(name):
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


@pytest.mark.parametrize("name", ["resnet50", "xception", "mobilenet"])
def test_average_pooling_and_reflected_borders_in_any_network(name):
    """Shapes stay, borders change, and so does everything behind a max pooling where there is one."""
    network, taps, image = NETWORKS[name], asked(name)[:3], tf.constant(pixels(64))
    plain, mirrored, averaged = (
        network(weights="random", **settings).extractor(taps)(image)
        for settings in ({}, {"padding": "reflect"}, {"pooling": "average"})
    )
    for tap in taps:
        assert mirrored[tap].shape == averaged[tap].shape == plain[tap].shape
    assert not np.allclose(mirrored[taps[0]], plain[taps[0]]) or name == "xception"  # no padding before its stage 1
    centre = (slice(None), slice(12, -12), slice(12, -12))
    np.testing.assert_allclose(mirrored[taps[0]][centre], plain[taps[0]][centre], rtol=1e-4, atol=1e-3)
    assert np.allclose(averaged[taps[2]], plain[taps[2]]) == (name == "mobilenet")


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_rough_precisions_are_near_float32(precision):
    exact, rough = (MobileNet(weights="random").extractor(["stage3"], p) for p in ("float32", precision))
    image = tf.constant(pixels(64))
    expected, features = (tf.cast(x(image)["stage3"], tf.float32).numpy() for x in (exact, rough))
    error = np.linalg.norm(features - expected) / np.linalg.norm(expected)
    assert 1e-5 < error < 0.05


def test_all_convolutions_count():
    assert MobileNet().resolve("conv:1") == "conv1"
    assert MobileNet().resolve("conv:2") == "conv_dw_1"
    assert MobileNet().resolve("conv:27") == "conv_pw_13"
    assert len(ResNet50().architecture().convolutions) == 53
    assert len(InceptionV3().architecture().convolutions) == 94


def test_preprocessing_is_by_default_that_of_keras_weights():
    expected = {"caffe": {"resnet50"}, "torch": {"densenet121", "efficientnet_v2_b0", "convnext_tiny"}}
    for name, network in NETWORKS.items():
        mode = next((mode for mode, names in expected.items() if name in names), "tf")
        assert network().preprocessing is Preprocessing[mode]


def test_a_file_from_a_process_that_had_built_other_networks(tmp_path):
    """Its names are ``conv2d_7`` and on; then layers are known by kind and number, as Keras knows them."""
    naming.reset_uids()
    for _ in range(7):
        keras.layers.Conv2D(1, 1)
    own = keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(None, None, 3))
    randomize(own)
    own.save_weights(tmp_path / "later.weights.h5")
    image = pixels(75)
    mixed = keras.Model(own.input, own.get_layer("mixed5").output)
    features = InceptionV3(weights=str(tmp_path / "later.weights.h5")).extractor(["mixed5"])(tf.constant(image))
    assert_close(features, [mixed(2 * image - 1).numpy()])


def test_pretrained_resnet50_and_inception_are_those_of_keras(shared_weights):
    image = pixels(96)
    for network, file, taps in [
        (ResNet50, "resnet50_notop_to_conv4.weights.h5", [f"stage{n}" for n in range(1, 5)]),
        (InceptionV3, "inception_v3_notop_to_mixed8.weights.h5", ["stage1", "stage2", "stage3", "stage4", "mixed8"]),
    ]:
        path = shared_weights(file)
        own = as_in_a_fresh_process(network.application, weights=path)
        outputs = [own.get_layer(network().resolve(tap)).output for tap in taps]
        expected = keras.Model(own.input, outputs)(module(network).preprocess_input(255 * image))
        features = network(weights=path).extractor(taps)(tf.constant(image))
        assert_close(features, [x.numpy() for x in expected])
        assert all(float(tf.math.reduce_std(tap)) > 0.01 for tap in features.values())


def test_pretrained_files_that_end_early_say_so(shared_weights, refused, caplog):
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
