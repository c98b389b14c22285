"""Seeded noise to start from."""

import enum

import numpy as np

from nst_tf.util.imagenet import CAFFE_MEAN

MEAN_COLOUR = np.array(CAFFE_MEAN, np.float32) / 255


class Noise(enum.Enum):
    """How noise is drawn."""

    uniform = "uniform"
    gaussian = "gaussian"


def uniform(rng: np.random.Generator, height: int, width: int, scale: float) -> np.ndarray:
    """Uniform noise round mid-grey: ``0.5 + scale · (u − 0.5)``, ``u ~ U[0, 1)``.

    Args:
        rng: where the numbers come from.
        height: rows.
        width: columns.
        scale: width of the interval, in units of [0, 1].

    Returns:
        ``(1, height, width, 3)`` float32.
    """
    u = rng.random((1, height, width, 3), dtype=np.float32)
    return np.float32(0.5) + np.float32(scale) * (u - np.float32(0.5))


def gaussian(rng: np.random.Generator, height: int, width: int, scale: float) -> np.ndarray:
    """Gaussian noise round the mean colour of ImageNet: ``μ + scale · n``, ``n ~ N(0, 1)``.

    Args:
        rng: where the numbers come from.
        height: rows.
        width: columns.
        scale: standard deviation, in units of [0, 1]; neural-style's 0.001 of 0..255 is ``0.001 / 255``.

    Returns:
        ``(1, height, width, 3)`` float32, not clipped.
    """
    n = rng.standard_normal((1, height, width, 3), dtype=np.float32)
    return MEAN_COLOUR + np.float32(scale) * n


NOISES = {Noise.uniform: uniform, Noise.gaussian: gaussian}
