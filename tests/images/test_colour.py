import numpy as np
import pytest
from skimage.color import rgb2yiq, yiq2rgb

from nst_tf.images import colour


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    mix = np.array([[0.9, 0.1, 0.0], [0.3, 0.4, 0.2], [0.1, 0.0, 0.5]])
    style = rng.uniform(0, 1, (1, 20, 30, 3))
    content = rng.normal(0.5, 0.1, (1, 25, 10, 3)) @ mix
    return style.astype(np.float32), content.astype(np.float32)


def covariance(image):
    return np.cov(image.reshape(-1, 3).astype(np.float64), rowvar=False)


def test_luminance_of_the_primaries_is_their_weight():
    image = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]], np.float32)
    np.testing.assert_allclose(colour.luminance(image)[0, :, 0], [0.299, 0.587, 0.114, 1], atol=1e-6)
    np.testing.assert_array_equal(colour.grey(image)[..., 2], colour.luminance(image)[..., 0])


def test_with_luminance_matches_scikit_images_yiq_conversion(pair):
    image = pair[0]
    colours = np.random.default_rng(1).random(image.shape, dtype=np.float32)
    yiq = rgb2yiq(colours)
    yiq[..., 0] = rgb2yiq(image)[..., 0]
    np.testing.assert_allclose(colour.with_luminance(colours, image), yiq2rgb(yiq), atol=1e-3)


def test_a_pictures_own_luminance_restores_its_colours(pair):
    style = pair[0]
    np.testing.assert_allclose(colour.with_luminance(style, colour.grey(style)), style, atol=1e-6)


def test_match_moments_gives_the_contents_mean_and_deviation(pair):
    style, content = pair
    result = colour.match_moments(style, content)
    assert result.shape == style.shape
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean((0, 1, 2)), content.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(result.std((0, 1, 2)), content.std((0, 1, 2)), atol=1e-5)
    # The scale is positive, so the order of the values is kept.
    np.testing.assert_array_equal(np.argsort(result[..., 0].ravel()), np.argsort(style[..., 0].ravel()))


def test_match_moments_turns_a_constant_into_the_contents_mean(pair):
    result = colour.match_moments(np.full((1, 4, 4, 3), 0.3, np.float32), pair[1])
    np.testing.assert_allclose(result, np.broadcast_to(pair[1].mean((0, 1, 2)), result.shape), atol=1e-6)


def test_match_covariance_gives_the_contents_mean_and_covariance(pair):
    style, content = pair
    result = colour.match_covariance(style, content)
    assert result.shape == style.shape
    assert result.dtype == np.float32
    n, m = style[..., 0].size, content[..., 0].size
    np.testing.assert_allclose(result.mean((0, 1, 2)), content.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(
        covariance(result) * (n - 1) / n, covariance(content) * (m - 1) / m, rtol=1e-3, atol=1e-6
    )


def test_match_covariance_of_a_picture_with_itself_changes_nothing(pair):
    np.testing.assert_allclose(colour.match_covariance(pair[0], pair[0]), pair[0], atol=1e-5)


def test_match_covariance_of_independent_channels_scales_each_by_its_deviation():
    # Independent channels make A diagonal, with the ratios of the deviations.
    signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], np.float32)
    style, content = 0.5 + 0.1 * signs, 0.4 + np.float32([0.2, 0.1, 0.05]) * signs
    np.testing.assert_allclose(colour.match_covariance(style, content), content, atol=1e-6)


@pytest.mark.parametrize(
    "style", [np.full((1, 8, 8, 3), 0.3), np.repeat(np.random.default_rng(0).random((1, 8, 8, 1)), 3, -1)]
)
def test_match_covariance_of_a_flat_or_grey_style_is_bounded(style, pair):
    result = colour.match_covariance(style.astype(np.float32), pair[1])
    np.testing.assert_allclose(result.mean((0, 1, 2)), pair[1].mean((0, 1, 2)), atol=1e-5)
    assert np.abs(result).max() < 3


def test_match_histogram_gives_the_contents_values_in_the_styles_order():
    rng = np.random.default_rng(0)
    content = rng.random((1, 12, 12, 3), dtype=np.float32)
    style = rng.random((1, 12, 12, 3), dtype=np.float32) ** 3
    result = colour.match_histogram(style, content)
    assert result.dtype == np.float32
    for c in range(3):
        np.testing.assert_allclose(np.sort(result[..., c].ravel()), np.sort(content[..., c].ravel()), atol=1e-6)
        np.testing.assert_array_equal(np.argsort(result[..., c].ravel()), np.argsort(style[..., c].ravel()))


def test_match_covariance_does_not_amplify_the_rounding_noise_of_a_grey_style(pair):
    rng = np.random.default_rng(0)
    style = rng.random((1, 20, 20, 1)) + rng.normal(0, 0.0005, (1, 20, 20, 3))
    spread = np.linalg.eigvalsh(covariance(colour.match_covariance(style.astype(np.float32), pair[1])))
    assert spread[2] > 1e-3
    np.testing.assert_allclose(spread[:2], 0, atol=1e-8)
