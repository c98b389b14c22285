"""Scaling of features and gradients into the range of float16; `Backbone.extractor` applies it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from nst_tf.backbones.gradients import GradientOf, Network, Vjp, known_gradients, with_input_gradient
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


class GradientScaling:
    """A float16 network with float32 input and output, whose backward pass neither overflows nor underflows.

    Before the gradients with respect to the features enter the network, they are divided by their largest value per
    picture, rounded up to a power of two so that the division is exact. The gradient with respect to the pixels is
    multiplied by the same number. This is the loss scaling of Micikevicius et al. 2018, *Mixed Precision Training*,
    but the scale is computed for every picture at every step instead of found by trial. It needs the gradients of all
    layers before the backward pass begins.

    Args:
        network: The network, with features ``(B, h, w, C)`` in float16.
        divisor: `FEATURE_DIVISOR` for a model after `scale_features_down`, else 1. The input is divided by it, and the
            features are multiplied by it.
    """

    needs_all_gradients = True

    def __init__(self, network: Network, divisor: float) -> None:
        self._network, self._divisor = network, divisor
        self._run = with_input_gradient(self.vjp)

    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the features in float32; see `nst_tf.backbones.gradients.Network`."""
        return self._run(x)

    def vjp(self, x: tf.Tensor) -> Vjp:
        """Return the features in float32 with their backward pass."""
        outputs, pull_back = self._network.vjp(x / self._divisor)
        features = {name: self._divisor * tf.cast(values, tf.float32) for name, values in outputs.items()}

        def pull_back_scaled(gradient_of: GradientOf) -> tf.Tensor | None:
            gradients = known_gradients(features, gradient_of)
            if not gradients:
                return None
            scale = _power_of_two(gradients.values())  # the divisors of input and features cancel out
            scaled = {name: tf.cast(g / scale, outputs[name].dtype) for name, g in gradients.items()}
            gradient = pull_back(scaled.get)
            return None if gradient is None else scale * gradient

        return features, pull_back_scaled


def _power_of_two(gradients: Iterable[tf.Tensor]) -> tf.Tensor:
    """Return the largest magnitude per picture, rounded up to a power of two, ``(B, 1, 1, 1)``; 1 where all are 0."""
    largest = tf.reduce_max(tf.stack([tf.reduce_max(tf.abs(g), [1, 2, 3]) for g in gradients]), 0)
    exponent = tf.math.ceil(tf.math.log(tf.where(largest > 0, largest, 1.0)) / np.log(2.0))
    return tf.pow(2.0, exponent)[:, None, None, None]
