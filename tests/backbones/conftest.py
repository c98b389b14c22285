"""Fixtures of the backbones' tests: a tiny network declared like VGG, weights files and a picture."""

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import Backbone
from nst_tf.backbones.download import Pretrained
from nst_tf.util.errors import InputError


def pytest_itemcollected(item):
    """Ignore NumPy 2's warning when Keras 3.15 saves weights by ``np.array(variable)``; only tests save."""
    item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy"))


def tiny_application(weights=None, include_top=False, input_shape=(None, None, 3)):
    inputs = x = keras.Input(input_shape)
    for block, filters in enumerate((4, 5), 1):
        for n in (1, 2):
            layer = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv{n}")
            x = layer(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(inputs, x, name="tiny")


@dataclass
class Tiny(Backbone):
    name: ClassVar[str] = "tiny"
    application = staticmethod(tiny_application)
    pretrained: ClassVar[Pretrained] = Pretrained("tiny.h5", "http://127.0.0.1:9/tiny.h5", "md5:" + "0" * 32)

    def aliases(self):
        return {"conv1_1": "block1_conv1", "conv2_2": "block2_conv2", "stage1": "block1_conv2"}


@pytest.fixture
def tiny():
    """The class of a network with four small convolutions and no table of its architecture."""
    return Tiny


@pytest.fixture
def tiny_model():
    """The tiny network with random kernels and biases."""
    keras.utils.set_random_seed(0)
    model = tiny_application()
    generator = np.random.default_rng(3)
    model.set_weights([generator.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    return model


@pytest.fixture
def refused():
    """Expect an InputError of one line that contains each of the texts."""

    @contextlib.contextmanager
    def expect(*texts):
        with pytest.raises(InputError, match=re.escape(texts[0])) as caught:
            yield
        message = str(caught.value)
        assert "\n" not in message
        assert all(text in message for text in texts), message

    return expect


@pytest.fixture
def skeleton(tmp_path):
    """Write a Keras 3 file with every dataset of an architecture but no data: kernels read as zeros."""

    def write(architecture, name="skeleton.weights.h5"):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for (class_key, index), (layer, shapes) in zip(
                architecture.by_class_and_number, architecture.weights, strict=True
            ):
                group = file.create_group(f"layers/{class_key}_{index}/vars" if index else f"layers/{class_key}/vars")
                group.attrs["name"] = layer
                for n, shape in enumerate(shapes):
                    group.create_dataset(str(n), shape, "float32")
        return path

    return write


@pytest.fixture
def shared_weights():
    """Find a file of pretrained weights in the folder NST_TF_SHARED, or skip the test."""
    folder = os.environ.get("NST_TF_SHARED")

    def find(name):
        if not folder:
            pytest.skip("NST_TF_SHARED is not set: no pretrained weights")
        path = Path(folder) / "weights" / name
        if not path.is_file():
            pytest.skip(f"NST_TF_SHARED has no {name}")
        return str(path)

    return find


@pytest.fixture(scope="session")
def image():
    """A noise picture whose sides differ, so that swapped axes change the shape."""
    return tf.constant(np.random.default_rng(0).random((1, 32, 48, 3), dtype=np.float32))
