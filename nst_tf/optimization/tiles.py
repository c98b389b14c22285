"""Division of a picture into overlapping tiles, so that a network's features are computed part by part.

Every tile computes the features of its window and owns a part of it. The windows of all tiles have the same shape, so
that one compiled function serves them all. A window contains whatever the features in its own part depend on, so that
these are the features of the whole picture; those outside of its own part are ignored, because another tile owns them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from nst_tf.backbones import Extractor
from nst_tf.backbones.receptive_field import receptive_fields, wraps_around
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf


class AxisGrid(NamedTuple):
    """Alignment and margin of the tiles along one axis, which follow from the network.

    Attributes:
        cell: Pixels to a multiple of which tiles are aligned: the largest stride of a layer, j.
        reach: Largest number of pixels beyond its cell that a feature depends on, h.
    """

    cell: int
    reach: int

    @property
    def margin(self) -> int:
        """Width of the margin before a tile's own part: the reach, rounded up to whole cells."""
        return -(-self.reach // self.cell) * self.cell


@dataclass(frozen=True)
class Grid:
    """Alignment and margins of the tiles of a network.

    Attributes:
        axes: The grids along height and width.
        strides: Strides along height and width of each layer, by the name that the losses use.
        extractor: The network.
    """

    axes: tuple[AxisGrid, AxisGrid]
    strides: Mapping[str, tuple[int, int]]
    extractor: Extractor

    @classmethod
    def of(cls, extractor: Extractor) -> Grid:
        """Return the grid of the layers that an extractor returns.

        Raises:
            InputError: A layer combines all positions of a picture or both of its borders, so that the network cannot
                be used with tiles.
        """
        if extractor.model is None:
            return cls((AxisGrid(1, 0), AxisGrid(1, 0)), {}, extractor)
        if wraps_around(extractor.model):
            raise InputError("backbone.padding=circular: the features at one border depend on the opposite one.")
        fields = receptive_fields(extractor.model)
        by_layer = {layer: fields[name] for layer, name in extractor.layers.items()}
        vertical, horizontal = (
            AxisGrid(math.lcm(*(each.stride for each in along)), max(each.reach for each in along))
            for along in zip(*by_layer.values(), strict=True)
        )
        strides = {layer: (field.vertical.stride, field.horizontal.stride) for layer, field in by_layer.items()}
        return cls((vertical, horizontal), strides, extractor)


@dataclass(frozen=True)
class AxisTiles:
    """Tiles along one axis of a picture, in pixels.

    Attributes:
        size: Side of the picture.
        window: Side of every tile's window. It has the picture's remainder by the grid's cell, so that strides and
            poolings treat it as they treat the picture.
        starts: First pixel of each window, a multiple of the cell.
        bounds: First pixel of the part that each tile owns, a multiple of the cell, and ``size`` at the end.
    """

    size: int
    window: int
    starts: tuple[int, ...]
    bounds: tuple[int, ...]

    @classmethod
    def plan(cls, size: int, own: int, grid: AxisGrid) -> AxisTiles:
        """Divide an axis into the fewest tiles whose own part has at most about ``own`` pixels, of equal windows.

        The first and the last window end at the picture's border, where padding acts as in the whole picture.

        Args:
            size: Side of the picture.
            own: Largest number of pixels between two margins; it is rounded up to whole cells.
            grid: The network's grid.
        """
        cells = max(1, -(-own // grid.cell))
        largest = cls._largest_window(size, cells, grid)
        if largest >= size:
            return cls(size, size, (0,), (0, size))
        count = 1 + -(-(size - largest) // _largest_step(largest, grid))
        window = next(w for w in range(size % grid.cell, size, grid.cell) if _covers(size, w, count, grid))
        steps = (size - window) // grid.cell
        starts = tuple(grid.cell * (index * steps // (count - 1)) for index in range(count))
        bounds = (0, *(start + grid.margin for start in starts[1:]), size)
        return cls(size, window, starts, bounds)

    @staticmethod
    def _largest_window(size: int, cells: int, grid: AxisGrid) -> int:
        """Return the side of a window with ``cells`` cells between two margins."""
        return cells * grid.cell + 2 * grid.margin + size % grid.cell

    def owned(self, index: int) -> tuple[int, int]:
        """Return the first pixel that a tile owns, and the one after the last."""
        return self.bounds[index], self.bounds[index + 1]


def _largest_step(window: int, grid: AxisGrid) -> int:
    """Return the largest distance of two windows that leaves both margins between them, in pixels; 0 for none."""
    return max(0, (window - grid.reach - grid.margin) // grid.cell * grid.cell)


def _covers(size: int, window: int, count: int, grid: AxisGrid) -> bool:
    """Return whether ``count`` windows of this side cover an axis."""
    return (size - window) // grid.cell <= (count - 1) * (_largest_step(window, grid) // grid.cell)


@dataclass(frozen=True)
class Tiling:
    """The tiles of one picture, numbered row by row.

    Attributes:
        rows: Tiles along the height.
        columns: Tiles along the width.
        grid: The network's grid.
    """

    rows: AxisTiles
    columns: AxisTiles
    grid: Grid

    @classmethod
    def plan(cls, height: int, width: int, own: int, grid: Grid) -> Tiling:
        """Divide a picture into tiles that own about ``own`` × ``own`` pixels each.

        Args:
            height: Height of the picture, in pixels.
            width: Width of the picture, in pixels.
            own: See `AxisTiles.plan`.
            grid: The network's grid.
        """
        rows, columns = (AxisTiles.plan(size, own, axis) for size, axis in zip((height, width), grid.axes, strict=True))
        return cls(rows, columns, grid)

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.rows.starts) * len(self.columns.starts)

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of every window, in pixels."""
        return self.rows.window, self.columns.window

    def layer_shape(self, layer: str) -> tuple[int, int]:
        """Return height and width of a layer of the whole picture, in positions."""
        extractor = self.grid.extractor
        shapes = extractor.model.compute_output_shape((1, self.rows.size, self.columns.size, 3))
        height, width = shapes[extractor.layers[layer]][1:3]
        return height, width


@dataclass(frozen=True)
class Tile:
    """One tile of a picture.

    Attributes:
        tiling: The tiles of the picture.
        index: The tile's number, an int32 scalar.
    """

    tiling: Tiling
    index: tf.Tensor

    def crop(self, image: tf.Tensor) -> tf.Tensor:
        """Cut the window out of a picture ``(B, H, W, 3)``."""
        return _cropped(image, self._starts(), self.tiling.window)

    def place(self, window: tf.Tensor) -> tf.Tensor:
        """Return a picture that is 0 outside of the window."""
        return _padded(window, self._starts(), (self.tiling.rows.size, self.tiling.columns.size))

    def crop_layer(self, whole: tf.Tensor, layer: str, features: tf.Tensor) -> tf.Tensor:
        """Cut the window out of a map of a layer's positions.

        Args:
            whole: Features, targets or weights of the whole picture's positions, ``(B, H, W, C)``.
            layer: Name of the layer.
            features: Features of the window in this layer, ``(B, h, w, C)``; only their shape is read.
        """
        return _cropped(whole, self._layer_starts(layer), (features.shape[1], features.shape[2]))

    def place_layer(self, features: tf.Tensor, layer: str) -> tf.Tensor:
        """Return features of the whole picture that are 0 outside of the window."""
        return _padded(features, self._layer_starts(layer), self.tiling.layer_shape(layer))

    def owned(self, layer: str, features: tf.Tensor) -> tf.Tensor:
        """Return 1 at the positions that the tile owns and 0 at the others, ``(1, h, w, 1)`` float32.

        Every position of the picture is owned by one tile.

        Args:
            layer: Name of the layer.
            features: Features of the window in this layer, ``(B, h, w, C)``; only their shape is read.
        """
        axes = zip(self._axes(), self.tiling.grid.strides[layer], features.shape[1:3], strict=True)
        rows, columns = (_owned_positions(*axis, stride, positions) for axis, stride, positions in axes)
        return (rows[:, None] * columns)[None, :, :, None]

    def _axes(self) -> tuple[tuple[AxisTiles, tf.Tensor], tuple[AxisTiles, tf.Tensor]]:
        """Return the tiles along height and width, each with this tile's number there."""
        rows, columns = self.tiling.rows, self.tiling.columns
        return (rows, self.index // len(columns.starts)), (columns, self.index % len(columns.starts))

    def _starts(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the first row and column of the window, in pixels."""
        (rows, row), (columns, column) = self._axes()
        return tf.gather(rows.starts, row), tf.gather(columns.starts, column)

    def _layer_starts(self, layer: str) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the first row and column of the window, in positions of a layer."""
        (top, left), (vertical, horizontal) = self._starts(), self.tiling.grid.strides[layer]
        return top // vertical, left // horizontal


def _cropped(whole: tf.Tensor, starts: tuple[tf.Tensor, tf.Tensor], shape: tuple[int, int]) -> tf.Tensor:
    """Cut a height and width out of ``(B, H, W, C)``, from a first row and column on."""
    return tf.slice(whole, [0, *starts, 0], [whole.shape[0], *shape, whole.shape[3]])


def _padded(part: tf.Tensor, starts: tuple[tf.Tensor, tf.Tensor], shape: tuple[int, int]) -> tf.Tensor:
    """Pad ``(B, h, w, C)`` with zeros to a height and width; it begins at a first row and column."""
    sides = zip(starts, part.shape[1:3], shape, strict=True)
    amounts = [[start, whole - size - start] for start, size, whole in sides]
    return tf.ensure_shape(tf.pad(part, [[0, 0], *amounts, [0, 0]]), [part.shape[0], *shape, part.shape[3]])


def _owned_positions(tiles: AxisTiles, number: tf.Tensor, stride: int, positions: int) -> tf.Tensor:
    """Return 1 at the positions of a window that its tile owns along one axis and 0 at the others, float32."""
    pairs = zip(itertools.pairwise(tiles.bounds), tiles.starts, strict=True)
    ranges = [[(low - start) // stride, (high - start) // stride] for (low, high), start in pairs]
    ranges[-1][1] = positions  # beyond the last whole cell there may be one more position
    low, high = tf.unstack(tf.gather(ranges, number))
    place = tf.range(positions)
    return tf.cast((place >= low) & (place < high), tf.float32)
