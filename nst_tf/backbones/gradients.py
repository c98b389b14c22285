"""A network with a backward pass of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from nst_tf.util.lazy import tf

Network: TypeAlias = "Callable[[tf.Tensor], dict[str, tf.Tensor]]"
"""A network's input ``(B, H, W, 3)`` to features ``(B, h, w, C)`` by layer name."""

Backward: TypeAlias = "Callable[..., tf.Tensor]"
"""Gradients with respect to the features to the gradient with respect to the input."""


def frozen_gradient(forward: Callable[[tf.Tensor], tuple[dict[str, tf.Tensor], Backward]]) -> Network:
    """`tf.custom_gradient` for a frozen network: its weights get no gradient, and none is computed."""

    @tf.custom_gradient
    def run(x: tf.Tensor) -> tuple[dict[str, tf.Tensor], Callable[..., object]]:
        features, backward = forward(x)

        def gradient(*upstream: tf.Tensor, variables: tuple[tf.Variable, ...] = ()) -> object:
            to_input = backward(*upstream)
            return (to_input, [None] * len(variables)) if variables else to_input

        return features, gradient

    return run
