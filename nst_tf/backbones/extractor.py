"""The extractor: a function from a picture to the features of named layers.

`Backbone.extractor` builds it; objectives, judges and distillation call it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nst_tf.backbones.gradients import Network
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
        network: Function that runs the model: the model itself, `chain_segments`, or `with_gradient_scaling`.
        segments: Parts of the model whose inner features are in memory at the same time: one segment for the whole
            model, or several with ``recompute``. `nst_tf.optimization.footprint` estimates memory from them.
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
        outputs = self.network(self.preprocess(image))
        features = {layer: outputs[keras_name] for layer, keras_name in self.layers.items()}
        if self.scale == 1:
            return features
        return {layer: self.scale * tf.cast(values, tf.float32) for layer, values in features.items()}

    def _check_size(self, image: tf.Tensor) -> None:
        height, width = image.shape[1:3]  # None where a tf.function leaves the size open
        if any(side is not None and side < self.minimum_size for side in (height, width)):
            raise InputError(
                f"Picture of {width}×{height} pixels is too small for {', '.join(self.layers)}; "
                f"each side needs at least {self.minimum_size}. Choose a larger size or shallower layers."
            )
