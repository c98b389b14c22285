"""The nearest neighbour by cosine, against NumPy on the whole matrix."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.util import nearest
from nst_tf.util.nearest import cosine, nearest_cosine, unit

RNG = np.random.default_rng(5)
QUERIES, KEYS = RNG.normal(size=(23, 6)), RNG.normal(size=(31, 6)) + 0.5


def cosines(queries, keys):
    """Return all cosines (N, M) in float64."""
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, keys))
    return a @ b.T


@pytest.mark.parametrize("bound", [1, 7, 50, 200, 23 * 31, 2**24])
def test_the_nearest_key_is_that_of_the_largest_cosine_for_every_size_of_tile(bound):
    index, value = nearest_cosine(tf.constant(QUERIES, tf.float32), tf.constant(KEYS, tf.float32), bound)
    expected = cosines(QUERIES, KEYS)
    np.testing.assert_array_equal(index, expected.argmax(1))
    np.testing.assert_allclose(value, expected.max(1), rtol=1e-5)
    assert (index.dtype, value.dtype) == (tf.int32, tf.float32)


def test_means_are_subtracted_before_the_comparison():
    means = QUERIES.mean(0), KEYS.mean(0)
    index, value = nearest_cosine(
        *(tf.constant(x, tf.float32) for x in (QUERIES, KEYS)),
        64,
        query_mean=tf.constant(means[0], tf.float32),
        key_mean=tf.constant(means[1], tf.float32),
    )
    expected = cosines(QUERIES - means[0], KEYS - means[1])
    np.testing.assert_array_equal(index, expected.argmax(1))
    np.testing.assert_allclose(value, expected.max(1), rtol=1e-5)


def test_vectors_of_half_precision_are_compared_in_float32():
    halves = [tf.constant(x, tf.bfloat16) for x in (QUERIES, KEYS)]
    index, value = nearest_cosine(*halves, 100)
    expected = cosines(*(x.numpy().astype(np.float64) for x in halves))
    np.testing.assert_array_equal(index, expected.argmax(1))
    np.testing.assert_allclose(value, expected.max(1), rtol=1e-5)


def test_a_compiled_search_of_unknown_sizes_equals_the_eager_one():
    spec = tf.TensorSpec([None, 6], tf.float32)
    compiled = tf.function(lambda a, b: nearest_cosine(a, b, 100), input_signature=[spec, spec])
    given = [tf.constant(x, tf.float32) for x in (QUERIES, KEYS)]
    for one, other in zip(compiled(*given), nearest_cosine(*given, 100), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("bound", [5, 64, 600])
def test_no_product_has_more_entries_than_the_bound(bound, monkeypatch):
    products, matmul = [], tf.matmul

    def record(*args, **kwargs):
        products.append(matmul(*args, **kwargs))
        return products[-1]

    monkeypatch.setattr(nearest.tf, "matmul", record)
    nearest_cosine(tf.constant(QUERIES, tf.float32), tf.constant(KEYS, tf.float32), bound)
    entries = [np.prod(product.shape) for product in products]
    assert max(entries) <= bound
    assert sum(entries) == len(QUERIES) * len(KEYS)


def test_of_equal_cosines_the_first_key_wins_and_zeros_have_the_cosine_zero():
    keys = tf.constant([[2.0, 0], [1.0, 0], [0, 1.0], [4.0, 0]])
    for bound in (1, 4, 100):
        index, value = nearest_cosine(tf.constant([[3.0, 0], [0, 0], [0, 5.0]]), keys, bound)
        np.testing.assert_array_equal(index, [0, 0, 2])
        np.testing.assert_allclose(value, [1, 0, 1])


def test_the_search_has_no_gradient_and_the_cosine_of_pairs_has():
    a, b = tf.constant(QUERIES, tf.float32), tf.constant(KEYS[:23], tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(a)
        found = nearest_cosine(a, b, 50)[1]
        pairs = cosine(a, b)
    assert tape.gradient(found, a) is None
    np.testing.assert_allclose(pairs, np.diag(cosines(QUERIES, KEYS[:23])), rtol=1e-4)
    ua, ub = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (QUERIES, KEYS[:23]))
    expected = (ub - (ua * ub).sum(1, keepdims=True) * ua) / np.linalg.norm(QUERIES, axis=1, keepdims=True)
    np.testing.assert_allclose(tape.gradient(pairs, a), expected, rtol=1e-3, atol=1e-6)


def test_short_vectors_are_divided_by_the_floor():
    np.testing.assert_allclose(unit(tf.constant([[3e-5, 4e-5], [3.0, 4.0]]), 1e-8), [[0.3, 0.4], [0.6, 0.8]], rtol=1e-6)
