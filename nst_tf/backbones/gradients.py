"""Backward passes of frozen networks, which take the gradients with respect to the features one layer at a time.

`segments`, `float16` and `extractor` build them; `nst_tf.optimization.layer_gradients` is the other side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from nst_tf.util.lazy import tf

GradientOf: TypeAlias = "Callable[[str], tf.Tensor | None]"
"""Function from a layer's name to the gradient with respect to its features; None if they have none."""

PullBack: TypeAlias = "Callable[[GradientOf], tf.Tensor | None]"
"""Backward pass: function from `GradientOf` to the gradient with respect to the input; None if there is none.

It is called once. It asks for the gradient of a layer only when it reaches that layer, so that the gradients of the
first layers, which are the largest, need not be in memory before.
"""

Vjp: TypeAlias = "tuple[dict[str, tf.Tensor], PullBack]"
"""Features ``(B, h, w, C)`` by layer name, and the backward pass from them to the input.

The backward pass computes the product of a vector and the Jacobian of the network, a vector–Jacobian product, as
``jax.vjp`` does.
"""


class Network(Protocol):
    """Function from a network's input ``(B, H, W, 3)`` to features ``(B, h, w, C)`` by layer name.

    Attributes:
        needs_all_gradients: Whether the backward pass asks for every layer before it begins.
    """

    needs_all_gradients: bool

    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the features, differentiable by ``tf.GradientTape``."""
        ...

    def vjp(self, x: tf.Tensor) -> Vjp:
        """Return the features with their backward pass."""
        ...


def vjp(function: Callable[[tf.Tensor], dict[str, tf.Tensor]], x: tf.Tensor) -> Vjp:
    """Return the values of any function with its backward pass, which asks for every layer before it begins."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        features = function(x)

    def pull_back(gradient_of: GradientOf) -> tf.Tensor | None:
        known = known_gradients(features, gradient_of)
        outputs = [features[name] for name in known]
        return tape.gradient(outputs, x, output_gradients=list(known.values())) if known else None

    return features, pull_back


def known_gradients(names: Iterable[str], gradient_of: GradientOf) -> dict[str, tf.Tensor]:
    """Return the gradients of layers by name, without those that have none."""
    gradients = ((name, gradient_of(name)) for name in names)
    return {name: gradient for name, gradient in gradients if gradient is not None}


def after(tensors: Iterable[tf.Tensor]) -> AbstractContextManager[object]:
    """Return a context whose operations run after these tensors have been computed.

    The dependency is on copies: TensorFlow inlines a function without side effects, and then nothing would wait for it.
    XLA orders operations by itself, so that the context does nothing there.
    """
    return tf.control_dependencies([tf.identity(tensor) for tensor in tensors])


def with_input_gradient(
    vjp_of: Callable[[tf.Tensor], Vjp],
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Return a function for ``tf.GradientTape`` whose gradient with respect to its input is that of a `Vjp`.

    The network is frozen: its weights get no gradient, and none is computed.
    """

    @tf.custom_gradient
    def run(x: tf.Tensor) -> tuple[dict[str, tf.Tensor], Callable[..., object]]:
        features, pull_back = vjp_of(x)

        def gradient(*upstream: tf.Tensor, variables: tuple[tf.Variable, ...] = ()) -> object:
            gradients: Mapping[str, tf.Tensor] = tf.nest.pack_sequence_as(features, upstream)
            input_gradient = pull_back(gradients.get)
            return (input_gradient, [None] * len(variables)) if variables else input_gradient

        return features, gradient

    return run
