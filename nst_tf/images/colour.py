"""Keeping the content's colours (Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer").

Pure functions of arrays ``(…, 3)``. Nothing is clipped here: the statistics hold exactly, and the caller
decides what to do with values outside [0, 1].
"""

import numpy as np

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Y of YIQ, as in the paper

# Variance that rounding to 8 bits adds by itself: below it a direction of colour holds nothing to amplify.
ROUNDING_VARIANCE = 1 / (12 * 255**2)


def luminance(image: np.ndarray) -> np.ndarray:
    """Luminance of YIQ: ``Y = 0.299 R + 0.587 G + 0.114 B``.

    Args:
        image: ``(…, 3)`` RGB.

    Returns:
        ``(…, 1)`` float32.
    """
    return (image @ LUMA)[..., None].astype(np.float32)


def grey(image: np.ndarray) -> np.ndarray:
    """Luminance in three equal channels, as a network takes it.

    Args:
        image: ``(…, 3)`` RGB.

    Returns:
        ``(…, 3)`` float32.
    """
    return np.repeat(luminance(image), 3, axis=-1)


def with_luminance(colours: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Give one picture's chroma the luminance of another.

    In YIQ the result is ``(Y(image), I(colours), Q(colours))``. Every RGB channel takes Y with factor 1, so
    that is ``colours + Y(image) − Y(colours)``, with no need of the matrix.

    Args:
        colours: ``(…, 3)`` RGB, whose I and Q are kept.
        image: ``(…, 3)`` RGB of the same shape, whose Y is kept.

    Returns:
        ``(…, 3)`` float32, which may leave [0, 1].

    Reference:
        Gatys et al. 2016, section 3, luminance-only transfer.
    """
    return (colours + luminance(image) - luminance(colours)).astype(np.float32)


def match_moments(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Shift and scale a channel to a mean and deviation: ``σ_C/σ_S · (x − μ_S) + μ_C``.

    Args:
        style: ``(…, C)``; each channel is matched by itself.
        content: ``(…, C)``, of any other extent.

    Returns:
        The style's shape, float32; a channel of one value becomes ``μ_C``.

    Reference:
        Gatys et al. 2016, section 3, the luminance of the style.
    """
    S, C = _rows(style), _rows(content)
    deviation = S.std(axis=0)
    scale = np.where(deviation > ROUNDING_VARIANCE**0.5, C.std(axis=0) / np.maximum(deviation, 1e-12), 0)
    return (scale * (S - S.mean(axis=0)) + C.mean(axis=0)).reshape(style.shape).astype(np.float32)


def match_covariance(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Match the mean and covariance of colours by one linear map: ``A (x − μ_S) + μ_C``.

    ``A = Σ_C^½ Σ_S^−½`` with symmetric roots, so that ``A Σ_S Aᵀ = Σ_C``: the paper's "Image Analogies"
    variant, which unlike Cholesky's does not depend on the order of the channels. Differs from the paper in
    one thing: directions in which the style has no colour beyond 8-bit rounding are left flat.

    Args:
        style: ``(…, 3)`` RGB.
        content: ``(…, 3)`` RGB, of any other extent.

    Returns:
        The style's shape, float32, which may leave [0, 1].

    Reference:
        Gatys et al. 2016, section 2, equations 1 to 3; Hertzmann et al. 2001.
    """
    S, C = _rows(style), _rows(content)
    A = _root(_covariance(C), 0.5) @ _root(_covariance(S), -0.5)  # (3, 3)
    return ((S - S.mean(axis=0)) @ A.T + C.mean(axis=0)).reshape(style.shape).astype(np.float32)


def match_histogram(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Match every channel's histogram by itself, as scikit-image does.

    ``F_C⁻¹(F_S(x))`` with the empirical distribution functions. Keeps no correlation between channels.

    Args:
        style: ``(…, 3)`` RGB.
        content: ``(…, 3)`` RGB, of any other extent, with as many axes.

    Returns:
        The style's shape, float32, within the content's range.

    Reference:
        ``skimage.exposure.match_histograms``.
    """
    from skimage.exposure import match_histograms

    return match_histograms(style, content, channel_axis=-1).astype(np.float32)


def _rows(image: np.ndarray) -> np.ndarray:
    return image.reshape(-1, image.shape[-1]).astype(np.float64)  # (M, C)


def _covariance(rows: np.ndarray) -> np.ndarray:
    return np.cov(rows, rowvar=False, bias=True)


def _root(covariance: np.ndarray, power: float) -> np.ndarray:
    """Power of a symmetric matrix over the directions that hold colour."""
    values, vectors = np.linalg.eigh(covariance)
    usable = values > (ROUNDING_VARIANCE if power < 0 else 0)
    powers = np.where(usable, np.maximum(values, 1e-300) ** power, 0)
    return (vectors * powers) @ vectors.T
