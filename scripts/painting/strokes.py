"""Oil on canvas: curved strokes of a bristle brush, and the lighting of their relief."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from painting.colours import jitter
from painting.fields import Scene, lookup, unit_length

PATH_POINTS = 10
"""Number of points of a stroke's path."""

OVERHANG = 0.8
"""Length by which the bristles reach beyond both ends of a path, in segments of the path."""


@dataclass(frozen=True)
class Brush:
    """A brush and the variation of its strokes.

    Attributes:
        width: Width of a stroke in units of length (pixels at 768).
        length: Length of a stroke in units of length.
        coverage: Total area of the strokes, in areas of the picture.
        lightness: Variation of lightness between strokes, in OKLab's L.
        hue: Variation of hue between strokes, in radians.
        wander: Variation of the direction, in radians.
    """

    width: float
    length: float
    coverage: float
    lightness: float = 0.05
    hue: float = 0.2
    wander: float = 0.12


def scatter(size: int, spacing: float, rng: np.random.Generator, margin: float = 0.0) -> np.ndarray:
    """Spread points evenly but not regularly, in random order.

    Args:
        size: Side of the picture in pixels.
        spacing: Mean distance of neighbours in pixels.
        rng: Source of the random numbers.
        margin: Width in pixels of the border around the picture that is covered too.

    Returns:
        Points ``(N, 2)`` as ``x, y`` in pixels.
    """
    side = size + 2 * margin
    count = max(int(np.ceil(side / spacing)), 1)
    cells = np.stack(np.meshgrid(np.arange(count), np.arange(count)), axis=-1).reshape(-1, 2)
    points = (cells + rng.random(cells.shape)) * side / count - margin
    return rng.permutation(points)


