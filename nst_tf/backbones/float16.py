"""Scaling of features and gradients into the range of float16; `Backbone.extractor` applies it."""

from __future__ import annotations

from typing import Any

import numpy as np

from nst_tf.backbones.gradients import Backward, Network, with_input_gradient
from nst_tf.util.lazy import tf

FEATURE_DIVISOR = 16.0
"""Divisor of the features of a network of convolutions, ReLUs and poolings while they are in float16.

Photographs reach 19 000 in VGG-19's features with Keras's weights, and the largest float16 is 65 504.
"""


def scale_features_down(model: Any) -> None:
    """Divide the biases by `FEATURE_DIVISOR` ``d``, so that an input divided by ``d`` gives features divided by ``d``.

    ``relu(W (x/d) + b/d) = relu(W x + b) / d``, and pooling keeps the factor.
    """
    for layer in filter(lambda layer: layer.weights, model.layers):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, bias / np.float32(FEATURE_DIVISOR)])


def with_gradient_scaling(network: Network, divisor: float) -> Network:
    """Return a float16 network with float32 input and output, whose backward pass neither overflows nor underflows.

    Before the gradients with respect to the features enter the network, they are divided by their largest value per
    picture, rounded up to a power of two so that the division is exact. The gradient with respect to the pixels is
    multiplied by the same number. This is the loss scaling of Micikevicius et al. 2018, *Mixed Precision Training*,
    but the scale is computed for every picture at every step instead of found by trial.

    Args:
        network: Function from the input to features ``(B, h, w, C)`` in float16.
        divisor: `FEATURE_DIVISOR` for a model after `scale_features_down`, else 1. The input is divided by it, and the
            features are multiplied by it.
    """

    def in_float32(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: divisor * tf.cast(features, tf.float32) for name, features in network(x / divisor).items()}

    def forward(x: tf.Tensor) -> tuple[dict[str, tf.Tensor], Backward]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            features = in_float32(x)

        def backward(*upstream: tf.Tensor) -> tf.Tensor:
            scale = divisor * _power_of_two(upstream)
            return scale * tape.gradient(tf.nest.flatten(features), x, [g / scale for g in upstream])

        return features, backward

    return with_input_gradient(forward)


def _power_of_two(gradients: tuple[tf.Tensor, ...]) -> tf.Tensor:
    """Return the largest magnitude per picture, rounded up to a power of two, ``(B, 1, 1, 1)``; 1 where all are 0."""
    largest = tf.reduce_max(tf.stack([tf.reduce_max(tf.abs(g), [1, 2, 3]) for g in gradients]), 0)
    exponent = tf.math.ceil(tf.math.log(tf.where(largest > 0, largest, 1.0)) / np.log(2.0))
    return tf.pow(2.0, exponent)[:, None, None, None]
