"""Warping along an optical flow, and the weights of the positions at which two frames show the same point.

A flow ``(H, W, 2)`` holds columns, then rows, in pixels: the point at p of one frame is at ``p + flow(p)`` in another.
The formulas are those of Ruder, Dosovitskiy & Brox 2016, section 3.2, after Sundaram, Brox & Keutzer 2010.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from nst_tf.util.checks import at_least, convert_fields
from nst_tf.util.errors import InputError

MEAN_COLOUR = np.array([123.68, 116.779, 103.939], np.float32) / np.float32(255)
"""Mean colour of ImageNet, which a warped picture has where the flow points outside."""


class Interpolation(Enum):
    """Interpolation of a warped picture: ``linear`` between 4 pixels, ``cubic`` splines, which blur less."""

    linear = "linear"
    cubic = "cubic"


@dataclass
class Consistency:
    """Settings of the consistency weights. The defaults are the constants of Ruder et al.

    Attributes:
        occlusion: Pair (a, b): a position p is disoccluded if ``|w̃ + ŵ|² ≥ a (|w̃|² + |ŵ|²) + b``, with the flow ŵ to
            the other frame and ``w̃(p) = w(p + ŵ(p))`` of the flow w back. Default ``[0.01, 0.5]``.
        boundary: Pair (a, b): a position is at a motion boundary if ``|∇û|² + |∇v̂|² > a |ŵ|² + b``. Default
            ``[0.01, 0.002]``.
        sigma: Standard deviation in pixels of the Gaussian that softens the weights; 0 leaves them hard. Default 0.8.
    """

    occlusion: list[float] = field(default_factory=lambda: [0.01, 0.5])
    boundary: list[float] = field(default_factory=lambda: [0.01, 0.002])
    sigma: float = 0.8

    def __post_init__(self) -> None:
        convert_fields(self, "consistency.")
        for key in ("occlusion", "boundary"):
            values = getattr(self, key)
            if len(values) != 2:
                raise InputError(f"consistency.{key}={values}: must be two numbers, a factor and a constant")
            for value in values:
                at_least(f"consistency.{key}", value, 0)
        at_least("consistency.sigma", self.sigma, 0)

    def weights(self, flow: np.ndarray, back: np.ndarray) -> np.ndarray:
        """Compute c, 1 where a position is visible in the other frame and its flow is reliable, and 0 elsewhere.

        Args:
            flow: Flow ŵ from the frame to the other, ``(H, W, 2)``.
            back: Flow w from the other frame to this one, ``(H, W, 2)``.

        Returns:
            ``(H, W)`` float32 in [0, 1].
        """
        hidden = disoccluded(flow, back, *self.occlusion) | motion_boundary(flow, *self.boundary)
        weights = np.where(hidden | ~is_inside(flow), 0, 1).astype(np.float32)
        if self.sigma:
            weights = gaussian_filter(weights, self.sigma, radius=2, mode="nearest")
        return np.clip(weights, 0, 1)


def targets_of(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns ``(H, W)`` of the points ``p + flow(p)``."""
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return rows + flow[..., 1], columns + flow[..., 0]


def is_inside(flow: np.ndarray) -> np.ndarray:
    """Return where ``p + flow(p)`` is inside the frame, ``(H, W)`` bool; pixels are squares around their centres."""
    height, width = flow.shape[:2]
    rows, columns = targets_of(flow)
    return (rows >= -0.5) & (rows <= height - 0.5) & (columns >= -0.5) & (columns <= width - 0.5)


def warp(
    values: np.ndarray,
    flow: np.ndarray,
    outside: np.ndarray | float | None = MEAN_COLOUR,
    interpolation: Interpolation = Interpolation.linear,
) -> np.ndarray:
    """Return ``values(p + flow(p))``.

    Args:
        values: ``(H, W, C)``: a picture, or another flow.
        flow: ``(H, W, 2)``.
        outside: Value of each channel, or of all, where the flow points outside; None continues the border.
        interpolation: See `Interpolation`.

    Returns:
        ``(H, W, C)`` float32.
    """
    places, order = np.stack(targets_of(flow)), 1 if interpolation is Interpolation.linear else 3
    channels = [
        map_coordinates(np.asarray(values[..., n], np.float32), places, np.float32, order=order, mode="nearest")
        for n in range(values.shape[-1])
    ]
    warped = np.stack(channels, axis=-1)
    if outside is None:
        return warped
    return np.where(is_inside(flow)[..., None], warped, np.asarray(outside, np.float32)).astype(np.float32)


def disoccluded(flow: np.ndarray, back: np.ndarray, factor: float = 0.01, constant: float = 0.5) -> np.ndarray:
    """Return where the flow there and back does not return to its origin, ``(H, W)`` bool; see `Consistency`."""
    returned = warp(back, flow, outside=0)
    error, size = (np.sum(np.square(pair), axis=-1) for pair in (returned + flow, np.hypot(returned, flow)))
    return error >= factor * size + constant


def motion_boundary(flow: np.ndarray, factor: float = 0.01, constant: float = 0.002) -> np.ndarray:
    """Return where the flow changes abruptly, ``(H, W)`` bool; central differences, see `Consistency`."""
    gradients = [np.gradient(flow[..., channel]) for channel in range(2)]
    change = np.sum([np.square(gradient) for pair in gradients for gradient in pair], axis=0)
    return change > factor * np.sum(np.square(flow), axis=-1) + constant


def long_term_weights(weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Give each position to the nearest earlier frame that shows it: ``max(c(i−j) − Σ_{k<j} c(i−k), 0)``.

    Args:
        weights: Weights ``(H, W)`` of the earlier frames, the nearest first.
    """
    taken = np.zeros_like(weights[0])
    result = []
    for own in weights:
        result.append(np.maximum(own - taken, 0))
        taken = taken + own
    return result


def temporal_error(picture: np.ndarray, warped: np.ndarray, weights: np.ndarray) -> float:
    """Compute ``√(Σ m |x − ω|² / Σ m)`` over positions and channels, with weights m of positions.

    Args:
        picture: x, ``(H, W, 3)`` in [0, 1].
        warped: ω, the other frame warped to this one, ``(H, W, 3)``.
        weights: m, ``(H, W)``.

    Returns:
        The root mean squared difference of a channel, in units of [0, 1]; NaN where no position counts.
    """
    total = float(weights.sum(dtype=np.float64)) * picture.shape[-1]
    squared = np.square(picture.astype(np.float64) - warped) * weights[..., None]
    return float(np.sqrt(squared.sum() / total)) if total else float("nan")
