"""Samples of a picture's colours and features at chosen positions, joined over layers of several resolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from nst_tf.util.lazy import tf

GRID_POINTS = 128**2
"""Number of points that the grid of a large picture has, about."""


class Grid(NamedTuple):
    """The points at which a picture may be sampled: every n-th row and every m-th column.

    Attributes:
        height: Rows of the picture.
        width: Columns of the picture.
        row_stride: Rows from one point to the next, ``⌊√(H·W // 128²)⌋`` and at least 1.
        column_stride: Columns from one point to the next, ``⌈√(H·W // 128²)⌉`` and at least 1.
    """

    height: int
    width: int
    row_stride: int
    column_stride: int

    @classmethod
    def of(cls, image: tf.Tensor) -> Grid:
        """Return the grid of a picture ``(H, W, 3)``."""
        height, width = image.shape[:2]
        root = math.sqrt(height * width // GRID_POINTS)
        return cls(height, width, max(math.floor(root), 1), max(math.ceil(root), 1))

    @property
    def fewest(self) -> int:
        """Number of points from the start that leaves the fewest."""
        return max(1, self.height // self.row_stride) * max(1, self.width // self.column_stride)

    def draw_start(self, seed: tf.Tensor) -> tf.Tensor:
        """Draw the first row and column, ``(2,)`` int32, from a seed ``(2,)``."""
        strides = tf.constant([self.row_stride, self.column_stride], tf.float32)
        return tf.cast(tf.floor(tf.random.stateless_uniform([2], seed) * strides), tf.int32)

    @property
    def pixels(self) -> tf.Tensor:
        """Row and column of every pixel of the picture, ``(H·W, 2)`` int32."""
        return self._replace(row_stride=1, column_stride=1).points(tf.constant([0, 0]))

    def points(self, start: tf.Tensor) -> tf.Tensor:
        """Return all points from a start ``(2,)`` on, ``(n, 2)`` int32: row and column of each."""
        rows = tf.range(start[0], self.height, self.row_stride)
        columns = tf.range(start[1], self.width, self.column_stride)
        return tf.reshape(tf.stack(tf.meshgrid(rows, columns, indexing="ij"), axis=-1), [-1, 2])


def sample_between(features: Sequence[tf.Tensor], positions: tf.Tensor) -> tf.Tensor:
    """Sample layers bilinearly at positions of the picture.

    A position is divided by 2 at each pooling. It stands for the corner of a pixel of every layer, not for the middle.

    Args:
        features: The picture ``(H, W, 3)`` and its layers ``(h, w, C)``, of any float dtype.
        positions: ``(n, 2)`` int32, row and column in the picture.

    Returns:
        ``(n, ΣC)`` float32.
    """
    return tf.concat([_bilinear(x, positions / 2 ** _halvings(features[0], x)) for x in features], axis=1)


def sample_positions(features: Sequence[tf.Tensor], positions: tf.Tensor) -> tf.Tensor:
    """Sample layers at positions of the picture, divided by 2 and rounded down at each pooling.

    Args:
        features: The picture ``(H, W, 3)`` and its layers ``(h, w, C)``, of any float dtype.
        positions: ``(n, 2)`` int32, row and column in the picture.

    Returns:
        ``(n, ΣC)`` float32.
    """
    return tf.concat([_at(x, positions // 2 ** _halvings(features[0], x)) for x in features], axis=1)


def _halvings(image: tf.Tensor, x: tf.Tensor) -> int:
    """Return how often a layer ``(h, w, C)`` halves the picture ``(H, W, 3)``."""
    return round(math.log2(max(image.shape[:2]) / max(x.shape[:2])))


def _bilinear(x: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    below = tf.floor(positions)
    part = tf.cast(positions - below, tf.float32)  # (n, 2)
    corner = tf.cast(below, tf.int32)
    samples = []
    for down in (0, 1):
        for right in (0, 1):
            weights = [part[:, 0] if down else 1.0 - part[:, 0], part[:, 1] if right else 1.0 - part[:, 1]]
            samples.append((weights[0] * weights[1])[:, None] * _at(x, corner + tf.constant([down, right])))
    return tf.add_n(samples)


def _at(x: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """Return features ``(h, w, C)`` at positions ``(n, 2)``, or at the nearest ones inside: ``(n, C)`` float32."""
    inside = tf.clip_by_value(positions, 0, tf.constant([x.shape[0] - 1, x.shape[1] - 1]))
    return tf.cast(tf.gather_nd(x, inside), tf.float32)
