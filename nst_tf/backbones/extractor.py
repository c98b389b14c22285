"""The extractor: a function from a picture to the features of named layers.

`Backbone.extractor` builds it; objectives, judges and distillation call it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nst_tf.backbones.gradients import GradientOf, Network, Vjp, known_gradients
from nst_tf.backbones.segments import Segment
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf


@dataclass(frozen=True)
class Extractor:
    """Function from a picture to features, differentiable in the picture and usable inside ``tf.function``.

    Attributes:
        layers: Keras name of each layer, by the name the caller asked for.
        model: Frozen Keras model from the preprocessed picture to ``{Keras name: features}``; None if the caller
            asked for no layer.
        network: Function that runs the model: a `nst_tf.backbones.segments.Chain`, in float16 within a
            `nst_tf.backbones.float16.GradientScaling`.
        segments: Parts of the model whose inner features are in memory at the same time: one segment for the whole
            model, or several with ``recompute``. `nst_tf.optimization.network_memory` estimates memory from them.
        preprocess: Function from RGB in [0, 1] to the model's input.
        minimum_size: Shortest side, in pixels, for which the deepest layer still has features.
        scale: Factor on every feature; see `nst_tf.backbones.preprocessing.FEATURE_SCALES`.
        counterparts: Those of ``layers`` that the network does not have by that name; see `Backbone.counterpart`.
    """

    layers: Mapping[str, str]
    model: Any
    network: Network
    segments: Sequence[Segment]
    preprocess: Callable[[tf.Tensor], tf.Tensor]
    minimum_size: int = 1
    scale: float = 1.0
    counterparts: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the features.

        Args:
            image: ``(B, H, W, 3)``, RGB in [0, 1], float32.

        Returns:
            Features ``(B, h, w, C)`` under the names and in the order that the caller asked for.

        Raises:
            InputError: The picture is smaller than ``minimum_size``.
        """
        if not self.layers:
            return {}
        self._check_size(image)
        return self._named(self.network(self.preprocess(image)))

    def vjp(self, image: tf.Tensor) -> Vjp:
        """Return the features with the backward pass from them to the picture.

        Args:
            image: ``(B, H, W, 3)``, RGB in [0, 1], float32.

        Raises:
            InputError: See `__call__`.
        """
        if not self.layers:
            return {}, lambda gradient_of: None
        self._check_size(image)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(image)
            x = self.preprocess(image)
        outputs, pull_back = self.network.vjp(x)

        def pull_back_to_image(gradient_of: GradientOf) -> tf.Tensor | None:
            gradient = pull_back(lambda keras_name: self._output_gradient(outputs, keras_name, gradient_of))
            return None if gradient is None else tape.gradient(x, image, output_gradients=gradient)

        return self._named(outputs), pull_back_to_image

    def _named(self, outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return a tensor of its own for each of ``layers``, of which two may be the same layer of the network."""
        if self.scale == 1:
            return {layer: tf.identity(outputs[name]) for layer, name in self.layers.items()}
        return {layer: self.scale * tf.cast(outputs[name], tf.float32) for layer, name in self.layers.items()}

    def _output_gradient(
        self, outputs: Mapping[str, tf.Tensor], keras_name: str, gradient_of: GradientOf
    ) -> tf.Tensor | None:
        """Return the gradient with respect to a layer of the network, under any of its names; None if it has none."""
        names = [layer for layer, name in self.layers.items() if name == keras_name]
        gradients = list(known_gradients(names, gradient_of).values())
        if not gradients:
            return None
        gradient = tf.add_n(gradients)
        return gradient if self.scale == 1 else tf.cast(self.scale * gradient, outputs[keras_name].dtype)

    def _check_size(self, image: tf.Tensor) -> None:
        height, width = image.shape[1:3]  # None where a tf.function leaves the size open
        if any(side is not None and side < self.minimum_size for side in (height, width)):
            raise InputError(
                f"Picture of {width}×{height} pixels is too small for {', '.join(self.layers)}; "
                f"each side needs at least {self.minimum_size}. Choose a larger size or shallower layers."
            )
