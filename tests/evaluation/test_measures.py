"""Measures without a network against hand numbers, NumPy and the papers' formulas."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance

from nst_tf.evaluation.measures import histogram, histogram_distance, ssim, total_variation

RNG = np.random.default_rng(5)
PICTURE = RNG.integers(0, 256, (24, 30, 3)).astype(np.float32) / 255
OTHER = (RNG.integers(0, 256, (17, 13, 3)) // 3).astype(np.float32) / 255


def ssim_by_formula(x, y):
    """Compute equation 13 of Wang et al. 2004 on the luminances of YIQ, away from the border."""
    x, y = (0.299 * z[..., 0] + 0.587 * z[..., 1] + 0.114 * z[..., 2] for z in (x.astype(float), y.astype(float)))

    def mean(z):
        return gaussian_filter(z, 1.5, truncate=3.5)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    index = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return index[5:-5, 5:-5].mean()


def test_ssim_matches_its_formula():
    other = np.clip(PICTURE + 0.2 * RNG.normal(size=PICTURE.shape), 0, 1).astype(np.float32)
    assert ssim(other, PICTURE) == pytest.approx(ssim_by_formula(other, PICTURE), rel=1e-5)
    assert 0.1 < ssim(other, PICTURE) < 0.95


def test_ssim_is_1_with_the_picture_itself_and_negative_with_its_negative():
    assert ssim(PICTURE, PICTURE) == pytest.approx(1)
    assert ssim(1 - PICTURE, PICTURE) < -0.5


def test_ssim_depends_on_the_luminance_alone():
    grey = np.repeat((PICTURE @ np.array([0.299, 0.587, 0.114], np.float32))[..., None], 3, axis=-1)
    assert ssim(grey, PICTURE) == pytest.approx(1, abs=1e-6)


def test_the_histogram_counts_the_pixels_of_each_level():
    counts = histogram(PICTURE)
    assert counts.sum(1).tolist() == [24 * 30] * 3
    assert counts[1, 7] == (np.rint(255 * PICTURE[..., 1]) == 7).sum()


def test_the_histogram_distance_is_scipys_over_all_pixels():
    expected = np.mean([wasserstein_distance(PICTURE[..., c].ravel(), OTHER[..., c].ravel()) for c in range(3)])
    assert histogram_distance(histogram(PICTURE), histogram(OTHER)) == pytest.approx(expected, rel=1e-6)


def test_the_histogram_distance_is_the_area_between_the_distribution_functions():
    x, y = histogram(PICTURE), histogram(OTHER)
    F, G = (np.cumsum(counts, axis=1) / counts.sum(1, keepdims=True) for counts in (x, y))
    assert histogram_distance(x, y) == pytest.approx(np.abs(F - G).sum(1).mean() / 255, abs=1e-12)


@pytest.mark.parametrize(
    ("colour", "distance"),
    [((0, 0, 0), 0.0), ((255, 255, 255), 1.0), ((51, 0, 0), 0.2 / 3), ((51, 102, 153), (0.2 + 0.4 + 0.6) / 3)],
)
def test_the_histogram_distance_from_black_is_the_mean_value(colour, distance):
    black, flat = np.zeros((4, 5, 3), np.float32), np.full((7, 3, 3), colour, np.float32) / 255
    assert histogram_distance(histogram(black), histogram(flat)) == pytest.approx(distance, abs=1e-12)
    assert histogram_distance(histogram(flat), histogram(black)) == pytest.approx(distance, abs=1e-12)


def test_the_histogram_distance_of_shuffled_pixels_is_0():
    shuffled = RNG.permutation(PICTURE.reshape(-1, 3)).reshape(PICTURE.shape)
    assert histogram_distance(histogram(PICTURE), histogram(shuffled)) == 0


def test_total_variation_is_0_when_flat_1_for_stripes_and_2_for_a_checkerboard():
    def grey(values):
        return np.repeat(values[..., None], 3, axis=-1).astype(np.float32)

    rows, columns = np.indices((6, 8))
    assert total_variation(grey(0.3 + 0 * rows)) == 0
    assert total_variation(grey(columns % 2)) == 1  # one direction alone
    assert total_variation(grey((rows + columns) % 2)) == 2
    assert total_variation(grey(0.25 * (columns // 4))) == pytest.approx(0.25 / 7)  # one step of seven
