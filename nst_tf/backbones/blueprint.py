"""A network's layers and shapes before it has weights, under names that are the same at every build."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from nst_tf.backbones.graph import is_input
from nst_tf.util.lazy import keras, tf


@functools.cache
def blueprint(application: Callable[..., Any]) -> Any:
    """The whole network without top, to be copied, never to be run.

    Built in a graph of its own with variables that hold nothing, so that it takes no memory and does not start
    TensorFlow: threads and devices can still be set.

    Args:
        application: A function of ``keras.applications``, or one in its manner.

    Returns:
        A functional Keras model of one level: what lies in a ``Sequential`` stands in its place.
    """
    with tf.Graph().as_default(), keras.StatelessScope():
        model = _flat(application(weights=None, include_top=False, input_shape=(None, None, 3)))
    names = fresh_names(model.operations)
    for operation in model.operations:
        operation.name = names.get(operation.name, operation.name)
    return model


def _flat(model: Any) -> Any:
    """The same network with the layers of every ``Sequential`` in its place."""
    if not any(isinstance(operation, keras.Sequential) for operation in model.operations):
        return model

    def called(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(operation, keras.Sequential):
            return operation(*args, **kwargs)
        return functools.reduce(lambda x, layer: _copied(layer)(x), operation.layers, args[0])

    return keras.models.clone_model(
        model,
        clone_function=lambda operation: operation if isinstance(operation, keras.Sequential) else _copied(operation),
        call_function=called,
    )


def _copied(operation: Any) -> Any:
    return type(operation).from_config(operation.get_config())


def fresh_names(operations: list[Any]) -> dict[str, str]:
    """What the layers would be called in a process that has built no other network.

    Keras numbers layers without a name through the whole process: the first ``conv2d`` of InceptionV3's second copy
    is ``conv2d_94``. Their order tells which is which.

    Args:
        operations: All of a network's.

    Returns:
        New names by present ones.
    """
    numbered: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for operation in operations:
        stem, number = split(operation.name)
        if not is_input(operation) and stem.replace("_", "") == kind(operation):
            numbered[stem].append((number, operation.name))
    counted = ((stem, rank, name) for stem, group in numbered.items() for rank, (_, name) in enumerate(sorted(group)))
    return {name: f"{stem}_{rank}" if rank else stem for stem, rank, name in counted}


def kind(operation: Any) -> str:
    """What Keras names such operations after, without underscores: ``batchnormalization``."""
    return type(operation).__name__.lower()


def split(name: str) -> tuple[str, int]:
    """``conv2d_12`` → ``("conv2d", 12)``, ``conv2d`` → ``("conv2d", 0)``."""
    number = re.search(r"_(\d+)$", name)
    return (name[: number.start()], int(number.group(1))) if number else (name, 0)
