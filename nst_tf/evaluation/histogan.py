"""The colour distance of HistoGAN: histograms of log ratios of the channels, which need no network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nst_tf.images import Picture
from nst_tf.util.lazy import tf

LARGEST_SIDE = 256
"""Side of the square to which a larger picture is resized."""

BINS = np.linspace(-3, 3, 64)
"""Centres of the bins along u and v."""

WIDTH = 0.02
"""Width of the kernel that counts a value in the bins around it."""

EPSILON = 1e-6
"""Number that is added below a logarithm, below a root and to a divisor."""

CHUNK = 8192
"""Number of pixels whose kernels are in memory at once: 64 float64 values for each of u and v, 8 MiB together."""


class HistoGAN:
    """The colour distance from the styles.

    Attributes:
        name: Name of the score.
    """

    name = "histogan"

    def score(
        self, picture: np.ndarray, content: np.ndarray | None, styles: Sequence[Picture], shares: Sequence[float]
    ) -> float | None:
        """Compute the mean distance from the styles by their shares; None without a style."""
        if not styles:
            return None
        colours = uv_histogram(picture)
        return float(np.dot(shares, [uv_distance(colours, uv_histogram(style.pixels)) for style in styles]))


def uv_histogram(picture: np.ndarray) -> np.ndarray:
    """Count the colours of a picture by log ratios of its channels.

    For each channel, u and v are the logarithms of its ratios to the two others. A pixel p of intensity
    ``I = √(R² + G² + B² + ε)`` counts ``I k(u_p − u) k(v_p − v)`` in the bin (u, v), with
    ``k(d) = 1 / (1 + (d / 0.02)²)``. The counts of all channels and bins are divided by their sum.

    Args:
        picture: Pixels ``(H, W, 3)`` in [0, 1]. If a side exceeds 256, the picture is resized to 256×256, bilinearly
            and without antialiasing.

    Returns:
        ``(3, 64, 64)`` float64, sum 1.

    Reference:
        Afifi, Brubaker & Brown 2021, *HistoGAN*, CVPR, equations 1 to 3, with the constants of their program.
    """
    pixels = np.clip(_resized(picture).reshape(-1, 3), 0, 1).astype(np.float64)
    counts = np.zeros((3, len(BINS), len(BINS)))
    for start in range(0, len(pixels), CHUNK):
        chunk = pixels[start : start + CHUNK]
        intensities = np.sqrt(np.square(chunk).sum(axis=1, keepdims=True) + EPSILON)
        logarithms = np.log(chunk + EPSILON)
        for channel in range(3):
            first, second = (other for other in range(3) if other != channel)
            u, v = (_kernel(logarithms[:, channel] - logarithms[:, other]) for other in (first, second))
            counts[channel] += tf.matmul(intensities * u, v, transpose_a=True).numpy()  # NumPy's threads would compete
    return counts / (counts.sum() + EPSILON)


def uv_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Compute the Hellinger distance ``‖√x − √y‖ / √2`` of two results of `uv_histogram`: 0 to 1."""
    return float(np.linalg.norm(np.sqrt(x) - np.sqrt(y)) / np.sqrt(2))


def _resized(picture: np.ndarray) -> np.ndarray:
    if max(picture.shape[:2]) <= LARGEST_SIDE:
        return picture
    return tf.image.resize(picture, [LARGEST_SIDE, LARGEST_SIDE], method="bilinear", antialias=False).numpy()


def _kernel(values: np.ndarray) -> np.ndarray:
    """Return the weight of each value in each bin, ``(P, 64)``."""
    return 1 / (1 + np.square((values[:, None] - BINS) / WIDTH))
