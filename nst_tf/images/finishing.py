"""Finishing steps of methods: functions of the optimised picture, the content and the styles that give the result.

Every function takes pictures ``(1, H, W, 3)`` float32 in [0, 1] and a list of styles ``(1, h, w, 3)`` of any sizes. It
returns ``(1, H, W, 3)`` float32 in [0, 1]. Several styles count as one with the pixels of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from nst_tf.images.choices import Finishing
from nst_tf.images.colour import match_covariance

STYLE_RIDGE = 1e-8
"""Added to the variances of `match_style`, which the program of Zhang et al. 2022 has as their floor."""

OKLAB_RIDGE = 1e-4
"""Added to the variances of `nnst`."""

LEAST_CHROMA = 6e-5
"""Largest entry of the covariance of a style's a and b below which `nnst` treats it as grey."""

EDGE_ROUNDS, EDGE_SLOPE = 5, 10.0
"""Rounds of the filter of `nnst`, and the factor of the difference in L in its weights."""

AFFINE_RADIUS, AFFINE_RIDGE = 1, 1e-3
"""Radius in pixels of the windows of `photorealistic`, and what is added to the sums of squares in each."""

BILATERAL_RADIUS, BILATERAL_SPACE, BILATERAL_COLOUR = 15, 5.0, 0.01
"""Radius in pixels of the filter of `photorealistic`, and its deviations over pixels and over colours in [0, 1]."""

DETAIL_RADIUS, DETAIL_EPSILON = 8, 0.01
"""Radius in pixels and regularisation of the guided filter of `photorealistic_detail`."""

TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
"""OkLab's matrix from linear RGB to the responses of the cones."""

TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
"""OkLab's matrix from the cube roots of the responses to L, a and b."""


def match_style(result: np.ndarray, content: np.ndarray, styles: Sequence[np.ndarray]) -> np.ndarray:
    """Give the result the mean and covariance of the style's colours: ``A (x − μ) + μ_S``, ``A = Σ_S^½ Σ^−½``.

    Reference:
        Zhang et al. 2022, *ARF: Artistic Radiance Fields*, section 3.3.
    """
    return _as_picture(match_covariance(result, _joined(styles), ridge=STYLE_RIDGE))


def nnst(result: np.ndarray, content: np.ndarray, styles: Sequence[np.ndarray]) -> np.ndarray:
    """Give the result the content's hues, moved to those of the style, in OkLab.

    L is that of the result. a and b are those of the content with the mean and covariance of the style's, after five
    rounds of a filter over 3×3 pixels with the weights ``exp(−10 |ΔL|)``. For a grey style, all three channels are
    those of the result with the style's mean and covariance. Every channel is clipped to the style's range. RGB values
    are taken as linear, as in the program.

    Reference:
        Kolkin et al. 2022, *Neural Neighbor Style Transfer*, and its program.
    """
    photograph, painted, style = (to_oklab(picture) for picture in (content, result, _joined(styles)))
    least, largest = style.min((0, 1, 2)), style.max((0, 1, 2))
    lightness = np.clip(painted[..., :1], least[0], largest[0])
    if np.abs(np.cov(style[..., 1:].reshape(-1, 2), rowvar=False, bias=True)).max() < LEAST_CHROMA:
        lab = match_covariance(np.concatenate([lightness, painted[..., 1:]], -1), style, ridge=OKLAB_RIDGE)
    else:
        hues = match_covariance(photograph[..., 1:], style[..., 1:], ridge=OKLAB_RIDGE)
        lab = np.concatenate([lightness, _smooth_between_edges(hues, lightness)], -1)
    return _as_picture(from_oklab(np.clip(lab, least, largest)))


