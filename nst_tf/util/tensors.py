"""Pure functions of tensors, used by every room above.

Pictures and features are ``(B, H, W, C)``; nothing here keeps state or knows about networks.
"""

from __future__ import annotations

from collections.abc import Callable

from nst_tf.util.lazy import tf


def squared_sum(x: tf.Tensor) -> tf.Tensor:
    """Sum of squares per picture: ``Σ x²`` over every axis but the first.

    Args:
        x: ``(B, …)``, any number of axes from one up.

    Returns:
        ``(B,)`` in the type of ``x``.
    """
    return tf.reduce_sum(tf.square(x), axis=range(1, x.shape.rank))


def reciprocal(x: tf.Tensor) -> tf.Tensor:
    """``1/x``, but 1 where ``x`` is 0: what is measured against nothing is measured as it is."""
    return 1.0 / tf.where(x == 0, tf.ones_like(x), x)


def elements(x: tf.Tensor) -> tf.Tensor:
    """Number of values per picture, ``H·W·C``, as a float32 scalar; taken from the shape, so no data is read."""
    return tf.cast(tf.reduce_prod(tf.shape(x)[1:]), tf.float32)


def positions(x: tf.Tensor) -> tf.Tensor:
    """Number of positions per picture, ``M = H·W`` of ``(B, H, W, C)``, as a float32 scalar."""
    return tf.cast(tf.reduce_prod(tf.shape(x)[1:-1]), tf.float32)


def rows(features: tf.Tensor) -> tf.Tensor:
    """Features ``(B, H, W, C)`` of any precision as one vector a position, ``(B, H·W, C)`` float32."""
    return tf.reshape(tf.cast(features, tf.float32), [tf.shape(features)[0], -1, features.shape[-1]])


def gram(features: tf.Tensor) -> tf.Tensor:
    """Gram matrix per picture, ``G = FᵀF``, a plain sum over positions (Gatys et al. 2016, equation 3).

    Args:
        features: ``(B, H, W, C)``, of known height and width where they are in half precision, which is summed in
            float32; see `_gram_of_parts`.

    Returns:
        ``(B, C, C)``, float32, symmetric, not divided by anything.
    """
    height, width, channels = features.shape[1:]
    known = height is not None and width is not None
    return _gram(tf.reshape(features, [tf.shape(features)[0], height * width if known else -1, channels]))


def _gram(F: tf.Tensor) -> tf.Tensor:
    """Compute ``FᵀF`` of ``(B, M, N)``, with the gradient ``dF = F (dG + dGᵀ)``.

    This gradient is one product; the rule for any product takes two and adds them.
    """

    @tf.custom_gradient
    def run(F: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(dG: tf.Tensor) -> tf.Tensor:
            return tf.matmul(F, tf.cast(dG + tf.linalg.matrix_transpose(dG), F.dtype))

        return _gram_of_parts(F), gradient

    return run(F)


def _gram_of_parts(F: tf.Tensor) -> tf.Tensor:
    """Half precision in products of a part of the positions each, whose rounding errors cancel in a float32 sum.

    So no copy of the features in float32 is made. Parts as small as their products would cost more than that copy.
    """
    parts = _parts(*F.shape[1:]) if F.dtype.size < tf.float32.size else 1
    if parts == 1:
        F = tf.cast(F, tf.float32)
        return tf.matmul(F, F, transpose_a=True)  # (B, N, N)
    P = tf.reshape(F, [tf.shape(F)[0], parts, F.shape[1] // parts, F.shape[2]])
    return tf.reduce_sum(tf.cast(tf.matmul(P, P, transpose_a=True), tf.float32), axis=1)


PARTS = range(16, 65)
"""Of a Gram matrix in half precision: fewer would not cancel enough, more would cost memory."""


def _parts(positions: int | None, channels: int) -> int:
    """Into how many equal parts of at least ``channels`` positions; 1 where `PARTS` has no such number."""
    fitting = [n for n in PARTS if positions is not None and positions % n == 0 and positions // n >= channels]
    return max(fitting, default=1)


def neighbour_differences(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Differences between vertical and between horizontal neighbours.

    Args:
        image: ``(B, H, W, C)``.

    Returns:
        ``x[i+1, j] − x[i, j]`` of shape ``(B, H−1, W, C)`` and ``x[i, j+1] − x[i, j]`` of ``(B, H, W−1, C)``.
    """
    return _difference(image, axis=1), _difference(image, axis=2)


def _difference(x: tf.Tensor, axis: int) -> tf.Tensor:
    """``x[i+1] − x[i]`` along an axis; its gradient pads, which is several times faster than the rule for slices."""

    @tf.custom_gradient
    def run(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        first, last = ([slice(None)] * axis + [cut] for cut in (slice(None, -1), slice(1, None)))
        return x[last] - x[first], lambda d: _padded(d, axis, 1, 0) - _padded(d, axis, 0, 1)

    return run(x)


def _padded(x: tf.Tensor, axis: int, before: int, after: int) -> tf.Tensor:
    amounts = [[0, 0]] * x.shape.rank
    amounts[axis] = [before, after]
    return tf.pad(x, amounts)
