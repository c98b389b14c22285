"""Square patches of a layer's features: their positions, their similarity, and what overlapping patches add up to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nst_tf.util.lazy import tf
from nst_tf.util.nearest import nearest_cosine, unit


class PatchGrid(NamedTuple):
    """The patches of a layer of ``height`` × ``width`` positions, row by row.

    They lie ``stride`` positions apart. The last patch of each row and column ends at the border, even if it is nearer
    to the one before, so that patches cover every position if the stride is at most the size.

    Attributes:
        height: Rows of the layer, at least ``size``.
        width: Columns of the layer, at least ``size``.
        size: Side k of a patch.
        stride: Distance of neighbouring patches.
    """

    height: int
    width: int
    size: int
    stride: int

    def positions(self) -> tf.Tensor:
        """Return the positions in each patch, row by row, as numbers of rows of ``(h·w, C)``: ``(N, k²)`` int32."""
        offsets = np.arange(self.size)
        vertical = patch_starts(self.height, self.size, self.stride)[:, None] + offsets  # (rows, k)
        horizontal = patch_starts(self.width, self.size, self.stride)[:, None] + offsets  # (columns, k)
        grid = vertical[:, None, :, None] * self.width + horizontal[None, :, None, :]  # (rows, columns, k, k)
        return tf.reshape(tf.constant(grid, tf.int32), [-1, self.size**2])

    def covering(self) -> Iterator[tf.Tensor]:
        """Yield, for each of the k² places in a patch, which patch has each position there: ``(h·w,)`` int32 or −1."""
        vertical = covering_patches(self.height, self.size, self.stride)  # (h, k)
        horizontal = covering_patches(self.width, self.size, self.stride)  # (w, k)
        columns = horizontal.max() + 1
        for rows in vertical.T:
            for each in horizontal.T:
                number = rows[:, None] * columns + each
                yield tf.constant(np.where((rows[:, None] < 0) | (each < 0), -1, number).reshape(-1), tf.int32)


def patch_starts(length: int, size: int, stride: int) -> np.ndarray:
    """Return where patches start along an axis: 0, ``stride``, 2 ``stride`` …, and last ``length − size``."""
    last = length - size
    starts = np.arange(0, last + 1, stride)
    return starts if starts[-1] == last else np.append(starts, last)


def covering_patches(length: int, size: int, stride: int) -> np.ndarray:
    """Return which patch has its place d at each position along an axis, ``(length, size)``; −1 for none."""
    starts = patch_starts(length, size, stride)
    covering = np.full((length, size), -1)
    offsets = np.arange(size)
    covering[starts[:, None] + offsets, offsets] = np.arange(len(starts))[:, None]
    return covering


class PatchBank(NamedTuple):
    """The patches of a style in one layer, of one picture or of several.

    Attributes:
        rows: Features of all positions, ``(P, C)`` in the precision of the backbone.
        patches: Positions in each patch, ``(N, k²)`` int32.
        maps: Semantic map at all positions, ``(P, R)``; None without one.
    """

    rows: tf.Tensor
    patches: tf.Tensor
    maps: tf.Tensor | None = None

    def vectors(self, by_position: bool, map_weight: float) -> tf.Tensor:
        """Return one vector for each patch, whose cosines order pairs of patches by similarity: ``(N, …)`` float32.

        The similarity is ``cos(p, q) + map_weight · cos(map of p, map of q)``, where the cosines are those of whole
        patches, or the means of those of their positions. All vectors have the same length.

        Args:
            by_position: Whether each position is compared by its own cosine.
            map_weight: Weight of the map's similarity, which counts only if there is a map.
        """
        features = _unit_patches(self.rows, self.patches, by_position)
        if self.maps is None or not map_weight:
            return features
        maps = _unit_patches(_with_zeros(self.maps), self.patches, by_position)
        return tf.concat([features, map_weight**0.5 * maps], -1)


def join_banks(banks: Sequence[PatchBank]) -> PatchBank:
    """Return the patches of several pictures as one bank; all of them have a map, or none."""
    starts = np.cumsum([0, *(bank.rows.shape[0] for bank in banks[:-1])])
    patches = [bank.patches + int(start) for start, bank in zip(starts, banks, strict=True)]
    maps = [bank.maps for bank in banks]
    joined = None if maps[0] is None else tf.concat(maps, 0)
    return PatchBank(tf.concat([bank.rows for bank in banks], 0), tf.concat(patches, 0), joined)


def _unit_patches(rows: tf.Tensor, patches: tf.Tensor, by_position: bool) -> tf.Tensor:
    """Return patches ``(N, …)`` float32 of length 1, the positions of each of equal length with ``by_position``."""
    rows = unit(_with_zeros(rows)) if by_position else rows
    values = tf.gather(rows, patches)  # (N, k², C)
    return unit(tf.reshape(values, [-1, values.shape[1] * values.shape[2]]))


def _with_zeros(rows: tf.Tensor) -> tf.Tensor:
    """Add a channel that is 1 where all others of ``(P, C)`` are 0, so that such a position has a direction too."""
    zero = tf.reduce_all(rows == 0, axis=-1, keepdims=True)
    return tf.concat([rows, tf.cast(zero, rows.dtype)], -1)


class MatchedPatches(NamedTuple):
    """The features of the style's matched patches q_i at the positions p of a picture's layer.

    Attributes:
        count: Number of patches that cover each position, ``(h·w, 1)`` float32.
        mean: T, the mean of their features there, ``(h·w, C)`` float32.
        spread: ``Σ_i ‖q_i(p) − T(p)‖²``, ``(h·w, 1)`` float32.
    """

    count: tf.Tensor
    mean: tf.Tensor
    spread: tf.Tensor


def match_patches(vectors: tf.Tensor, grid: PatchGrid, bank: PatchBank, bank_vectors: tf.Tensor) -> MatchedPatches:
    """Give each patch of a picture the most similar patch of a style. The result has no gradient.

    Args:
        vectors: The picture's patches, as `PatchBank.vectors` returns them.
        grid: The picture's patches.
        bank: The patches of the style.
        bank_vectors: Their vectors.
    """
    nearest, _ = nearest_cosine(vectors, bank_vectors)  # (N,)
    rows = tf.stop_gradient(bank.rows)

    def places() -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """Yield, for each place in a patch, 1 where a patch has it, ``(h·w, 1)``, and its features, ``(h·w, C)``."""
        for place, number in enumerate(grid.covering()):
            position = tf.gather(bank.patches[:, place], tf.gather(nearest, tf.maximum(number, 0)))
            yield tf.cast(number >= 0, tf.float32)[:, None], tf.cast(tf.gather(rows, position), tf.float32)

    count = sum(exists for exists, _ in places())
    mean = sum(exists * q for exists, q in places()) / count
    spread = sum(exists * tf.reduce_sum(tf.square(q - mean), -1, keepdims=True) for exists, q in places())
    return MatchedPatches(*(tf.stop_gradient(value) for value in (count, mean, spread)))
