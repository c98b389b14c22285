"""What is known of a network without building it or reading its weights."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import Any

from nst_tf.backbones.blueprint import kind
from nst_tf.backbones.graph import is_input
from nst_tf.util.lazy import keras

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Architecture:
    """Names and weight shapes of a network's layers, in topological order.

    Attributes:
        layers: Every layer's Keras name; those of bare operations (``x + y``) among them.
        convolutions: Names of the convolutions: full, depthwise and separable.
        weights: ``(name, shapes)`` of each layer that has weights, shapes in the order of ``layer.weights``.
        kinds: Of each of these, its class in lower case: ``conv2d``.
    """

    layers: tuple[str, ...]
    convolutions: tuple[str, ...]
    weights: tuple[tuple[str, Shapes], ...]
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, model: Any) -> Architecture:
        """Describe a functional Keras model, without its input layer."""
        convolutions = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
        operations = [operation for operation in model.operations if not is_input(operation)]
        weighted = [operation for operation in operations if getattr(operation, "weights", None)]
        return cls(
            layers=tuple(operation.name for operation in operations),
            convolutions=tuple(x.name for x in operations if isinstance(x, convolutions)),
            weights=tuple((x.name, tuple(tuple(w.shape) for w in x.weights)) for x in weighted),
            kinds=tuple(kind(x) for x in weighted),
        )

    @functools.cached_property
    def weighted(self) -> tuple[str, ...]:
        """Names of the layers that have weights."""
        return tuple(name for name, _ in self.weights)

    @functools.cached_property
    def counted(self) -> dict[tuple[str, int], str]:
        """Names of the layers that have weights, by kind and their number among it from 0."""
        seen: Counter[str] = Counter()
        names = {}
        for kind_, name in zip(self.kinds, self.weighted, strict=True):
            names[kind_, seen[kind_]] = name
            seen[kind_] += 1
        return names
