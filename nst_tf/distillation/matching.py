"""How far a student is from its teacher: features, Gram matrices, and the gradient that moves the pixels.

Features are ``(B, h, w, N)``; every error is relative, per picture, ``(B,)`` float32: 0 is equal, 1 is silence.
"""

from collections.abc import Mapping

import tensorflow as tf

POSITIONS = 1300  # at most so many positions a picture are compared; more teach nothing new

Features = Mapping[str, tf.Tensor]


def thin(features: tf.Tensor) -> tf.Tensor:
    """Every second, fourth, … position of each axis, until at most `POSITIONS` are left."""
    step = 1
    while (features.shape[1] // step) * (features.shape[2] // step) > POSITIONS:
        step *= 2
    return features[:, step // 2 :: step, step // 2 :: step]


def through_head(narrow: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """``[F, 1] H``: narrow features ``(B, h, w, N)`` and a head ``(N + 1, M)`` to ``(B, h, w, M)`` float32."""
    product = tf.einsum("bhwn,nm->bhwm", narrow, tf.cast(head[:-1], narrow.dtype))
    return tf.cast(product, tf.float32) + head[-1]


def mean_gram(features: tf.Tensor) -> tf.Tensor:
    """Gram matrix per position, ``FᵀF / hw``, ``(B, N, N)`` float32, multiplied in bfloat16 for speed."""
    shape = tf.shape(features)
    rows = tf.reshape(tf.cast(features, tf.bfloat16), [shape[0], shape[1] * shape[2], features.shape[-1]])
    return tf.cast(tf.matmul(rows, rows, transpose_a=True), tf.float32) / tf.cast(shape[1] * shape[2], tf.float32)


def relative(difference: tf.Tensor, reference: tf.Tensor, floor: tf.Tensor | float = 0.0) -> tf.Tensor:
    """``Σ d² / (Σ r² + floor)`` per picture."""
    axes = range(1, difference.shape.rank)
    return tf.reduce_sum(tf.square(difference), axes) / (tf.reduce_sum(tf.square(reference), axes) + floor)


def feature_error(features: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """``Σ (F − T)² / Σ T²``."""
    return relative(features - teacher, teacher)


def gram_error(features: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """Half the relative error of the Gram matrices, half that of their differences between neighbours in the batch.

    Style transfer compares Gram matrices of two pictures, so their difference has to be right, not only each.
    """
    G, T = mean_gram(features), mean_gram(teacher)
    dG, dT = G - tf.roll(G, 1, 0), T - tf.roll(T, 1, 0)
    tenth = 0.1 * tf.reduce_sum(tf.square(T), [1, 2])  # two crops alike would divide by nothing
    return 0.5 * relative(G - T, T) + 0.5 * relative(dG - dT, dT, tenth)


def direction_error(gradient: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """``1 − cos`` of the angle between two gradients with respect to the pixels, ``(B, H, W, 3)``."""
    a, b = (tf.math.l2_normalize(g, axis=[1, 2, 3], epsilon=1e-20) for g in (gradient, teacher))
    return 1.0 - tf.reduce_sum(a * b, [1, 2, 3])


def style_distance(grams: Features, targets: Features) -> tf.Tensor:
    """Mean over layers of ``Σ (G − A)² / Σ A²``, as the judge has it."""
    return tf.add_n([relative(G - targets[layer], targets[layer]) for layer, G in grams.items()]) / len(grams)
