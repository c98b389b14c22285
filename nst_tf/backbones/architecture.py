"""What is known of a network without building it or reading its weights."""

from dataclasses import dataclass
from typing import Any

import keras

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Architecture:
    """Names and weight shapes of a network's layers, in topological order.

    Attributes:
        layers: Every layer's Keras name.
        convolutions: Names of the convolutions.
        weights: ``(name, shapes)`` of each layer that has weights, shapes in the order of ``layer.weights``.
    """

    layers: tuple[str, ...]
    convolutions: tuple[str, ...]
    weights: tuple[tuple[str, Shapes], ...]

    @classmethod
    def of(cls, model: Any) -> "Architecture":
        """Describe a built Keras model, without its input layer."""
        layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
        return cls(
            layers=tuple(layer.name for layer in layers),
            convolutions=tuple(x.name for x in layers if isinstance(x, keras.layers.Conv2D)),
            weights=tuple((x.name, tuple(tuple(w.shape) for w in x.weights)) for x in layers if x.weights),
        )

    @property
    def weighted(self) -> tuple[str, ...]:
        """Names of the layers that have weights."""
        return tuple(name for name, _ in self.weights)
