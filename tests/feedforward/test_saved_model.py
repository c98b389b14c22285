"""A SavedModel split at its style vector, against the same formula in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.feedforward.saved_model import read_saved_model
from nst_tf.util.errors import InputError


def picture(height, width, seed):
    return np.random.default_rng(seed).uniform(size=(1, height, width, 3)).astype(np.float32)


def test_both_halves_match_their_formulas_in_numpy(saved_model, tiny_styliser):
    network = read_saved_model(saved_model)
    content, style = picture(29, 38, 0), picture(64, 64, 1)
    vector = network.predict(style)
    np.testing.assert_allclose(vector, tiny_styliser.predict(style), rtol=1e-5)
    expected = tiny_styliser.transfer(content, vector, coarse=True)
    assert expected.shape == (1, 32, 40, 3)
    np.testing.assert_allclose(network.transfer(content, vector), expected[:, :29, :38], rtol=1e-5)
    assert network.size is None


def test_the_halves_together_match_the_saved_model(saved_model):
    network = read_saved_model(saved_model)
    content, style = picture(16, 24, 0), picture(40, 30, 1)
    signature = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    (whole,) = signature(placeholder=content, placeholder_1=style).values()
    np.testing.assert_allclose(network.transfer(content, network.predict(style)), whole, rtol=1e-6)


def save(folder, stylise, *shapes):
    module = tf.Module()
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    tf.saved_model.save(module, str(folder), signatures=tf.function(stylise, input_signature=signature))
    return folder


PICTURE = (None, None, None, 3)


def test_a_network_without_a_style_vector_is_refused(tmp_path):
    folder = save(tmp_path / "model", lambda content, style: content + tf.image.resize(style, (8, 8)), PICTURE, PICTURE)
    with pytest.raises(InputError, match=r"^feedforward\.weights: .*no style vector"):
        read_saved_model(folder)


def test_a_model_with_one_input_is_refused(tmp_path):
    folder = save(tmp_path / "model", lambda content: 1 - content, PICTURE)
    with pytest.raises(InputError, match=r"does not make a picture from two.*arbitrary-image-stylization-v1-256$"):
        read_saved_model(folder)


def test_a_broken_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"torn")
    with pytest.raises(InputError, match=r"^feedforward\.weights: .*cannot be loaded.*unpack it again$") as error:
        read_saved_model(tmp_path)
    assert "\n" not in str(error.value)
