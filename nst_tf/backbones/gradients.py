"""A network with a backward pass of its own."""

from collections.abc import Callable

import tensorflow as tf

Network = Callable[[tf.Tensor], dict[str, tf.Tensor]]
"""A network's input ``(B, H, W, 3)`` to features ``(B, h, w, C)`` by layer name."""

Backward = Callable[..., tf.Tensor]
"""Gradients with respect to the features to the gradient with respect to the input."""


def own_gradient(forward: Callable[[tf.Tensor], tuple[dict[str, tf.Tensor], Backward]]) -> Network:
    """`tf.custom_gradient` for a frozen network: its weights get no gradient, and none is computed."""

    @tf.custom_gradient
    def run(x: tf.Tensor) -> tuple[dict[str, tf.Tensor], Callable[..., object]]:
        features, backward = forward(x)

        def gradient(*upstream: tf.Tensor, variables: tuple[tf.Variable, ...] = ()) -> object:
            to_input = backward(*upstream)
            return (to_input, [None] * len(variables)) if variables else to_input

        return features, gradient

    return run
