"""HistoGAN's colour distance against its equations in loops, and against SciPy's bilinear resampling."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from nst_tf.evaluation import histogan
from nst_tf.evaluation.histogan import HistoGAN, uv_distance, uv_histogram
from nst_tf.images import Picture

RNG = np.random.default_rng(4)


def histogram_by_loops(pixels):
    """Compute the histogram pixel by pixel and bin by bin."""
    bins, counts = [-3 + 6 * n / 63 for n in range(64)], np.zeros((3, 64, 64))
    for pixel in pixels.astype(np.float64).reshape(-1, 3):
        intensity = (sum(value**2 for value in pixel) + 1e-6) ** 0.5
        for channel, others in enumerate([(1, 2), (0, 2), (0, 1)]):
            u, v = (np.log((pixel[channel] + 1e-6) / (pixel[other] + 1e-6)) for other in others)
            for i, j in itertools.product(range(64), range(64)):
                weight = 1 / (1 + ((u - bins[i]) / 0.02) ** 2) / (1 + ((v - bins[j]) / 0.02) ** 2)
                counts[channel, i, j] += intensity * weight
    return counts / (counts.sum() + 1e-6)


@pytest.mark.parametrize("chunk", [3, 8192])
def test_the_histogram_equals_its_equations_in_chunks_of_any_size(chunk, monkeypatch):
    monkeypatch.setattr(histogan, "CHUNK", chunk)
    picture = RNG.uniform(size=(2, 4, 3)).astype(np.float32)
    picture[0, 0] = 0  # black: all ratios are 1
    np.testing.assert_allclose(uv_histogram(picture), histogram_by_loops(picture), rtol=1e-6, atol=1e-12)


def test_a_larger_picture_is_resized_to_256_without_antialiasing():
    picture = RNG.uniform(size=(300, 270, 3)).astype(np.float32)
    rows, columns = ((np.arange(256) + 0.5) * side / 256 - 0.5 for side in picture.shape[:2])
    grid = np.meshgrid(rows, columns, indexing="ij")
    resized = [map_coordinates(picture[..., c], grid, order=1, mode="nearest") for c in range(3)]
    np.testing.assert_allclose(histogan._resized(picture), np.stack(resized, axis=-1), atol=1e-5)


def test_the_distance_is_0_for_equal_colours_and_1_for_histograms_that_do_not_meet():
    picture = RNG.uniform(size=(8, 9, 3)).astype(np.float32)
    shuffled = RNG.permutation(picture.reshape(-1, 3)).reshape(9, 8, 3)
    assert uv_distance(uv_histogram(picture), uv_histogram(shuffled)) == pytest.approx(0, abs=1e-6)
    x, y = np.zeros((2, 3, 64, 64))
    x[0, 1, 2] = y[1, 3, 4] = 1
    assert uv_distance(x, y) == pytest.approx(1)
    x[0, 1, 2], x[1, 3, 4] = 0.64, 0.36  # √: 0.8 and 0.6 against 0 and 1
    assert uv_distance(x, y) == pytest.approx(np.sqrt((0.8**2 + 0.4**2) / 2))


def test_the_score_is_the_mean_over_the_styles_by_their_shares():
    picture, *styles = (RNG.uniform(size=(6, 6, 3)).astype(np.float32) ** power for power in (1, 2, 3))
    distances = [uv_distance(uv_histogram(picture), uv_histogram(style)) for style in styles]
    received = HistoGAN().score(picture, None, [Picture(style) for style in styles], [0.25, 0.75])
    assert received == pytest.approx(0.25 * distances[0] + 0.75 * distances[1])
    assert HistoGAN().score(picture, picture, [], []) is None
