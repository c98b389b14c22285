"""Fields over the unit square: coordinates, noise, steps, and the scene that is then painted."""

import numpy as np
from scipy import ndimage

REFERENCE_SIZE = 768
"""Side in pixels of a picture in which one unit of length is one pixel."""

SMALLEST_UNIT = 0.35
"""Smallest unit of length in pixels."""


def unit_length(size: int) -> float:
    """Return the unit of length in pixels; its lower bound gives small pictures fewer strokes, not invisible ones."""
    return max(size / REFERENCE_SIZE, SMALLEST_UNIT)


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates ``x`` (right) and ``y`` (down) of the pixel centres in [0, 1], each ``(size, size)``."""
    centres = (np.arange(size) + 0.5) / size
    return np.meshgrid(centres, centres)


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Interpolate from 0 at ``low`` to 1 at ``high`` with 3t² − 2t³."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def noise(x: np.ndarray, y: np.ndarray, frequency: float, rng: np.random.Generator, octaves: int = 3) -> np.ndarray:
    """Evaluate fractal value noise; an equal generator gives the same field at every resolution.

    Args:
        x: Coordinates, of any shape.
        y: Coordinates, of the shape of ``x``.
        frequency: Cells of the first octave in a side of the picture.
        rng: Source of the random numbers.
        octaves: Number of octaves; each doubles the frequency and halves the height.

    Returns:
        Values of about [−1, 1] with mean 0, of the shape of ``x``.
    """
    total, height = np.zeros(np.shape(x)), 1.0
    for octave in range(octaves):
        lattice = rng.normal(0, 0.5, (64, 64))
        scale = frequency * 2**octave
        shift = rng.random(2) * 64
        at = [np.asarray(y) * scale + shift[0], np.asarray(x) * scale + shift[1]]
        total += height * ndimage.map_coordinates(lattice, at, order=3, mode="grid-wrap")
        height /= 2
    return total


def noise_image(size: int, frequency: float, rng: np.random.Generator, octaves: int = 3) -> np.ndarray:
    """Evaluate `noise` on the grid of the picture, ``(size, size)``."""
    return noise(*grid(size), frequency, rng, octaves)


def ridge(x: np.ndarray, level: float, height: float, frequency: float, rng: np.random.Generator) -> np.ndarray:
    """Return a skyline: ``y`` as a function of ``x`` that varies by ``height`` around ``level``."""
    return level + height * noise(x, np.zeros_like(x), frequency, rng, octaves=3)


def along(stream: np.ndarray) -> np.ndarray:
    """Return the direction in radians along the level lines of a stream function, ``(H, W)``."""
    down, right = np.gradient(stream)
    return np.arctan2(-right, down)


def lookup(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Read a field at the pixels nearest to ``points``.

    Args:
        field: Array ``(H, W)`` or ``(H, W, C)``.
        points: Points ``(..., 2)`` as ``x, y`` in pixels; those outside are moved to the border.

    Returns:
        Values ``(...)`` or ``(..., C)``.
    """
    height, width = field.shape[:2]
    column = np.clip(points[..., 0].astype(int), 0, width - 1)
    row = np.clip(points[..., 1].astype(int), 0, height - 1)
    return field[row, column]


class Scene:
    """The scene before it is painted: colour, direction of the strokes and label of every pixel.

    Attributes:
        size: Side in pixels.
        x: Coordinates ``(H, W)`` in [0, 1], to the right.
        y: Coordinates ``(H, W)`` in [0, 1], downwards.
        colour: Colours ``(H, W, 3)`` in sRGB, in [0, 1].
        angle: Directions ``(H, W)`` of the strokes in radians.
        label: Number of the visible object, ``(H, W)``; a stroke stays within one object.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.x, self.y = grid(size)
        self.colour = np.zeros((size, size, 3))
        self.angle = np.zeros((size, size))
        self.label = np.zeros((size, size), int)

    def put(self, mask: np.ndarray, colour: np.ndarray, angle: np.ndarray | float) -> None:
        """Place an object in front of all others.

        Args:
            mask: Pixels of the object, ``(H, W)`` bool.
            colour: Colours ``(H, W, 3)`` or ``(3,)`` in sRGB, in [0, 1].
            angle: Directions ``(H, W)``, or one direction, in radians.
        """
        self.colour = np.where(mask[..., None], colour, self.colour)
        self.angle = np.where(mask, angle, self.angle)
        self.label = np.where(mask, self.label.max() + 1, self.label)
