"""A functional Keras model as a graph: layers, and the bare operations (``x + y``) between them."""

from __future__ import annotations

from typing import Any

from nst_tf.util.lazy import keras


def operations(model: Any) -> dict[str, Any]:
    """Layers and operations by name, in topological order, the input among them."""
    return {operation.name: operation for operation in model.operations}


def is_input(operation: Any) -> bool:
    """Whether a model begins there."""
    return isinstance(operation, keras.layers.InputLayer)


def edges(model: Any) -> list[tuple[int, int]]:
    """Pairs of positions in ``model.operations``: whose output is whose input."""
    makers = {id(operation.output): index for index, operation in enumerate(model.operations)}
    return [
        (makers[id(tensor)], index)
        for index, operation in enumerate(model.operations)
        if not is_input(operation)
        for tensor in keras.tree.flatten(operation.input)
    ]
