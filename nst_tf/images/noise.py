"""Seeded noise as a start picture."""

import enum

import numpy as np

from nst_tf.util.imagenet import CAFFE_MEAN

MEAN_COLOUR = np.array(CAFFE_MEAN, np.float32) / 255
"""Mean colour of ImageNet, RGB in [0, 1]."""


class Noise(enum.Enum):
    """The distribution of the noise."""

    uniform = "uniform"
    gaussian = "gaussian"


def uniform(rng: np.random.Generator, height: int, width: int, scale: float) -> np.ndarray:
    """Draw uniform noise around mid-grey: ``0.5 + scale · (u − 0.5)``, ``u ~ U[0, 1)``.

    Args:
        rng: Source of the random numbers.
        height: Rows.
        width: Columns.
        scale: Width of the interval, in units of [0, 1].

    Returns:
        ``(1, height, width, 3)`` float32.
    """
    u = rng.random((1, height, width, 3), dtype=np.float32)
    return np.float32(0.5) + np.float32(scale) * (u - np.float32(0.5))


def gaussian(rng: np.random.Generator, height: int, width: int, scale: float) -> np.ndarray:
    """Draw Gaussian noise around the mean colour of ImageNet: ``μ + scale · n``, ``n ~ N(0, 1)``.

    Args:
        rng: Source of the random numbers.
        height: Rows.
        width: Columns.
        scale: Standard deviation in units of [0, 1]; neural-style's 0.001 in 0..255 is ``0.001 / 255``.

    Returns:
        ``(1, height, width, 3)`` float32, not clipped.
    """
    n = rng.standard_normal((1, height, width, 3), dtype=np.float32)
    return MEAN_COLOUR + np.float32(scale) * n


NOISES = {Noise.uniform: uniform, Noise.gaussian: gaussian}
"""The function that draws each kind of noise."""
