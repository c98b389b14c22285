"""Float16 without overflow or underflow: features scaled into its range, gradients on their way through it."""

from __future__ import annotations

from typing import Any

import numpy as np

from nst_tf.backbones.gradients import Backward, Network, frozen_gradient
from nst_tf.util.lazy import tf

HEADROOM = 16.0
"""VGG-19's features on Keras's weights reach 19 000 for photographs, and float16 ends at 65 504; so a network of
convolutions, ReLUs and poolings computes them a sixteenth as large."""


def shrink(model: Any) -> None:
    """Make every feature a `HEADROOM`-th as large, for an input made so too.

    ``relu(W (x/h) + b/h) = relu(W x + b) / h``, and pooling keeps the factor.
    """
    for layer in filter(lambda layer: layer.weights, model.layers):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, bias / np.float32(HEADROOM)])


def with_gradient_scaling(network: Network, headroom: float) -> Network:
    """The same network in float32 from outside, whose backward pass stays within float16 whatever the loss's size.

    Gradients with respect to the features are divided by their largest value per picture, rounded to a power of two
    so that nothing is lost, before they enter the network, and the pixels' gradient is multiplied by it: a loss scale
    that fits every picture at every step (the dynamic loss scale of Micikevicius et al. 2018, *Mixed Precision
    Training*, without its trials).

    Args:
        network: Input to features ``(B, h, w, C)`` in float16.
        headroom: What the input is divided by, and the features multiplied with; 1 for a network not made smaller.
    """

    def raised(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: headroom * tf.cast(tap, tf.float32) for name, tap in network(x / headroom).items()}

    def run(x: tf.Tensor) -> tuple[dict[str, tf.Tensor], Backward]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            features = raised(x)

        def backward(*upstream: tf.Tensor) -> tf.Tensor:
            scale = headroom * _power_of_two(upstream)
            return scale * tape.gradient(tf.nest.flatten(features), x, [g / scale for g in upstream])

        return features, backward

    return frozen_gradient(run)


def _power_of_two(gradients: tuple[tf.Tensor, ...]) -> tf.Tensor:
    """From the largest magnitude per picture up to the next power of two, ``(B, 1, 1, 1)``; 1 where all is 0."""
    largest = tf.reduce_max(tf.stack([tf.reduce_max(tf.abs(g), [1, 2, 3]) for g in gradients]), 0)
    exponent = tf.math.ceil(tf.math.log(tf.where(largest > 0, largest, 1.0)) / np.log(2.0))
    return tf.pow(2.0, exponent)[:, None, None, None]
