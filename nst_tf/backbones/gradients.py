"""Custom backward passes for frozen networks; `float16` and `segments` use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from nst_tf.util.lazy import tf

Network: TypeAlias = "Callable[[tf.Tensor], dict[str, tf.Tensor]]"
"""Function from a network's input ``(B, H, W, 3)`` to features ``(B, h, w, C)`` by layer name."""

Backward: TypeAlias = "Callable[..., tf.Tensor]"
"""Function from the gradients with respect to the features to the gradient with respect to the input."""


def with_input_gradient(forward: Callable[[tf.Tensor], tuple[dict[str, tf.Tensor], Backward]]) -> Network:
    """Return a network whose gradient with respect to its input is the one given, by `tf.custom_gradient`.

    The network is frozen: its weights get no gradient, and none is computed.

    Args:
        forward: Function from the input to the features and their backward pass.
    """

    @tf.custom_gradient
    def run(x: tf.Tensor) -> tuple[dict[str, tf.Tensor], Callable[..., object]]:
        features, backward = forward(x)

        def gradient(*upstream: tf.Tensor, variables: tuple[tf.Variable, ...] = ()) -> object:
            input_gradient = backward(*upstream)
            return (input_gradient, [None] * len(variables)) if variables else input_gradient

        return features, gradient

    return run
