"""Fields over the unit square: coordinates, noise, steps, and the scene that a hand then renders."""

import numpy as np
from scipy import ndimage

REFERENCE_SIZE = 768
SMALLEST_UNIT = 0.35


def unit_length(size: int) -> float:
    """Give the brush's unit in pixels: 1 at 768 px; a small picture gets fewer strokes, not invisible ones."""
    return max(size / REFERENCE_SIZE, SMALLEST_UNIT)


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the pixel centres' coordinates ``x`` (right) and ``y`` (down) in [0, 1], each ``(size, size)``."""
    centres = (np.arange(size) + 0.5) / size
    return np.meshgrid(centres, centres)


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Rise from 0 at ``low`` to 1 at ``high`` by 3t² - 2t³."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def noise(x: np.ndarray, y: np.ndarray, frequency: float, rng: np.random.Generator, octaves: int = 3) -> np.ndarray:
    """Evaluate fractal value noise; the same chance gives the same field at every resolution.

    Args:
        x: coordinates, any shape.
        y: coordinates, the shape of ``x``.
        frequency: cells of the first octave per unit of length.
        rng: source of chance.
        octaves: each doubles the frequency and halves the height.

    Returns:
        About [-1, 1] with mean 0, the shape of ``x``.
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
    """Evaluate ``noise`` on the picture's grid, ``(size, size)``."""
    return noise(*grid(size), frequency, rng, octaves)


def ridge(x: np.ndarray, level: float, height: float, frequency: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a skyline: ``y`` as a function of ``x``, wandering by ``height`` about ``level``."""
    return level + height * noise(x, np.zeros_like(x), frequency, rng, octaves=3)


def along(stream: np.ndarray) -> np.ndarray:
    """Give the direction in radians along the level lines of a stream function, ``(H, W)``."""
    down, right = np.gradient(stream)
    return np.arctan2(-right, down)


def lookup(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Read a field at the pixels nearest to ``points``.

    Args:
        field: ``(H, W)`` or ``(H, W, C)``.
        points: ``(..., 2)`` as ``x, y`` in pixels; outside is clamped to the border.

    Returns:
        ``(...)`` or ``(..., C)``.
    """
    height, width = field.shape[:2]
    column = np.clip(points[..., 0].astype(int), 0, width - 1)
    row = np.clip(points[..., 1].astype(int), 0, height - 1)
    return field[row, column]


class Scene:
    """What is seen before a hand renders it: colour, direction of the brush and label of every pixel.

    Attributes:
        size: side in pixels.
        x: ``(H, W)`` coordinates in [0, 1], to the right.
        y: ``(H, W)`` coordinates in [0, 1], downwards.
        colour: ``(H, W, 3)`` sRGB in [0, 1].
        angle: ``(H, W)`` direction of the strokes in radians.
        label: ``(H, W)`` number of the thing seen; a stroke does not leave it.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.x, self.y = grid(size)
        self.colour = np.zeros((size, size, 3))
        self.angle = np.zeros((size, size))
        self.label = np.zeros((size, size), int)

    def put(self, mask: np.ndarray, colour: np.ndarray, angle: np.ndarray | float) -> None:
        """Place a thing in front of all that is there.

        Args:
            mask: ``(H, W)`` bool, where the thing is.
            colour: ``(H, W, 3)`` or ``(3,)`` sRGB in [0, 1].
            angle: ``(H, W)`` or one direction in radians.
        """
        self.colour = np.where(mask[..., None], colour, self.colour)
        self.angle = np.where(mask, angle, self.angle)
        self.label = np.where(mask, self.label.max() + 1, self.label)
