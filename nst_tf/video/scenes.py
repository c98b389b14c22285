"""Made-up films whose optical flow is known exactly, for tests and for measurements.

``video=sample:NAME`` reads one: ``translation``, ``rotation``, ``zoom``, ``occlusion`` and ``photograph``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import map_coordinates

from nst_tf.images.samples import sample_pixels

PREFIX = "sample:"
"""Prefix of the name of a scene in the setting ``video``."""

COUNT, HEIGHT, WIDTH, RATE = 12, 192, 256, 12
"""Number of frames of a scene, its size in pixels, and its frames per second."""

Motion = Callable[[int], np.ndarray]
"""Number of a frame to the matrix ``(2, 3)`` that takes (column, row, 1) of the frame to a point of a texture."""


def _shift(columns: float, rows: float) -> Motion:
    return lambda n: np.array([[1, 0, -n * columns], [0, 1, -n * rows]], np.float64)


def _turn(degrees: float, growth: float, height: int, width: int) -> Motion:
    """Return the motion that turns by ``degrees`` and grows by the factor ``growth`` a frame, around the centre."""
    centre = np.array([(width - 1) / 2, (height - 1) / 2])

    def motion(n: int) -> np.ndarray:
        angle, scale = -n * np.deg2rad(degrees), growth**-n
        matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.column_stack([matrix, centre - matrix @ centre])

    return motion


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def _inverse(matrix: np.ndarray) -> np.ndarray:
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def _texture(points: np.ndarray, phase: float = 0.0) -> np.ndarray:
    """Return smooth colours in [0, 1] with structure at several sizes, at points ``(…, 2)``."""
    x, y = points[..., 0], points[..., 1]
    waves = [
        np.sin(0.11 * x + 0.05 * y + phase) + np.sin(0.31 * x - 0.23 * y) + 0.7 * np.sin(0.71 * x + 0.53 * y + phase),
        np.sin(0.07 * x - 0.13 * y + 1) + np.sin(0.27 * x + 0.37 * y + phase) + 0.7 * np.cos(0.61 * x - 0.67 * y),
        np.cos(0.09 * y + phase) + np.sin(0.41 * x + 0.19 * y + 2) + 0.7 * np.cos(0.57 * x + 0.77 * y + phase),
    ]
    return 0.5 + np.stack(waves, axis=-1) / 5.4


@dataclass(frozen=True)
class Scene:
    """A textured plane that moves, with or without a textured square in front of it.

    Attributes:
        height: Rows.
        width: Columns.
        count: Number of frames.
        background: Motion of the plane.
        square: Motion of the square; None for a scene without one.
        centre: Column and row of the centre of the square at frame 0.
        side: Side of the square in pixels.
        texture: Function from points ``(…, 2)`` of the plane to colours.
    """

    height: int
    width: int
    count: int
    background: Motion
    square: Motion | None = None
    centre: tuple[float, float] = (0.0, 0.0)
    side: float = 0.0
    texture: Callable[[np.ndarray], np.ndarray] = _texture

    def picture(self, n: int) -> np.ndarray:
        """Return frame n, ``(H, W, 3)`` float32 in [0, 1]."""
        points = self._points()
        colours = self.texture(_apply(self.background(n), points))
        if self.square is not None:
            places = _apply(self.square(n), points)
            colours = np.where(self._in_square(places)[..., None], _texture(1.3 * places, 2.5), colours)
        return colours.astype(np.float32)

    def frames(self) -> Iterator[np.ndarray]:
        """Yield all frames."""
        return (self.picture(n) for n in range(self.count))

    def flow(self, start: int, end: int) -> np.ndarray:
        """Return the flow from one frame to another, ``(H, W, 2)`` float32."""
        points = self._points()
        moved = _apply(_inverse(self.background(end)), _apply(self.background(start), points))
        if self.square is not None:
            places = _apply(self.square(start), points)
            on_square = _apply(_inverse(self.square(end)), places)
            moved = np.where(self._in_square(places)[..., None], on_square, moved)
        return (moved - points).astype(np.float32)

    def visible(self, start: int, end: int) -> np.ndarray:
        """Return the positions of one frame that another frame shows, ``(H, W)`` bool."""
        points = self._points()
        moved = points + self.flow(start, end)
        limits = np.array([self.width - 1, self.height - 1])
        inside = np.all((moved >= 0) & (moved <= limits), axis=-1)
        if self.square is None:
            return inside
        is_square = self._in_square(_apply(self.square(start), points))
        return inside & (is_square | ~self._in_square(_apply(self.square(end), moved)))

    def resized(self, height: int, width: int) -> Scene:
        """Return the same scene with other numbers of rows and columns, whose flow is that of resized frames."""
        scale = np.array([self.width / width, self.height / height])
        matrix = np.column_stack([np.diag(scale), 0.5 * scale - 0.5])  # pixels are squares around their centres

        def composed(motion: Motion) -> Motion:
            return lambda n: np.column_stack([motion(n)[:, :2] @ matrix[:, :2], _apply(motion(n), matrix[:, 2])])

        square = None if self.square is None else composed(self.square)
        return replace(self, height=height, width=width, background=composed(self.background), square=square)

    def _points(self) -> np.ndarray:
        rows, columns = np.mgrid[0 : self.height, 0 : self.width].astype(np.float64)
        return np.stack([columns, rows], axis=-1)

    def _in_square(self, places: np.ndarray) -> np.ndarray:
        return np.all(np.abs(places - np.array(self.centre)) <= self.side / 2, axis=-1)


def translation(height: int = HEIGHT, width: int = WIDTH, count: int = COUNT) -> Scene:
    """Return a plane that moves by 3 columns and −1.5 rows a frame."""
    return Scene(height, width, count, _shift(3, -1.5))


def rotation(height: int = HEIGHT, width: int = WIDTH, count: int = COUNT) -> Scene:
    """Return a plane that turns by 1.5 degrees a frame around the centre."""
    return Scene(height, width, count, _turn(1.5, 1.0, height, width))


def zoom(height: int = HEIGHT, width: int = WIDTH, count: int = COUNT) -> Scene:
    """Return a plane that turns by half a degree and grows by 2 percent a frame."""
    return Scene(height, width, count, _turn(0.5, 1.02, height, width))


def occlusion(height: int = HEIGHT, width: int = WIDTH, count: int = COUNT) -> Scene:
    """Return a plane that moves by −1 column a frame behind a square that moves by 4 columns and 2 rows."""
    centre = ((width - 1) / 2, (height - 1) / 2)
    return Scene(height, width, count, _shift(-1, 0), _shift(4, 2), centre, side=min(height, width) / 3)


def photograph(height: int = HEIGHT, width: int = WIDTH, count: int = COUNT) -> Scene:
    """Return a photograph under a camera that turns by half a degree and comes nearer by 1.5 percent a frame."""
    return Scene(height, width, count, _turn(0.5, 1.015, height, width), texture=_photograph)


def _photograph(points: np.ndarray) -> np.ndarray:
    """Return the colours of a sample photograph at points ``(…, 2)``, interpolated by cubic splines."""
    channels = [
        map_coordinates(channel, [points[..., 1] + 60, points[..., 0] + 120], order=3, mode="mirror")
        for channel in _photograph_channels()
    ]
    return np.clip(np.stack(channels, axis=-1), 0, 1)


@functools.cache
def _photograph_channels() -> list[np.ndarray]:
    pixels = sample_pixels("coffee", "video") / 255
    return [pixels[..., n] for n in range(3)]


SCENES: dict[str, Callable[..., Scene]] = {
    "translation": translation,
    "rotation": rotation,
    "zoom": zoom,
    "occlusion": occlusion,
    "photograph": photograph,
}
"""Scenes by name."""
