"""Graph queries on a functional Keras model, whose nodes are layers and bare operations (``x + y``).

`segments`, `sizes`, `weights`, `architecture`, `counterparts`, `workload` and `backbone` use them to follow the
features from the input to the outputs.
"""

from __future__ import annotations

import math
from typing import Any

from nst_tf.util.lazy import keras


def operations_by_name(model: Any) -> dict[str, Any]:
    """Return all layers and operations by name, in topological order, the input layer among them."""
    return {operation.name: operation for operation in model.operations}


def is_input(operation: Any) -> bool:
    """Return whether an operation is an input layer."""
    return isinstance(operation, keras.layers.InputLayer)


def is_convolution(operation: Any) -> bool:
    """Return whether an operation is a convolution: full, depthwise or separable."""
    return isinstance(operation, keras.layers.Conv2D | keras.layers.DepthwiseConv2D | keras.layers.SeparableConv2D)


def output_shapes(model: Any, height: int, width: int) -> list[tuple[int, ...]]:
    """Return the shapes of the outputs of ``model.operations``, in their order, for one picture.

    Args:
        model: A functional model, channels last.
        height: Height of the picture, in pixels.
        width: Width of the picture, in pixels.
    """
    everything = keras.Model(model.inputs, [operation.output for operation in model.operations])
    shapes: list[tuple[int, ...]] = everything.compute_output_shape((1, height, width, 3))
    return shapes


def edges(model: Any) -> list[tuple[int, int]]:
    """Return the pairs ``(producer, consumer)`` of positions in ``model.operations``."""
    producers = {id(operation.output): index for index, operation in enumerate(model.operations)}
    return [
        (producers[id(tensor)], index)
        for index, operation in enumerate(model.operations)
        if not is_input(operation)
        for tensor in keras.tree.flatten(operation.input)
    ]


def inner_edges(model: Any) -> list[tuple[int, int]]:
    """Return the edges to operations that have consumers; the others lead to outputs on the side."""
    all_edges = edges(model)
    producers = {producer for producer, _ in all_edges}
    return [(producer, consumer) for producer, consumer in all_edges if consumer in producers]


def places(model: Any) -> list[float]:
    """Return where each of ``model.operations`` is computed: at its position, or sooner.

    An operation without consumers is an output on the side. It can be computed as soon as all that it reads is known,
    so that its place is half a position after the last of these.
    """
    all_edges = edges(model)
    producers = {producer for producer, _ in all_edges}
    last_read = {consumer: producer for producer, consumer in sorted(all_edges)}
    is_on_the_side = last_read.keys() - producers
    return [n if n not in is_on_the_side else last_read[n] + 0.5 for n in range(len(model.operations))]


def cut_positions(model: Any) -> list[int]:
    """Return the positions in ``model.operations`` through which every path from the input passes, in order.

    A path to an output on the side ends at its place, see `places`.
    """
    ends = places(model)
    crossed = {p for producer, consumer in edges(model) for p in range(producer + 1, math.ceil(ends[consumer]))}
    return [position for position in range(len(model.operations)) if position not in crossed]
