"""The nearest neighbour of each of many vectors by cosine, found tile by tile so that no large matrix is made."""

from __future__ import annotations

import math

from nst_tf.util.lazy import tf

TILE_ELEMENTS = 2**24
"""Largest number of cosines that are held at once, 64 MiB in float32."""

SMALLEST_SQUARE = 1e-30
"""Floor of squared norms: a vector of zeros has the cosine 0 with every other."""


def nearest_cosine(
    queries: tf.Tensor,
    keys: tf.Tensor,
    chunk_bound_elements: int = TILE_ELEMENTS,
    *,
    query_mean: tf.Tensor | None = None,
    key_mean: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the key of the largest cosine ``<q, k> / (|q| |k|)`` for each query.

    The cosines are computed in tiles of at most ``chunk_bound_elements``, so that memory grows with N and M, but not
    with N·M. Vectors of any precision are compared in float32, converted tile by tile. Of equal cosines the first key
    wins. Indices and cosines carry no gradient: a loss gathers the keys and compares them with its features again,
    which takes N·C operations; see `cosine`.

    Args:
        queries: ``(N, C)`` of any float dtype.
        keys: ``(M, C)``, with M of at least 1.
        chunk_bound_elements: Largest number of cosines in a tile, at least 1. Default `TILE_ELEMENTS`.
        query_mean: ``(C,)`` or ``(1, C)`` float32, subtracted from every query; None subtracts nothing.
        key_mean: The same for the keys.

    Returns:
        Index of the nearest key ``(N,)`` int32, and the cosine ``(N,)`` float32.
    """
    queries, keys = tf.stop_gradient(queries), tf.stop_gradient(keys)
    side = max(1, math.isqrt(chunk_bound_elements))
    count, available = tf.shape(queries)[0], tf.shape(keys)[0]
    key_rows = tf.minimum(available, side)
    query_rows = chunk_bound_elements // key_rows
    tiles = -(-count // query_rows)

    def search(tile: tf.Tensor, indices: tf.TensorArray, cosines: tf.TensorArray) -> tuple:
        some = _unit_rows(queries[tile * query_rows : (tile + 1) * query_rows], query_mean)
        index, value = _best_key(some, keys, key_mean, key_rows)
        return tile + 1, indices.write(tile, index), cosines.write(tile, value)

    empty = [
        tf.TensorArray(dtype, size=tiles, infer_shape=False, element_shape=[None]) for dtype in (tf.int32, tf.float32)
    ]
    _, indices, cosines = tf.while_loop(lambda tile, *_: tile < tiles, search, [0, *empty], parallel_iterations=1)
    shape = [queries.shape[0]]
    return tf.ensure_shape(indices.concat(), shape), tf.ensure_shape(cosines.concat(), shape)


def cosine(a: tf.Tensor, b: tf.Tensor, smallest_square: float = SMALLEST_SQUARE) -> tf.Tensor:
    """Return the cosine ``<a, b> / (|a| |b|)`` of each pair of vectors, with its gradient.

    Args:
        a: ``(…, C)`` of any float dtype.
        b: The same shape, or one that broadcasts to it.
        smallest_square: Floor of each squared norm. Default `SMALLEST_SQUARE`.

    Returns:
        ``(…)`` float32.
    """
    return tf.reduce_sum(unit(a, smallest_square) * unit(b, smallest_square), axis=-1)


def unit(x: tf.Tensor, smallest_square: float = SMALLEST_SQUARE) -> tf.Tensor:
    """Divide vectors by their lengths, ``x / √max(|x|², smallest_square)``.

    Args:
        x: ``(…, C)`` of any float dtype.
        smallest_square: Floor of the squared length. Default `SMALLEST_SQUARE`.

    Returns:
        ``(…, C)`` float32.
    """
    x = tf.cast(x, tf.float32)
    return x * tf.math.rsqrt(tf.maximum(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True), smallest_square))


def _unit_rows(x: tf.Tensor, mean: tf.Tensor | None) -> tf.Tensor:
    x = tf.cast(x, tf.float32)
    return unit(x if mean is None else x - mean)


def _best_key(
    queries: tf.Tensor, keys: tf.Tensor, key_mean: tf.Tensor | None, key_rows: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the nearest key of unit queries ``(n, C)``, of which the keys are compared ``key_rows`` at a time."""
    available = tf.shape(keys)[0]

    def compare(start: tf.Tensor, index: tf.Tensor, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        some = _unit_rows(keys[start : start + key_rows], key_mean)
        cosines = tf.matmul(queries, some, transpose_b=True)  # (n, key_rows)
        best = tf.argmax(cosines, axis=1, output_type=tf.int32)
        largest = tf.reduce_max(cosines, axis=1)
        nearer = largest > value
        return start + key_rows, tf.where(nearer, start + best, index), tf.where(nearer, largest, value)

    count = tf.shape(queries)[0]
    state = [0, tf.zeros([count], tf.int32), tf.fill([count], -math.inf)]
    _, index, value = tf.while_loop(lambda start, *_: start < available, compare, state, parallel_iterations=1)
    return index, value
