"""Graph queries on a functional Keras model, whose nodes are layers and bare operations (``x + y``).

`segments`, `sizes`, `weights`, `architecture`, `counterparts`, `workload` and `backbone` use them to follow the
features from the input to the outputs.
"""

from __future__ import annotations

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


def side_inputs(model: Any) -> dict[int, list[int]]:
    """Return the sorted positions of what each operation without consumers reads, by its own position."""
    all_edges = edges(model)
    producers = {producer for producer, _ in all_edges}
    inputs: dict[int, list[int]] = {}
    for producer, consumer in sorted(all_edges):
        if consumer not in producers:
            inputs.setdefault(consumer, []).append(producer)
    return inputs


def cut_positions(model: Any) -> list[int]:
    """Return the positions in ``model.operations`` through which every path from the input passes, in order.

    Operations without consumers are outputs on the side; the paths to them do not count. Between the first and the
    last operation that such an output reads there is no cut, so that it can be computed on one side of each.
    """
    crossed = {position for producer, consumer in inner_edges(model) for position in range(producer + 1, consumer)}
    for inputs in side_inputs(model).values():
        crossed.update(range(inputs[0] + 1, inputs[-1] + 1))
    return [position for position in range(len(model.operations)) if position not in crossed]
