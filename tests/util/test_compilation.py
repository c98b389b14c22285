"""Tests that compiled functions leave nothing in TensorFlow's registry of gradients, and that graphs are freed."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from nst_tf.util.compilation import ENTRY_PREFIX, compile_function, forget_custom_gradients
from nst_tf.util.tensors import gram, neighbour_differences


def custom_gradients():
    """Return the names of the custom gradients that TensorFlow keeps."""
    return {name for name in ops.gradient_registry.list() if name.startswith(ENTRY_PREFIX)}


def loss_and_gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        vertical, horizontal = neighbour_differences(x)
        differences = tf.reduce_sum(vertical**2) + tf.reduce_sum(horizontal**2)
        value = tf.reduce_sum(gram(keras.remat(tf.square)(x))) + differences
    return value, tape.gradient(value, x)


@pytest.fixture
def image():
    return tf.constant(np.random.default_rng(0).uniform(size=(1, 4, 5, 3)).astype(np.float32))


def test_tensorflow_registers_custom_gradients_where_they_are_removed(image):
    """A plain compiled function leaves entries, and the block removes those of its own: no other, and all of them."""
    before = custom_gradients()
    tf.function(loss_and_gradient)(image)
    left = custom_gradients()
    assert len(left - before) >= 3
    with forget_custom_gradients():
        tf.function(loss_and_gradient)(image)
        assert custom_gradients() > left
    assert custom_gradients() == left


def test_a_compiled_function_leaves_no_entry_and_gives_the_gradients_of_the_eager_one(image):
    before = set(ops.gradient_registry.list())
    compiled = compile_function(loss_and_gradient)
    for x in (image, image[:, :3]):  # two traces
        for result, expected in zip(compiled(x), loss_and_gradient(x), strict=True):
            np.testing.assert_allclose(result, expected, rtol=1e-5)
    assert set(ops.gradient_registry.list()) == before


def test_an_error_while_tracing_leaves_no_entry(image):
    def failing(x):
        loss_and_gradient(x)
        raise ValueError("no")

    before = set(ops.gradient_registry.list())
    with pytest.raises(ValueError, match="no"):
        compile_function(failing)(image)
    assert set(ops.gradient_registry.list()) == before


def test_the_graph_of_a_compiled_function_is_freed_with_it(image):
    compiled = compile_function(loss_and_gradient)
    graph = weakref.ref(compiled.get_concrete_function(image).graph)
    assert graph() is not None
    del compiled
    gc.collect()
    assert graph() is None


def test_a_compiled_function_takes_the_options_of_tf_function(image):
    traces = []

    def total(x):
        traces.append(x.shape.as_list())
        return tf.reduce_sum(x)

    compiled = compile_function(total, input_signature=[tf.TensorSpec([1, None, None, 3])])
    for x in (image, image[:, :2, :3]):
        np.testing.assert_allclose(compiled(x), x.numpy().sum(), rtol=1e-6)
    assert traces == [[1, None, None, 3]]
