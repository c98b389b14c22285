import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import preprocessing


def test_caffe_equals_numbers_computed_by_hand():
    pixel = tf.constant([[[[1.0, 0.5, 0.0]]]])  # red, green, blue
    expected = [0 - 103.939, 127.5 - 116.779, 255 - 123.68]  # blue, green, red
    np.testing.assert_allclose(preprocessing.caffe(pixel)[0, 0, 0], expected, rtol=1e-6)


def test_caffe_equals_keras_preprocess_input(image):
    expected = keras.applications.vgg19.preprocess_input(image.numpy() * 255)
    np.testing.assert_allclose(preprocessing.caffe(image), expected, rtol=1e-5, atol=1e-4)


def test_torch_equals_numbers_computed_by_hand():
    pixel = tf.constant([[[[1.0, 0.456, 0.0]]]])
    expected = [0.515 / 0.229, 0.0, -0.406 / 0.225]
    np.testing.assert_allclose(preprocessing.torch(pixel)[0, 0, 0], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("preprocess", preprocessing.PREPROCESSORS.values())
def test_preprocessing_keeps_shape_and_type(preprocess, image):
    result = preprocess(image)
    assert result.shape == image.shape
    assert result.dtype == tf.float32


def test_every_preprocessing_has_a_function():
    """A backbone replaces ``auto`` by one of the others."""
    assert set(preprocessing.PREPROCESSORS) == set(preprocessing.Preprocessing) - {preprocessing.Preprocessing.auto}
