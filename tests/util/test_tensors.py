"""Tests of the tensor functions against NumPy and numbers computed by hand."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.util.tensors import (
    elements,
    gram,
    host_array,
    neighbour_differences,
    positions,
    reciprocal,
    rows,
    squared_sum,
)


def test_gram_is_the_matrix_product_of_features_per_picture():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    result = gram(tf.constant(x)).numpy()
    for picture, matrix in zip(x, result, strict=True):
        F = picture.reshape(12, 5)
        np.testing.assert_allclose(matrix, F.T @ F, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_the_gradient_of_gram_equals_the_gradient_of_the_plain_product(dtype):
    """The upstream gradient is not symmetric."""
    generator = np.random.default_rng(1)
    x = tf.cast(generator.normal(size=(2, 8, 16, 4)), dtype)
    upstream = tf.constant(generator.normal(size=(2, 4, 4)), tf.float32)
    F = tf.cast(tf.reshape(x, [2, 128, 4]), tf.float32)
    expected = tf.matmul(F, upstream + tf.linalg.matrix_transpose(upstream))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(upstream * gram(x))
    result = tf.reshape(tape.gradient(value, x), F.shape)
    np.testing.assert_allclose(tf.cast(result, tf.float32), expected, rtol=0.03, atol=0.05 if dtype.size == 2 else 1e-4)


@pytest.mark.parametrize("shape", [(1, 96, 128, 8), (2, 31, 7, 5), (1, 4, 4, 32)])
def test_gram_of_bfloat16_features_is_summed_in_float32(shape):
    """The error stays below 2⁻¹¹, a quarter of a bfloat16's 2⁻⁹, with blocks of positions and without."""
    x = tf.cast(np.abs(np.random.default_rng(2).normal(size=shape)), tf.bfloat16)
    F = x.numpy().astype(np.float64).reshape(shape[0], -1, shape[-1])
    expected = np.einsum("bmn,bmk->bnk", F, F)
    result = gram(x)
    assert result.dtype == tf.float32
    assert np.linalg.norm(result - expected) < 2**-11 * np.linalg.norm(expected)


def test_gram_of_two_positions_equals_the_matrix_computed_by_hand():
    x = tf.constant([[[[1.0, 2.0]], [[3.0, -1.0]]]])  # positions (1, 2) and (3, -1)
    np.testing.assert_array_equal(gram(x), [[[10.0, -1.0], [-1.0, 5.0]]])


def test_elements_positions_and_squared_sum_of_a_known_array():
    x = tf.constant(np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3))
    assert float(elements(x)) == 12
    assert float(positions(x)) == 4
    np.testing.assert_array_equal(squared_sum(x), [sum(i**2 for i in range(12)), sum(i**2 for i in range(12, 24))])


def test_rows_lists_the_positions_of_each_picture_in_float32():
    x = np.arange(24).reshape(2, 2, 2, 3)
    result = rows(tf.constant(x, tf.bfloat16))
    assert result.dtype == tf.float32
    np.testing.assert_array_equal(result, x.reshape(2, 4, 3))


def test_reciprocal_of_zero_is_one():
    np.testing.assert_array_equal(reciprocal(tf.constant([4.0, 0.0, -0.5])), [0.25, 1.0, -2.0])


def test_neighbour_differences_equal_those_computed_by_hand():
    image = tf.constant([[[[1.0], [4.0]], [[9.0], [16.0]]]])
    down, right = neighbour_differences(image)
    np.testing.assert_array_equal(down[0, :, :, 0], [[8, 12]])
    np.testing.assert_array_equal(right[0, :, :, 0], [[3], [7]])


def test_the_gradient_of_neighbour_differences_equals_the_one_computed_by_hand():
    """The function is ``Σ w Δ`` with another weight for each difference."""
    image = tf.constant(np.random.default_rng(0).normal(size=(1, 3, 2, 1)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(image)
        down, right = neighbour_differences(image)
        value = tf.reduce_sum(down * [[[[1.0], [2.0]], [[3.0], [4.0]]]]) + tf.reduce_sum(
            right * [[[[10.0]], [[20.0]], [[30.0]]]]
        )
    np.testing.assert_array_equal(
        tape.gradient(value, image)[0, :, :, 0], [[-1 - 10, -2 + 10], [1 - 3 - 20, 2 - 4 + 20], [3 - 30, 4 + 30]]
    )


def test_a_host_array_keeps_its_values_when_the_variable_changes():
    variable = tf.Variable([[1.0, 2.0]])
    array = host_array(variable)
    assert not array.flags.owndata
    tf.function(lambda: variable.assign(3 * variable))()
    variable.assign_add([[1.0, 1.0]])
    np.testing.assert_array_equal(array, [[1, 2]])
    np.testing.assert_array_equal(variable.numpy(), [[4, 7]])