def trace(angle: np.ndarray, starts: np.ndarray, lengths: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Follow a direction field.

    Args:
        angle: Directions ``(H, W)`` in radians.
        starts: First points ``(N, 2)`` as ``x, y`` in pixels.
        lengths: Lengths ``(N,)`` in pixels.
        bend: Angles ``(N,)`` added to the field, in radians.

    Returns:
        Paths ``(N, PATH_POINTS, 2)`` as ``x, y`` in pixels.
    """
    path = [starts]
    step = (lengths / (PATH_POINTS - 1))[:, None]
    for _ in range(PATH_POINTS - 1):
        heading = lookup(angle, path[-1]) + bend
        path.append(path[-1] + step * np.stack([np.cos(heading), np.sin(heading)], axis=-1))
    return np.stack(path, axis=1)


def stay_inside(label: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Cut a path ``(PATH_POINTS, 2)`` where it leaves the object on which it starts."""
    labels = lookup(label, path)
    left = np.flatnonzero(labels != labels[0])
    return path[: left[0]] if len(left) else path


class Canvas:
    """Paint and its thickness.

    Attributes:
        colour: Colours ``(H, W, 3)`` in sRGB, in [0, 1].
        height: Thickness of the paint ``(H, W)``, about [0, 2].
    """

    def __init__(self, size: int, ground: np.ndarray) -> None:
        self.colour = np.broadcast_to(ground, (size, size, 3)).copy()
        self.height = np.zeros((size, size))

    def stroke(
        self,
        path: np.ndarray,
        width: float,
        loads: np.ndarray,
        rng: np.random.Generator,
        stencil: np.ndarray | None = None,
    ) -> None:
        """Draw the brush along a path.

        Args:
            path: Path ``(K, 2)`` as ``x, y`` in pixels, K >= 2.
            width: Width in pixels.
            loads: The two paints on the brush, ``(2, 3)`` in sRGB, in [0, 1].
            rng: Source of the random numbers.
            stencil: Pixels ``(H, W)`` bool that may be painted; None for all.
        """
        window = self._window(path, width)
        if window is None:
            return
        rows, columns = window
        u, v = _stroke_coordinates(path, rows, columns, width / 2)
        bristles = _bristles(u, v, width, rng)
        alpha = _footprint(u, v, bristles, width) * _dry_tail(u, bristles, rng.uniform(0.35, 0.95))
        if stencil is not None:
            alpha *= ndimage.gaussian_filter(stencil[rows, columns].astype(float), 0.7)
        mix = np.clip(0.5 + 1.3 * (bristles - 0.5) + rng.normal(0, 0.25) + 0.25 * v, 0, 1)[..., None]
        colour = (loads[0] * (1 - mix) + loads[1] * mix) * (0.82 + 0.36 * bristles[..., None])
        rim = 0.5 * np.exp(-(((np.abs(v) - 0.85) / 0.16) ** 2))
        thickness = 0.4 + 1.1 * bristles + rim + 0.35 * np.exp(-np.abs(u) / 0.1)
        area = self.colour[rows, columns], self.height[rows, columns]
        self.colour[rows, columns] += alpha[..., None] * (colour - area[0])
        self.height[rows, columns] += alpha * (0.35 * area[1] + thickness - area[1])

    def _window(self, path: np.ndarray, width: float) -> tuple[slice, slice] | None:
        size = len(self.height)
        low = np.maximum(np.floor(path.min(axis=0) - width / 2 - 1), 0).astype(int)
        high = np.minimum(np.ceil(path.max(axis=0) + width / 2 + 1), size).astype(int)
        if (high <= low).any():
            return None
        return slice(low[1], high[1]), slice(low[0], high[0])

    def lit(self, unit: float, strength: float = 0.5) -> np.ndarray:
        """Light the relief of the paint from the upper left.

        Args:
            unit: Unit of length in pixels.
            strength: Contrast of the relief.

        Returns:
            Picture ``(H, W, 3)`` in sRGB, in [0, 1].
        """
        down, right = np.gradient(ndimage.gaussian_filter(self.height, 0.6 * unit))
        slope = unit * (0.6 * right + 0.8 * down)  # towards the light is up and to the left
        shade = np.clip(slope, -0.6, 0.6)[..., None]
        gloss = np.clip(slope - 0.18, 0, 0.4)[..., None]
        return np.clip(self.colour * (1 + strength * shade) + 0.35 * strength * gloss, 0, 1)


def _stroke_coordinates(
    path: np.ndarray, rows: slice, columns: slice, half_width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return at every pixel ``u`` along the stroke, in [0, 1] without the overhang, and ``v`` across, in [-1, 1]."""
    y, x = np.mgrid[rows, columns] + 0.5
    run = np.diff(path, axis=0)
    squared = (run**2).sum(axis=-1) + 1e-9
    dx, dy = x[..., None] - path[:-1, 0], y[..., None] - path[:-1, 1]  # (h, w, K - 1)
    low, high = np.zeros(len(run)), np.ones(len(run))
    low[0], high[-1] = -OVERHANG, 1 + OVERHANG
    t = np.clip((dx * run[:, 0] + dy * run[:, 1]) / squared, low, high)
    away = np.hypot(dx - t * run[:, 0], dy - t * run[:, 1])
    nearest = away.argmin(axis=-1)[..., None]
    side = np.sign(run[:, 0] * dy - run[:, 1] * dx)

    def pick(values: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, nearest, axis=-1)[..., 0]

    return (pick(t) + nearest[..., 0]) / len(run), pick(away * side) / half_width


def _footprint(u: np.ndarray, v: np.ndarray, bristles: np.ndarray, width: float) -> np.ndarray:
    """Return the coverage of the stroke's area, whose ends are as ragged as the bristles."""
    side = 0.93 + 0.14 * bristles - 0.3 * np.clip((u - 0.6) / 0.4, 0, 1) ** 2
    start = -0.08 + 0.09 * v**2 + 0.10 * (bristles - 0.5)
    end = 1.07 - 0.1 * v**2 - 0.22 * (1 - bristles)
    ends = np.clip((u - start) / 0.03, 0, 1) * np.clip((end - u) / 0.05, 0, 1)
    return ends * np.clip((side - np.abs(v)) * width / 2 + 0.3, 0, 1)


def _bristles(u: np.ndarray, v: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray:
    """Return the streaks of the bristles in [0, 1], narrow across the stroke and long along it."""
    count = max(int(width / 2.2), 3)
    streaks = rng.random(count + 2) * 0.7 + rng.random((4, count + 2)) * 0.3
    at = [np.clip(u, 0, 1) * 2.9, (v * 0.5 + 0.5) * count + 0.5 * np.sin(4 * u + rng.uniform(0, 6))]
    return np.clip(1.25 * ndimage.map_coordinates(streaks, at, order=1, mode="nearest") - 0.12, 0, 1)


def _dry_tail(u: np.ndarray, bristles: np.ndarray, runs_dry: float) -> np.ndarray:
    return np.clip(1.1 - np.clip((u - runs_dry) / 0.35, 0, 1) * 2.4 * (1 - bristles), 0, 1)


def paint_scene(canvas: Canvas, scene: Scene, brush: Brush, rng: np.random.Generator, crisp: bool = False) -> None:
    """Cover the canvas with one brush's strokes, each in the scene's colour at its start.

    Args:
        canvas: Canvas, painted in place.
        scene: Scene with colour, direction and label of every pixel.
        brush: Brush and the variation of its strokes.
        rng: Source of the random numbers.
        crisp: Whether the outlines of the objects are masked, so that strokes do not overlap them.
    """
    unit = unit_length(scene.size)
    starts = scatter(
        scene.size, unit * np.sqrt(brush.width * brush.length / brush.coverage), rng, unit * brush.length / 2
    )
    count = len(starts)
    lengths = unit * brush.length * rng.uniform(0.55, 1.3, count)
    paths = trace(scene.angle, starts, lengths, rng.normal(0, brush.wander, count))
    colours = lookup(scene.colour, starts)
    loads = np.stack(
        [
            jitter(colours, rng, brush.lightness, 0.012, brush.hue),
            jitter(colours, rng, brush.lightness, 0.02, brush.hue),
        ],
        axis=1,
    )
    widths = unit * brush.width * rng.uniform(0.7, 1.3, count)
    labels = lookup(scene.label, starts)
    stencils = {label: scene.label == label for label in np.unique(labels)} if crisp else {}
    for path, width, load, label in zip(paths, widths, loads, labels, strict=True):
        inside = path if crisp else stay_inside(scene.label, path)
        if len(inside) >= 3:
            canvas.stroke(inside, width, load, rng, stencils.get(label))