def photorealistic(result: np.ndarray, content: np.ndarray, styles: Sequence[np.ndarray]) -> np.ndarray:
    """Make the result an affine function of the content's colours that varies smoothly between edges.

    In the 3×3 pixels around each pixel, the least-squares map from the content's colours to the result's is found, with
    1e-3 added to the sums of squares of the three channels. Its twelve numbers are filtered over 31×31 pixels with the
    weights ``exp(−d²/(2·5²)) exp(−δ²/(2·0.01²))``, where d is the distance in pixels and δ² the mean squared difference
    of the content's colours. The filtered maps are applied to the content.

    Reference:
        Luan, Paris, Shechtman & Bala 2017, *Deep Photo Style Transfer*, and its program.
    """
    maps = local_affine_maps(content[0], result[0], AFFINE_RADIUS, ridge=AFFINE_RIDGE)
    smooth = bilateral(maps, content[0], BILATERAL_RADIUS, BILATERAL_SPACE, BILATERAL_COLOUR)
    return _as_picture(apply_maps(smooth, content[0])[None])


def photorealistic_detail(result: np.ndarray, content: np.ndarray, styles: Sequence[np.ndarray]) -> np.ndarray:
    """Add to the `photorealistic` result the details of the content, ``I − guided filter(I)``."""
    base = guided_filter(content[0], content[0], DETAIL_RADIUS, DETAIL_EPSILON)
    return _as_picture(photorealistic(result, content, styles) + content - base)


FINISHINGS: dict[Finishing, Callable[[np.ndarray, np.ndarray, Sequence[np.ndarray]], np.ndarray]] = {
    Finishing.none: lambda result, content, styles: result,
    Finishing.match_style: match_style,
    Finishing.nnst: nnst,
    Finishing.photorealistic: photorealistic,
    Finishing.photorealistic_detail: photorealistic_detail,
}
"""Functions of result, content and styles by the choice of ``image.finishing``."""


def to_oklab(image: np.ndarray) -> np.ndarray:
    """Convert linear RGB ``(…, 3)`` in [0, 1] to OkLab, float64.

    Reference:
        Ottosson 2020, *A perceptual color space for image processing*.
    """
    return np.cbrt(image.astype(np.float64) @ TO_CONES.T) @ TO_LAB.T


def from_oklab(lab: np.ndarray) -> np.ndarray:
    """Convert OkLab ``(…, 3)`` to linear RGB, the inverse of `to_oklab`."""
    return (lab @ np.linalg.inv(TO_LAB).T) ** 3 @ np.linalg.inv(TO_CONES).T


def local_affine_maps(
    guide: np.ndarray, target: np.ndarray, radius: int, ridge: float = 0.0, epsilon: float = 0.0
) -> np.ndarray:
    """Find the affine map of colours around each pixel: ``min Σ_window |guide·A + b − target|² + λ |A|²``.

    Args:
        guide: ``(H, W, 3)``.
        target: ``(H, W, 3)``.
        radius: Radius of the windows in pixels; at the border they are cut off.
        ridge: λ of each window.
        epsilon: λ for each pixel of a window, so that it is added to the covariance of the guide.

    Returns:
        ``(H, W, 4, 3)`` float64: the rows of A, and b.
    """
    count = window_sums(np.ones_like(guide[..., :1]), radius)  # (H, W, 1)
    mean, target_mean = window_sums(guide, radius) / count, window_sums(target, radius) / count
    squares, products = (window_sums(_outer(guide, each), radius) / count[..., None] for each in (guide, target))
    covariance, cross = squares - _outer(mean, mean), products - _outer(mean, target_mean)  # (H, W, 3, 3)
    A = np.linalg.solve(covariance + (ridge / count + epsilon)[..., None] * np.eye(3), cross)
    b = target_mean - np.einsum("hwi,hwij->hwj", mean, A)
    return np.concatenate([A, b[:, :, None]], axis=2)


