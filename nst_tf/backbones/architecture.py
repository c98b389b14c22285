"""Description of a network by names and shapes, without weights.

`Backbone.resolve` looks layer names up in it, and `weights` and `hdf5` check files against it.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import Any

from nst_tf.backbones.graph import is_convolution, is_input
from nst_tf.backbones.symbolic import class_key

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Architecture:
    """Names and weight shapes of a network's layers, in topological order.

    Attributes:
        layers: Keras names of all layers and bare operations (``x + y``), without the input layer.
        convolutions: Names of the convolutions: full, depthwise and separable.
        weights: ``(name, shapes)`` of each layer that has weights, shapes in the order of ``layer.weights``.
        class_keys: `class_key` of each of these layers, such as ``conv2d``.
    """

    layers: tuple[str, ...]
    convolutions: tuple[str, ...]
    weights: tuple[tuple[str, Shapes], ...]
    class_keys: tuple[str, ...]

    @classmethod
    def from_model(cls, model: Any) -> Architecture:
        """Describe a functional Keras model."""
        operations = [operation for operation in model.operations if not is_input(operation)]
        with_weights = [operation for operation in operations if getattr(operation, "weights", None)]
        return cls(
            layers=tuple(operation.name for operation in operations),
            convolutions=tuple(x.name for x in operations if is_convolution(x)),
            weights=tuple((x.name, tuple(tuple(w.shape) for w in x.weights)) for x in with_weights),
            class_keys=tuple(class_key(x) for x in with_weights),
        )

    @functools.cached_property
    def layers_with_weights(self) -> tuple[str, ...]:
        """Names of the layers that have weights."""
        return tuple(name for name, _ in self.weights)

    @functools.cached_property
    def by_class_and_number(self) -> dict[tuple[str, int], str]:
        """Names of the layers that have weights, by `class_key` and position among the layers of that class, from 0."""
        seen: Counter[str] = Counter()
        names = {}
        for key, name in zip(self.class_keys, self.layers_with_weights, strict=True):
            names[key, seen[key]] = name
            seen[key] += 1
        return names
