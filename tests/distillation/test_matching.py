"""Errors between student and teacher, against NumPy and hand numbers."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.distillation import matching


@pytest.fixture
def pair():
    """Features of two pictures from a student and from a teacher."""
    generator = np.random.default_rng(2)
    return [generator.normal(size=(2, 5, 4, 3)).astype(np.float32) for _ in range(2)]


def numpy_gram(F):
    rows = F.reshape(-1, F.shape[-1]).astype(np.float64)
    return rows.T @ rows / len(rows)


def test_feature_error_is_relative_and_per_picture(pair):
    F, T = pair
    expected = [((f - t) ** 2).sum() / (t**2).sum() for f, t in zip(F, T, strict=True)]
    np.testing.assert_allclose(matching.feature_error(*map(tf.constant, pair)), expected, rtol=1e-5)


def test_mean_gram_matches_numpy_to_bfloat16(pair):
    expected = [numpy_gram(F) for F in pair[0]]
    np.testing.assert_allclose(matching.mean_gram(tf.constant(pair[0])), expected, atol=0.02)


def test_gram_error_is_the_mean_error_of_matrices_and_of_their_differences(pair):
    G, T = (np.array([numpy_gram(F) for F in features]) for features in pair)
    own = [((g - t) ** 2).sum() / (t**2).sum() for g, t in zip(G, T, strict=True)]
    dG, dT = G[0] - G[1], T[0] - T[1]
    between = [((dG - dT) ** 2).sum() / ((dT**2).sum() + 0.1 * (t**2).sum()) for t in T]
    expected = 0.5 * np.array(own) + 0.5 * np.array(between)
    np.testing.assert_allclose(matching.gram_error(*map(tf.constant, pair)), expected, rtol=0.03)


def test_errors_are_0_for_equal_features_and_1_for_features_of_0(pair):
    T = tf.constant(pair[1])
    np.testing.assert_array_equal(matching.feature_error(T, T), [0, 0])
    np.testing.assert_array_equal(matching.gram_error(T, T), [0, 0])
    np.testing.assert_array_equal(matching.feature_error(0 * T, T), [1, 1])


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 0.0), (7.0, 0.0), (-2.0, 2.0)])
def test_direction_error_depends_on_the_sign_and_not_on_the_length(factor, expected, pair):
    g = tf.constant(pair[0])
    np.testing.assert_allclose(matching.direction_error(factor * g, g), [expected] * 2, atol=1e-5)


def test_direction_error_of_orthogonal_gradients_is_1():
    a, b = np.zeros((2, 1, 2, 2, 3), np.float32)
    a[..., 0], b[..., 1] = 3, 5
    np.testing.assert_allclose(matching.direction_error(tf.constant(a), tf.constant(b)), [1.0])


@pytest.mark.parametrize("size", [8, 36, 37, 128, 192])
def test_subsampling_keeps_a_regular_grid_of_at_most_the_allowed_positions(size):
    rows = np.broadcast_to(np.arange(size)[None, :, None, None], (1, size, size, 1))
    kept = matching.subsample(tf.constant(rows.astype(np.float32)))[0, :, 0, 0].numpy()
    assert len(kept) ** 2 <= matching.MAX_POSITIONS * 1.2
    assert len(np.unique(np.diff(kept))) == 1
    assert size > 36 or len(kept) == size


def test_apply_head_is_an_affine_map(pair):
    head = np.random.default_rng(4).normal(size=(4, 6)).astype(np.float32)
    expected = pair[0] @ head[:-1] + head[-1]
    np.testing.assert_allclose(
        matching.apply_head(tf.constant(pair[0]), tf.constant(head)), expected, rtol=1e-4, atol=1e-5
    )


def test_the_transfer_loss_is_the_weighted_sum_of_relative_content_and_style():
    generator = np.random.default_rng(9)
    picture, photograph, painting = (
        {tap: generator.normal(size=(2, 4, 5, 3)).astype(np.float32) for tap in matching.COMPARED_LAYERS}
        for _ in range(3)
    )
    weight = np.array([0.5, 2.0], np.float32)
    F, P = picture["conv4_2"], photograph["conv4_2"]
    content = ((F - P) ** 2).sum((1, 2, 3)) / (P**2).sum((1, 2, 3))
    style = np.zeros(2)
    for n, tap in itertools.product(range(2), matching.STYLE_LAYERS):
        G, A = numpy_gram(picture[tap][n]), numpy_gram(painting[tap][n])
        style[n] += ((G - A) ** 2).sum() / (A**2).sum() / 5
    found = matching.transfer_loss(picture, tf.constant(P), matching.style_grams(painting), tf.constant(weight))
    np.testing.assert_allclose(found, weight * content + style, rtol=0.02)  # Gram matrices in bfloat16
