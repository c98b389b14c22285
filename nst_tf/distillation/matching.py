"""Errors between student and teacher: features, Gram matrices, and the gradient with respect to the pixels.

Features are ``(B, h, w, N)``. Every error is relative and computed per picture, ``(B,)`` float32: 0 for equal features,
1 for a student whose features are all 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from nst_tf.util.lazy import tf
from nst_tf.util.tensors import positions, squared_sum

CONTENT_LAYER = "conv4_2"
STYLE_LAYERS = tuple(f"conv{block}_1" for block in range(1, 6))
COMPARED_LAYERS = (*STYLE_LAYERS, CONTENT_LAYER)
"""The layers of Gatys et al. 2016."""

MAX_POSITIONS = 1300
"""Largest number of positions of a picture that are compared; more do not improve the training."""

Features: TypeAlias = "Mapping[str, tf.Tensor]"


def subsample(features: tf.Tensor) -> tf.Tensor:
    """Keep every second, fourth, … position of both axes, so that at most `MAX_POSITIONS` remain."""
    step = 1
    while (features.shape[1] // step) * (features.shape[2] // step) > MAX_POSITIONS:
        step *= 2
    return features[:, step // 2 :: step, step // 2 :: step]


def apply_head(narrow: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Apply a head ``(N + 1, M)`` to narrow features ``(B, h, w, N)``: ``[F, 1] H``, ``(B, h, w, M)`` float32."""
    product = tf.einsum("bhwn,nm->bhwm", narrow, tf.cast(head[:-1], narrow.dtype))
    return tf.cast(product, tf.float32) + head[-1]


def mean_gram(features: tf.Tensor) -> tf.Tensor:
    """Compute the Gram matrix per position, ``FᵀF / hw``, ``(B, N, N)`` float32; products in bfloat16 for speed."""
    shape = tf.shape(features)
    rows = tf.reshape(tf.cast(features, tf.bfloat16), [shape[0], shape[1] * shape[2], features.shape[-1]])
    return tf.cast(tf.matmul(rows, rows, transpose_a=True), tf.float32) / positions(features)


def relative_error(difference: tf.Tensor, reference: tf.Tensor, floor: tf.Tensor | float = 0.0) -> tf.Tensor:
    """Compute ``Σ d² / (Σ r² + floor)`` per picture."""
    return squared_sum(difference) / (squared_sum(reference) + floor)


def feature_error(features: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """Compute ``Σ (F − T)² / Σ T²`` per picture."""
    return relative_error(features - teacher, teacher)


def gram_error(features: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """Compute the mean of two relative errors: of the Gram matrices, and of their differences between neighbours.

    Neighbours are consecutive pictures of the batch. Style transfer compares the Gram matrices of two pictures, so
    their difference has to be accurate too.
    """
    G, T = mean_gram(features), mean_gram(teacher)
    dG, dT = G - tf.roll(G, 1, 0), T - tf.roll(T, 1, 0)
    floor = 0.1 * squared_sum(T)  # two equal crops would otherwise divide by 0
    return 0.5 * relative_error(G - T, T) + 0.5 * relative_error(dG - dT, dT, floor)


def direction_error(gradient: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """Compute ``1 − cos`` of the angle between two gradients with respect to the pixels, ``(B, H, W, 3)``."""
    a, b = (tf.math.l2_normalize(g, axis=[1, 2, 3], epsilon=1e-20) for g in (gradient, teacher))
    return 1.0 - tf.reduce_sum(a * b, [1, 2, 3])


def style_grams(features: Features) -> dict[str, tf.Tensor]:
    """Compute `mean_gram` of each layer of `STYLE_LAYERS`."""
    return {tap: mean_gram(features[tap]) for tap in STYLE_LAYERS}


def transfer_loss(features: Features, P: tf.Tensor, targets: Features, weight: tf.Tensor) -> tf.Tensor:
    """Compute the objective of style transfer, ``weight · content + style``, with the relative errors of the judge.

    Args:
        features: Features of the picture at `COMPARED_LAYERS`.
        P: Features of the content at `CONTENT_LAYER`.
        targets: `style_grams` of the style.
        weight: Weight of the content, ``(B,)``.

    Returns:
        Objective of each picture, ``(B,)``.
    """
    style = [relative_error(G - targets[tap], targets[tap]) for tap, G in style_grams(features).items()]
    return weight * relative_error(features[CONTENT_LAYER] - P, P) + tf.add_n(style) / len(style)


def transfer_gradient(
    network: Callable[[tf.Tensor], Features], image: tf.Tensor, content: tf.Tensor, style: tf.Tensor, weight: tf.Tensor
) -> tf.Tensor:
    """Compute the gradient of `transfer_loss` with respect to the pixels, ``(B, H, W, 3)``.

    Args:
        network: Function from pictures to features at `COMPARED_LAYERS`.
        image: Pictures ``(B, H, W, 3)`` at which the gradient is taken.
        content: Contents ``(B, H, W, 3)``.
        style: Styles ``(B, H, W, 3)``.
        weight: Weight of the content, ``(B,)``.
    """
    P = tf.stop_gradient(network(content)[CONTENT_LAYER])
    targets = {tap: tf.stop_gradient(G) for tap, G in style_grams(network(style)).items()}
    with tf.GradientTape() as tape:
        tape.watch(image)
        loss = transfer_loss(network(image), P, targets, weight)
    return tape.gradient(loss, image)