def apply_maps(maps: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """Apply the affine map ``(H, W, 4, 3)`` of each pixel to its colour: ``(H, W, 3)``."""
    return np.einsum("hwi,hwij->hwj", guide, maps[:, :, :3]) + maps[:, :, 3]


def guided_filter(guide: np.ndarray, target: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """Smooth a picture between the edges of a guide, with the mean of the affine maps of all windows of a pixel.

    Args:
        guide: ``(H, W, 3)``.
        target: ``(H, W, 3)``.
        radius: Radius of the windows in pixels.
        epsilon: Regularisation, in squared units of [0, 1].

    Returns:
        ``(H, W, 3)`` float64.

    Reference:
        He, Sun & Tang 2010, *Guided Image Filtering*, equations 5, 6 and 8, with a guide in colour.
    """
    maps = local_affine_maps(guide, target, radius, epsilon=epsilon)
    count = window_sums(np.ones(maps.shape[:2]), radius)
    return apply_maps(window_sums(maps, radius) / count[..., None, None], guide)


def bilateral(values: np.ndarray, guide: np.ndarray, radius: int, space: float, colour: float) -> np.ndarray:
    """Filter values with weights that fall with the distance in pixels and with the difference of a guide's colours.

    ``exp(−d²/(2 space²)) exp(−δ²/(2 colour²))``, with the mean squared difference δ² of the guide's channels.

    Args:
        values: ``(H, W, …)``.
        guide: ``(H, W, 3)``.
        radius: Radius of the square window in pixels; at the border it is cut off.
        space: Deviation over pixels.
        colour: Deviation over colours.

    Returns:
        An array of the shape of ``values``, float32.
    """
    flat = np.ascontiguousarray(values.reshape(*values.shape[:2], -1), np.float32)
    colours = guide.astype(np.float32)
    total, weight_sum = flat.copy(), np.ones((*flat.shape[:2], 1), np.float32)  # the pixel itself
    height, width = flat.shape[:2]
    for dy, dx, here, there in _pairs(height, width, radius):
        difference = np.mean(np.square(colours[here] - colours[there]), axis=-1, keepdims=True)
        weight = np.exp(-(dy * dy + dx * dx) / (2 * space**2) - difference / (2 * colour**2))
        total[here] += weight * flat[there]
        total[there] += weight * flat[here]
        weight_sum[here] += weight
        weight_sum[there] += weight
    return (total / weight_sum).reshape(values.shape)


Slices = tuple[slice, slice]


def _pairs(height: int, width: int, radius: int) -> Iterator[tuple[int, int, Slices, Slices]]:
    """Yield each shift to a later pixel of a window, with the pixels that have one there and those at the shift."""
    for dy in range(min(radius, height - 1) + 1):
        for dx in range(-min(radius, width - 1), min(radius, width - 1) + 1):
            if (dy, dx) > (0, 0):
                here = slice(0, height - dy), slice(max(-dx, 0), width - max(dx, 0))
                yield dy, dx, here, (slice(dy, height), slice(max(dx, 0), width - max(-dx, 0)))


def window_sums(x: np.ndarray, radius: int) -> np.ndarray:
    """Sum ``(H, W, …)`` over the windows of a radius in pixels around each pixel, cut off at the border."""
    from scipy import ndimage

    sums = x.astype(np.float64)
    for axis in (0, 1):
        sums = ndimage.correlate1d(sums, np.ones(2 * radius + 1), axis=axis, mode="constant")
    return sums


def _outer(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the products of all channels, ``(H, W, 3, 3)`` float64."""
    return a[..., :, None].astype(np.float64) * b[..., None, :]


def _smooth_between_edges(hues: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """Filter ``(1, H, W, 2)`` over 3×3 pixels by the weights of `nnst`; the border is repeated outwards."""
    height, width = hues.shape[1:3]
    places = [(slice(None), slice(y, y + height), slice(x, x + width)) for y in range(3) for x in range(3)]

    def shifted(x: np.ndarray) -> list[np.ndarray]:
        wide = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="edge")
        return [wide[place] for place in places]

    weights = [np.exp(-EDGE_SLOPE * np.abs(lightness - other)) for other in shifted(lightness)]
    for _ in range(EDGE_ROUNDS):
        hues = sum(w * x for w, x in zip(weights, shifted(hues), strict=True)) / sum(weights)
    return hues


def _joined(styles: Sequence[np.ndarray]) -> np.ndarray:
    """Return the pixels of all styles as one picture, ``(1, M, 1, 3)``."""
    return np.concatenate([style.reshape(1, -1, 1, 3) for style in styles], axis=1)


def _as_picture(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 1).astype(np.float32)
