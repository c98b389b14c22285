"""Pure functions of tensors, used by every room above.

Pictures and features are ``(B, H, W, C)``; nothing here keeps state or knows about networks.
"""

import tensorflow as tf


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
        features: ``(B, H, W, C)``; half precision is raised to float32 before the sum.

    Returns:
        ``(B, C, C)``, float32, symmetric, not divided by anything.
    """
    F = rows(features)  # (B, M, N)
    return tf.matmul(F, F, transpose_a=True)  # (B, N, N)


def neighbour_differences(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Differences between vertical and between horizontal neighbours.

    Args:
        image: ``(B, H, W, C)``.

    Returns:
        ``x[i+1, j] − x[i, j]`` of shape ``(B, H−1, W, C)`` and ``x[i, j+1] − x[i, j]`` of ``(B, H, W−1, C)``.
    """
    return image[:, 1:] - image[:, :-1], image[:, :, 1:] - image[:, :, :-1]
