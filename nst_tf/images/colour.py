"""Colour transfer between pictures.

The methods are those of Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer".
Every function is a pure function of arrays ``(…, 3)``. None but `match_colours` clips, so that the statistics hold
exactly; the caller decides what happens to values outside [0, 1].
"""

import numpy as np

from nst_tf.images.resizing import resize

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in Y of YIQ, as in the paper."""

ROUNDING_VARIANCE = 1 / (12 * 255**2)
"""Variance of the rounding to 8 bits; a colour direction of smaller variance holds only noise and is not amplified."""


def luminance(image: np.ndarray) -> np.ndarray:
    """Compute the luminance of YIQ: ``Y = 0.299 R + 0.587 G + 0.114 B``.

    Args:
        image: Picture ``(…, 3)`` in RGB.

    Returns:
        ``(…, 1)`` float32.
    """
    return (image @ LUMA)[..., None].astype(np.float32)


def grey(image: np.ndarray) -> np.ndarray:
    """Return the luminance in three equal channels, the form that a network takes.

    Args:
        image: Picture ``(…, 3)`` in RGB.

    Returns:
        ``(…, 3)`` float32.
    """
    return np.repeat(luminance(image), 3, axis=-1)


def with_luminance(colours: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Combine the chroma of one picture with the luminance of another.

    In YIQ the result is ``(Y(image), I(colours), Q(colours))``. Y enters every RGB channel with factor 1, so the result
    is ``colours + Y(image) − Y(colours)``, and the YIQ matrix is not needed.

    Args:
        colours: Picture ``(…, 3)`` in RGB whose I and Q are kept.
        image: Picture ``(…, 3)`` in RGB, of the same shape, whose Y is kept.

    Returns:
        ``(…, 3)`` float32, which may leave [0, 1].

    Reference:
        Gatys et al. 2016, section 3, luminance-only transfer.
    """
    return (colours + luminance(image) - luminance(colours)).astype(np.float32)


def match_moments(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Match the mean and deviation of each channel: ``σ_C/σ_S · (x − μ_S) + μ_C``.

    Args:
        style: Picture ``(…, C)`` that is shifted and scaled.
        content: Picture ``(…, C)``, of any height and width.

    Returns:
        Array of the style's shape, float32; a channel of one value becomes ``μ_C``.

    Reference:
        Gatys et al. 2016, section 3, the luminance of the style.
    """
    S, C = _rows(style), _rows(content)
    deviation = S.std(axis=0)
    scale = np.where(deviation > ROUNDING_VARIANCE**0.5, C.std(axis=0) / np.maximum(deviation, 1e-12), 0)
    return (scale * (S - S.mean(axis=0)) + C.mean(axis=0)).reshape(style.shape).astype(np.float32)


def match_covariance(style: np.ndarray, content: np.ndarray, ridge: float | None = None) -> np.ndarray:
    """Match the mean and covariance of the colours by one linear map: ``A (x − μ_S) + μ_C``.

    ``A = Σ_C^½ Σ_S^−½`` with symmetric roots, so that ``A Σ_S Aᵀ = Σ_C``. This is the paper's "Image Analogies"
    variant, which unlike the Cholesky variant does not depend on the order of the channels. One thing differs from the
    paper: a direction in which the style varies by no more than 8-bit rounding stays constant.

    Args:
        style: Picture ``(…, C)`` that is recoloured, C channels of any colour space.
        content: Picture ``(…, C)``, of any height and width.
        ridge: Number that is added to the variances of both, so that every direction is matched, as programs do. None
            adds nothing and leaves directions of rounding alone constant.

    Returns:
        Array of the style's shape, float32, which may leave [0, 1].

    Reference:
        Gatys et al. 2016, section 2, equations 1 to 3; Hertzmann et al. 2001.
    """
    S, C = _rows(style), _rows(content)
    least = ROUNDING_VARIANCE if ridge is None else 0.0
    added = (ridge or 0.0) * np.eye(S.shape[1])
    A = _matrix_power(_covariance(C) + added, 0.5) @ _matrix_power(_covariance(S) + added, -0.5, least)  # (C, C)
    return ((S - S.mean(axis=0)) @ A.T + C.mean(axis=0)).reshape(style.shape).astype(np.float32)


def match_histogram(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Match the histogram of each channel: ``F_C⁻¹(F_S(x))`` with the empirical distribution functions.

    The channels are matched one by one, so correlations between them are not kept.

    Args:
        style: Picture ``(…, 3)`` in RGB that is recoloured.
        content: Picture ``(…, 3)`` in RGB, of any height and width, with as many axes.

    Returns:
        Array of the style's shape, float32, within the content's range.

    Reference:
        ``skimage.exposure.match_histograms``.
    """
    from skimage.exposure import match_histograms

    return match_histograms(style, content, channel_axis=-1).astype(np.float32)


def match_colours(image: np.ndarray, reference: np.ndarray, by_histogram: bool) -> np.ndarray:
    """Recolour a picture after another one, and clip it to [0, 1].

    Args:
        image: Picture ``(1, H, W, 3)`` in RGB.
        reference: Picture ``(1, h, w, 3)`` in RGB, whose colours are taken.
        by_histogram: Whether each channel is matched by `match_histogram`; otherwise `match_covariance` is used.

    Returns:
        ``(1, H, W, 3)`` float32 in [0, 1].
    """
    match = match_histogram if by_histogram else match_covariance
    return np.clip(match(image, reference), 0, 1)


def fit_to(reference: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Shrink a picture whose long side exceeds that of another one, so that statistics of its colours cost no more.

    Args:
        reference: Picture ``(h, w, 3)`` in RGB.
        image: Picture ``(1, H, W, 3)``.

    Returns:
        ``(1, h′, w′, 3)`` in the proportions of ``reference``, whose long side is at most that of ``image``.
    """
    height, width = reference.shape[:2]
    scale = min(1.0, max(image.shape[1:3]) / max(height, width))
    return resize(reference, max(1, round(scale * height)), max(1, round(scale * width)))[None]


def _rows(image: np.ndarray) -> np.ndarray:
    return image.reshape(-1, image.shape[-1]).astype(np.float64)  # (M, C)


def _covariance(rows: np.ndarray) -> np.ndarray:
    return np.cov(rows, rowvar=False, bias=True)


def _matrix_power(covariance: np.ndarray, power: float, least: float = 0.0) -> np.ndarray:
    """Compute a power of a symmetric matrix on the eigenvectors of a variance above ``least``, and 0 on the others."""
    values, vectors = np.linalg.eigh(covariance)
    usable = values > least
    powers = np.where(usable, np.maximum(values, 1e-300) ** power, 0)
    return (vectors * powers) @ vectors.T
