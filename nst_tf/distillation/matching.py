"""How far a student is from its teacher: features, Gram matrices, and the gradient that moves the pixels.

Features are ``(B, h, w, N)``; every error is relative, per picture, ``(B,)`` float32: 0 is equal, 1 is silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from nst_tf.util.lazy import tf
from nst_tf.util.tensors import positions, squared_sum

CONTENT = "conv4_2"
STYLE = tuple(f"conv{block}_1" for block in range(1, 6))
COMPARED = (*STYLE, CONTENT)  # the layers of Gatys et al. 2016

POSITIONS = 1300  # at most so many positions a picture are compared; more teach nothing new

Features: TypeAlias = "Mapping[str, tf.Tensor]"


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
    return tf.cast(tf.matmul(rows, rows, transpose_a=True), tf.float32) / positions(features)


def relative(difference: tf.Tensor, reference: tf.Tensor, floor: tf.Tensor | float = 0.0) -> tf.Tensor:
    """``Σ d² / (Σ r² + floor)`` per picture."""
    return squared_sum(difference) / (squared_sum(reference) + floor)


def feature_error(features: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """``Σ (F − T)² / Σ T²``."""
    return relative(features - teacher, teacher)


def gram_error(features: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """Half the relative error of the Gram matrices, half that of their differences between neighbours in the batch.

    Style transfer compares Gram matrices of two pictures, so their difference has to be right, not only each.
    """
    G, T = mean_gram(features), mean_gram(teacher)
    dG, dT = G - tf.roll(G, 1, 0), T - tf.roll(T, 1, 0)
    tenth = 0.1 * squared_sum(T)  # two crops alike would divide by nothing
    return 0.5 * relative(G - T, T) + 0.5 * relative(dG - dT, dT, tenth)


def direction_error(gradient: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """``1 − cos`` of the angle between two gradients with respect to the pixels, ``(B, H, W, 3)``."""
    a, b = (tf.math.l2_normalize(g, axis=[1, 2, 3], epsilon=1e-20) for g in (gradient, teacher))
    return 1.0 - tf.reduce_sum(a * b, [1, 2, 3])


def grams(features: Features) -> dict[str, tf.Tensor]:
    """`mean_gram` of each layer of `STYLE`."""
    return {tap: mean_gram(features[tap]) for tap in STYLE}


def transfer_loss(features: Features, P: tf.Tensor, targets: Features, weight: tf.Tensor) -> tf.Tensor:
    """What an optimiser of style transfer lowers: ``weight · content + style``, as the judge measures them.

    Args:
        features: Of the picture, at `COMPARED`.
        P: Of the photograph, at `CONTENT`.
        targets: `grams` of the painting.
        weight: Of the content, ``(B,)``.
    """
    style = [relative(G - targets[tap], targets[tap]) for tap, G in grams(features).items()]
    return weight * relative(features[CONTENT] - P, P) + tf.add_n(style) / len(style)


def transfer_gradient(
    network: Callable[[tf.Tensor], Features], image: tf.Tensor, content: tf.Tensor, style: tf.Tensor, weight: tf.Tensor
) -> tf.Tensor:
    """Gradient of `transfer_loss` by the pixels ``(B, H, W, 3)``, in the features of some network.

    Args:
        network: Picture to features at `COMPARED`.
        image: Where.
        content: The photograph.
        style: The painting.
        weight: Of the content, ``(B,)``.
    """
    P = tf.stop_gradient(network(content)[CONTENT])
    targets = {tap: tf.stop_gradient(G) for tap, G in grams(network(style)).items()}
    with tf.GradientTape() as tape:
        tape.watch(image)
        loss = transfer_loss(network(image), P, targets, weight)
    return tape.gradient(loss, image)
