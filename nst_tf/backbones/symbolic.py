"""A network's Keras model before it has weights, with the same layer names at every build.

`Backbone` reads layer names from it and clones from it the model that runs; `hdf5` uses its rules for layer names.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from nst_tf.backbones.graph import is_input
from nst_tf.util.lazy import keras, tf


@functools.cache
def symbolic_model(application: Callable[..., Any]) -> Any:
    """Build the whole network without its classifier, to be cloned but never run.

    It is built in its own graph with variables that hold no values. So it takes no memory and does not start
    TensorFlow: threads and devices can still be configured afterwards.

    Args:
        application: A function of ``keras.applications``, or one with the same arguments.

    Returns:
        A functional Keras model, in which the layers of every nested ``Sequential`` take its place.
    """
    with tf.Graph().as_default(), keras.StatelessScope():
        model = _flatten(application(weights=None, include_top=False, input_shape=(None, None, 3)))
    names = first_build_names(model.operations)
    for operation in model.operations:
        operation.name = names.get(operation.name, operation.name)
    return model


def _flatten(model: Any) -> Any:
    """Return the same network, in which the layers of every ``Sequential`` take its place."""
    if not any(isinstance(operation, keras.Sequential) for operation in model.operations):
        return model

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(operation, keras.Sequential):
            return operation(*args, **kwargs)
        return functools.reduce(lambda x, layer: _copy(layer)(x), operation.layers, args[0])

    return keras.models.clone_model(
        model,
        clone_function=lambda operation: operation if isinstance(operation, keras.Sequential) else _copy(operation),
        call_function=call,
    )


def _copy(operation: Any) -> Any:
    return type(operation).from_config(operation.get_config())


def first_build_names(operations: list[Any]) -> dict[str, str]:
    """Return the names that the layers would have in a process that has built no other network.

    Keras numbers unnamed layers through the whole process: the first ``conv2d`` of the second InceptionV3 is
    ``conv2d_94``. The numbers keep their order, so the names of the first build follow from it.

    Args:
        operations: All operations of one network.

    Returns:
        New names by present names.
    """
    numbered: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for operation in operations:
        stem, number = split_number(operation.name)
        if not is_input(operation) and stem.replace("_", "") == class_key(operation):
            numbered[stem].append((number, operation.name))
    ranked = ((stem, rank, name) for stem, group in numbered.items() for rank, (_, name) in enumerate(sorted(group)))
    return {name: f"{stem}_{rank}" if rank else stem for stem, rank, name in ranked}


def class_key(operation: Any) -> str:
    """Return the class name in lower case, such as ``batchnormalization``: Keras's default name without underscores."""
    return type(operation).__name__.lower()


def split_number(name: str) -> tuple[str, int]:
    """Split Keras's number off a name: ``conv2d_12`` → ``("conv2d", 12)``, ``conv2d`` → ``("conv2d", 0)``."""
    number = re.search(r"_(\d+)$", name)
    return (name[: number.start()], int(number.group(1))) if number else (name, 0)
