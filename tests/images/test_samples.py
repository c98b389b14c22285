import colorsys

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from nst_tf.images import SAMPLES, read_picture
from nst_tf.images.samples import PAINTINGS, sample_pixels

NAMES = sorted(path.stem for path in PAINTINGS.glob("*.jpg"))


def hues(pixels: np.ndarray) -> int:
    """Count those of 36 hues that cover at least 1 % of the picture in a colour that is not grey."""
    small = np.asarray(Image.fromarray(pixels).resize((96, 96), Image.Resampling.NEAREST)).reshape(-1, 3) / 255
    hsv = np.array([colorsys.rgb_to_hsv(*rgb) for rgb in small])
    vivid = hsv[(hsv[:, 1] > 0.25) & (hsv[:, 2] > 0.2), 0]
    return int((np.bincount((vivid * 36).astype(int) % 36, minlength=36) >= 0.01 * len(small)).sum())


def gradient(pixels: np.ndarray) -> np.ndarray:
    grey = pixels.mean(axis=-1)
    return np.hypot(*np.gradient(grey))


def test_every_painting_is_a_sample():
    assert len(NAMES) == 5
    assert set(NAMES) <= set(SAMPLES)


@pytest.mark.parametrize("name", NAMES)
def test_a_painting_has_768_pixels_a_side_and_at_most_400_kb(name):
    pixels = sample_pixels(name)
    assert pixels.shape == (768, 768, 3)
    assert pixels.dtype == np.uint8
    assert (PAINTINGS / f"{name}.jpg").stat().st_size <= 400_000
    np.testing.assert_allclose(read_picture(f"sample:{name}").pixels * 255, pixels, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_painting_has_at_least_eight_hues(name):
    pixels = sample_pixels(name)
    assert pixels.reshape(-1, 3).std(axis=0).min() > 35
    assert hues(pixels) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_every_part_of_a_painting_is_textured(name):
    steep = gradient(sample_pixels(name))
    assert steep.mean() > 8
    patches = ndimage.uniform_filter(steep, 64)[32::64, 32::64]
    assert patches.min() > 2


def test_a_flat_picture_has_one_hue_and_a_smooth_grey_one_none():
    flat = np.full((768, 768, 3), (200, 40, 40), np.uint8)
    smooth = np.broadcast_to(np.linspace(0, 255, 768)[:, None, None], flat.shape).astype(np.uint8)
    assert hues(flat) == 1
    assert hues(smooth) == 0
    assert gradient(flat).mean() == 0
    assert gradient(smooth).mean() < 1
