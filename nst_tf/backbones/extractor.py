"""From a picture to the features of named layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nst_tf.backbones.gradients import Network
from nst_tf.backbones.segments import Segment
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf


@dataclass(frozen=True)
class Extractor:
    """Maps a picture to features; differentiable with respect to the picture, usable inside ``tf.function``.

    Attributes:
        layers: Each layer's name as it was asked for, and its Keras name.
        model: Frozen Keras model from the preprocessed picture to ``{Keras name: features}``; None if no
            layer was asked for.
        network: The model as it is run: whole, `chained`, or `half.guarded`.
        pieces: What keeps its features at one time: the model whole, or its `segments`.
        preprocess: From RGB [0, 1] to the model's input.
        minimum_size: Shortest side in pixels for which the deepest layer still has features.
        scale: Factor on every feature; see `nst_tf.backbones.preprocessing.FEATURE_SCALES`.
    """

    layers: Mapping[str, str]
    model: Any
    network: Network
    pieces: Sequence[Segment]
    preprocess: Callable[[tf.Tensor], tf.Tensor]
    minimum_size: int = 1
    scale: float = 1.0

    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the features.

        Args:
            image: ``(B, H, W, 3)``, RGB in [0, 1], float32.

        Returns:
            ``(B, h, w, C)`` by name as asked for, in the order asked for.

        Raises:
            InputError: The picture is smaller than ``minimum_size``.
        """
        if not self.layers:
            return {}
        self._check_size(image)
        features = self.network(self.preprocess(image))
        taps = {name: features[keras_name] for name, keras_name in self.layers.items()}
        return taps if self.scale == 1 else {name: self.scale * tf.cast(tap, tf.float32) for name, tap in taps.items()}

    def _check_size(self, image: tf.Tensor) -> None:
        height, width = image.shape[1:3]  # None where a tf.function leaves the size open
        if any(side is not None and side < self.minimum_size for side in (height, width)):
            raise InputError(
                f"Picture of {width}×{height} pixels is too small for {', '.join(self.layers)}; "
                f"each side needs at least {self.minimum_size}"
            )
