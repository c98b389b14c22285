"""Scores that need no network: functions of pictures ``(H, W, 3)``, RGB in [0, 1]."""

import numpy as np

from nst_tf.images import to_bytes
from nst_tf.images.colour import luminance


def ssim(picture: np.ndarray, content: np.ndarray) -> float:
    """Compute the mean structural similarity of the luminances, with Gaussian windows of deviation 1.5.

    ``(2 μ_x μ_y + c₁)(2 σ_xy + c₂) / ((μ_x² + μ_y² + c₁)(σ_x² + σ_y² + c₂))`` with c₁ = 0.01² and c₂ = 0.03².

    Args:
        picture: Picture ``(H, W, 3)``, each side at least 11.
        content: Picture of the same shape.

    Returns:
        Number from −1 to 1; 1 for two equal pictures.

    Reference:
        Wang, Bovik, Sheikh & Simoncelli 2004, *Image Quality Assessment: From Error Visibility to Structural
        Similarity*, with the constants given there.
    """
    from skimage.metrics import structural_similarity  # takes half a second, which a run without a judge is spared

    x, y = (luminance(image)[..., 0].astype(np.float64) for image in (picture, content))
    return float(
        structural_similarity(x, y, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    )


def histogram(picture: np.ndarray) -> np.ndarray:
    """Count the pixels of each of the 256 levels, ``(3, 256)`` for the three channels."""
    return np.stack([np.bincount(channel.ravel(), minlength=256) for channel in np.moveaxis(to_bytes(picture), -1, 0)])


def histogram_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Compute the 1-Wasserstein distance of the colours, a mean over the channels: ``⅓ Σ_c ∫ |F_c(v) − G_c(v)| dv``.

    F and G are the distribution functions of a channel's values. The distance is the mean way that the values of one
    channel have to move to become those of the other. Combinations of channels are not compared.

    Args:
        x: Result of `histogram`.
        y: Result of `histogram` for a picture of any size.

    Returns:
        Number from 0 (equal histograms) to 1 (black and white).

    Reference:
        Rubner, Tomasi & Guibas 2000, *The Earth Mover's Distance as a Metric for Image Retrieval*.
    """
    from scipy.stats import wasserstein_distance  # takes a second, which a run without a judge is spared

    levels = np.arange(256) / 255
    return float(np.mean([wasserstein_distance(levels, levels, a, b) for a, b in zip(x, y, strict=True)]))


def total_variation(picture: np.ndarray) -> float:
    """Compute ``mean |Δ_v| + mean |Δ_h|`` over neighbours and channels: 0 for one colour, 2 for a pixel checkerboard.

    The means, instead of sums, make pictures of different sizes comparable.
    """
    return float(sum(np.abs(np.diff(picture, axis=axis)).mean(dtype=np.float64) for axis in (0, 1)))
