import numpy as np
import pytest

from nst_tf.images import resize


@pytest.mark.parametrize(("height", "width"), [(8, 8), (40, 9), (7, 50), (16, 12), (1, 1)])
def test_a_constant_picture_stays_constant(height, width):
    pixels = np.full((16, 12, 3), [0.2, 0.5, 0.9], np.float32)
    result = resize(pixels, height, width)
    assert result.dtype == np.float32
    assert result.shape == (height, width, 3)
    np.testing.assert_allclose(result, np.broadcast_to([0.2, 0.5, 0.9], result.shape), atol=1e-5)


@pytest.mark.parametrize("new", [32, 128])
def test_a_linear_ramp_stays_linear_away_from_the_border(new):
    old = 64
    ramp = np.broadcast_to((np.arange(old, dtype=np.float32) + 0.5) / old, (old, old))
    expected = np.broadcast_to((np.arange(new) + 0.5) / new, (new, new))
    inner = slice(new // 8, -new // 8)
    np.testing.assert_allclose(resize(ramp, new, new)[inner, inner], expected[inner, inner], atol=2e-3)
    np.testing.assert_allclose(resize(ramp.T, new, new)[inner, inner], expected.T[inner, inner], atol=2e-3)


def test_halving_a_checkerboard_gives_its_mean():
    board = (np.indices((32, 32)).sum(axis=0) % 2).astype(np.float32)
    np.testing.assert_allclose(resize(board, 16, 16)[3:-3, 3:-3], 0.5, atol=0.02)


def test_resizing_keeps_the_mean():
    smooth = np.random.default_rng(0).uniform(0.3, 0.7, (64, 48, 3)).astype(np.float32)
    np.testing.assert_allclose(resize(smooth, 32, 24).mean((0, 1)), smooth.mean((0, 1)), atol=3e-3)


def test_a_shrinking_axis_is_filtered_with_lanczos_3():
    # Halving samples sinc(x)·sinc(x/3) at the distances 0.25, 0.75, … and normalises the taps.
    distance = np.abs((np.arange(24) + 0.5) / 2 - 6.5)
    taps = np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0)
    row = np.random.default_rng(0).uniform(0.3, 0.7, (16, 24)).astype(np.float32)
    np.testing.assert_allclose(resize(row, 16, 12)[:, 6], row @ (taps / taps.sum()), atol=1e-5)


def test_a_growing_axis_is_filtered_bicubically_even_if_the_other_axis_shrinks():
    # Doubling computes the pixel at 4.25 from the centres 2.5 … 6.5 with a = −0.5.
    def cubic(x):
        x = np.abs(x)
        near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        return np.where(x < 1, near, np.where(x < 2, far, 0))

    column = np.random.default_rng(0).uniform(0.3, 0.7, (8, 1)).astype(np.float32)
    pixels = np.repeat(column, 20, axis=1)
    expected = (column[:, 0] * cubic(np.arange(8) + 0.5 - 4.25)).sum()
    np.testing.assert_allclose(resize(pixels, 16, 10)[8], expected, atol=1e-5)


def test_resizing_does_not_round_to_eight_bits():
    fine = np.full((8, 8), 0.5 + 0.2 / 255, np.float32)
    np.testing.assert_allclose(resize(fine, 5, 11), fine[0, 0], atol=1e-6)


def test_overshoot_is_clipped():
    edge = np.repeat([[0.0, 1.0]], 16, axis=0).repeat(8, axis=1).astype(np.float32)
    for size in (11, 40):
        result = resize(edge, size, size)
        assert result.min() == 0
        assert result.max() == 1


def test_an_unchanged_size_returns_an_equal_copy():
    pixels = np.random.default_rng(0).random((4, 5, 3), dtype=np.float32)
    result = resize(pixels, 4, 5)
    np.testing.assert_array_equal(result, pixels)
    assert not np.shares_memory(result, pixels)
