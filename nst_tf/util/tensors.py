"""Pure functions of tensors, shared by losses, optimisers and evaluation.

Pictures and features are ``(B, H, W, C)``. No function here keeps state.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nst_tf.util.lazy import tf


def squared_sum(x: tf.Tensor) -> tf.Tensor:
    """Return the sum of squares of each picture, ``Σ x²`` over every axis but the first.

    Args:
        x: ``(B, …)`` with at least one axis.

    Returns:
        ``(B,)``, of the dtype of ``x``.
    """
    return tf.reduce_sum(tf.square(x), axis=list(range(1, x.shape.rank)))


def reciprocal(x: tf.Tensor) -> tf.Tensor:
    """Return ``1/x``, and 1 where ``x`` is 0, so that a distance relative to a zero target stays absolute.

    Args:
        x: Of any shape.

    Returns:
        A tensor with the shape and dtype of ``x``.
    """
    return 1.0 / tf.where(x == 0, tf.ones_like(x), x)


def side(x: tf.Tensor, axis: int) -> int | tf.Tensor:
    """Return the length of an axis: a number where it is known as a graph is made, otherwise an int32 scalar."""
    return tf.shape(x)[axis] if x.shape[axis] is None else x.shape[axis]


def elements(x: tf.Tensor) -> tf.Tensor:
    """Return the number of values in a picture, ``H·W·C``.

    Args:
        x: ``(B, H, W, C)``; only its shape is read.

    Returns:
        A float32 scalar.
    """
    return _product(x, slice(1, None))


def positions(x: tf.Tensor) -> tf.Tensor:
    """Return the number of positions in a picture, ``M = H·W``.

    Args:
        x: ``(B, H, W, C)``; only its shape is read.

    Returns:
        A float32 scalar.
    """
    return _product(x, slice(1, -1))


def _product(x: tf.Tensor, axes: slice) -> tf.Tensor:
    """Return the product of some of the sides, float32; a constant where they are known as a graph is made."""
    sides = tf.TensorShape(x.shape[axes])
    if sides.is_fully_defined():
        return tf.constant(sides.num_elements(), tf.float32)
    return tf.cast(tf.reduce_prod(tf.shape(x)[axes]), tf.float32)


def rows(features: tf.Tensor) -> tf.Tensor:
    """Return the features as one row a position.

    Args:
        features: ``(B, H, W, C)`` of any float dtype.

    Returns:
        ``(B, H·W, C)`` float32.
    """
    return tf.reshape(tf.cast(features, tf.float32), [side(features, 0), -1, features.shape[-1]])


def of_picture(x: tf.Tensor, number: int) -> tf.Tensor:
    """Return the value of one picture, ``(…)`` out of ``(B, …)``; a batch of 1 holds that of every picture."""
    return x[min(number, x.shape[0] - 1)]


def gram(features: tf.Tensor) -> tf.Tensor:
    """Return the Gram matrix of each picture, ``G = FᵀF``, where ``F`` holds one row a position.

    It is the plain sum over positions, divided by nothing.

    Args:
        features: ``(B, H, W, C)``. Half-precision features of static height and width are multiplied in half
            precision and summed in float32, see `_gram_in_blocks`; others are cast to float32 first.

    Returns:
        ``(B, C, C)`` float32, symmetric.

    Reference:
        Gatys, Ecker & Bethge 2016, equation 3.
    """
    height, width, channels = features.shape[1:]
    static = height is not None and width is not None
    return _gram(tf.reshape(features, [side(features, 0), height * width if static else -1, channels]))


def _gram(F: tf.Tensor) -> tf.Tensor:
    """Return ``FᵀF`` of ``(B, M, N)``, with the gradient ``dF = F (dG + dGᵀ)``.

    This gradient takes one matrix product. TensorFlow's rule for a product of two matrices would take two.
    """

    @tf.custom_gradient
    def run(F: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(dG: tf.Tensor) -> tf.Tensor:
            return tf.matmul(F, tf.cast(dG + tf.linalg.matrix_transpose(dG), F.dtype))  # (B, M, N)

        return _gram_in_blocks(F), gradient

    return run(F)


def _gram_in_blocks(F: tf.Tensor) -> tf.Tensor:
    """Return ``FᵀF`` of ``(B, M, N)`` as the float32 sum of ``Fₖᵀ Fₖ`` over blocks of positions.

    In half precision the rounding errors of the blocks average out, and no float32 copy of the features is made.
    """
    blocks = _block_count(*F.shape[1:]) if F.dtype.size < tf.float32.size else 1
    if blocks == 1:
        F = tf.cast(F, tf.float32)
        return tf.matmul(F, F, transpose_a=True)  # (B, N, N)
    P = tf.reshape(F, [side(F, 0), blocks, F.shape[1] // blocks, F.shape[2]])  # (B, K, M/K, N)
    return tf.reduce_sum(tf.cast(tf.matmul(P, P, transpose_a=True), tf.float32), axis=1)  # (B, N, N)


BLOCK_COUNTS = range(16, 65)
"""Allowed numbers of blocks in a half-precision Gram matrix: fewer average too little, more cost memory."""


def _block_count(positions: int | None, channels: int) -> int:
    """Return the largest of `BLOCK_COUNTS` that divides the positions evenly, or 1 if there is none.

    A block has at least as many positions as there are channels. The products of smaller blocks would take more
    memory than a float32 copy of the features.
    """
    fitting = [n for n in BLOCK_COUNTS if positions is not None and positions % n == 0 and positions // n >= channels]
    return max(fitting, default=1)


def neighbour_differences(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the differences between vertical and between horizontal neighbours.

    Args:
        image: ``(B, H, W, C)``.

    Returns:
        ``x[i+1, j] − x[i, j]`` of shape ``(B, H−1, W, C)`` and ``x[i, j+1] − x[i, j]`` of shape ``(B, H, W−1, C)``.
    """
    return _difference(image, axis=1), _difference(image, axis=2)


def _difference(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Return ``x[i+1] − x[i]`` along an axis.

    The gradient pads with zeros, which is several times faster than TensorFlow's gradient of a slice.
    """

    @tf.custom_gradient
    def run(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        first, last = ([slice(None)] * axis + [cut] for cut in (slice(None, -1), slice(1, None)))
        return x[last] - x[first], lambda d: _padded(d, axis, 1, 0) - _padded(d, axis, 0, 1)

    return run(x)


def _padded(x: tf.Tensor, axis: int, before: int, after: int) -> tf.Tensor:
    amounts = [[0, 0]] * x.shape.rank
    amounts[axis] = [before, after]
    return tf.pad(x, amounts)


def host_array(variable: tf.Variable) -> np.ndarray:
    """Return the present value of a variable as a read-only array, without a copy if it lies on the CPU.

    A later assignment gives the variable new memory, so that the array keeps its values.
    """
    return np.asarray(memoryview(variable.read_value().cpu()))


def resize_aligned(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Resize bilinearly with pixels as points whose corners coincide, as PyTorch's ``align_corners=True`` does.

    Args:
        image: ``(B, H, W, C)`` float32.
        height: New height.
        width: New width.
    """
    return tf.raw_ops.ResizeBilinear(images=image, size=[height, width], align_corners=True)
