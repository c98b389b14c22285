"""Tensor functions against NumPy and hand numbers."""

import numpy as np
import tensorflow as tf

from nst_tf.tensors import elements, gram, neighbour_differences, positions, squared_sum


def test_gram_is_the_matrix_product_of_features_per_picture():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    result = gram(tf.constant(x)).numpy()
    for picture, matrix in zip(x, result, strict=True):
        F = picture.reshape(12, 5)
        np.testing.assert_allclose(matrix, F.T @ F, rtol=1e-5, atol=1e-6)


def test_gram_by_hand():
    x = tf.constant([[[[1.0, 2.0]], [[3.0, -1.0]]]])  # positions (1, 2) and (3, -1)
    np.testing.assert_array_equal(gram(x), [[[10.0, -1.0], [-1.0, 5.0]]])


def test_sizes_and_squares():
    x = tf.constant(np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3))
    assert float(elements(x)) == 12
    assert float(positions(x)) == 4
    np.testing.assert_array_equal(squared_sum(x), [sum(i**2 for i in range(12)), sum(i**2 for i in range(12, 24))])


def test_neighbour_differences_by_hand():
    image = tf.constant([[[[1.0], [4.0]], [[9.0], [16.0]]]])
    down, right = neighbour_differences(image)
    np.testing.assert_array_equal(down[0, :, :, 0], [[8, 12]])
    np.testing.assert_array_equal(right[0, :, :, 0], [[3], [7]])
