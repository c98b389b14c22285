"""Graph queries on a functional Keras model, whose nodes are layers and bare operations (``x + y``).

`segments`, `sizes`, `weights` and `backbone` use them to follow the features from the input to the outputs.
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


def edges(model: Any) -> list[tuple[int, int]]:
    """Return the pairs ``(producer, consumer)`` of positions in ``model.operations``."""
    producers = {id(operation.output): index for index, operation in enumerate(model.operations)}
    return [
        (producers[id(tensor)], index)
        for index, operation in enumerate(model.operations)
        if not is_input(operation)
        for tensor in keras.tree.flatten(operation.input)
    ]
