"""A stylising graph cut in two at its style vector."""

from __future__ import annotations

from graphlib import TopologicalSorter

from nst_tf.util.lazy import tf


def style_vector(content: tf.Tensor, style: tf.Tensor, picture: tf.Tensor) -> tf.Tensor | None:
    """Where in a graph everything that a painting says flows through one tensor that knows nothing of the photograph.

    The last such tensor is the style vector: after it the network fans out into the scales and shifts of its
    normalisations. It is found by what flows where, since exporters rename what a graph holds.

    Args:
        content: The photograph's placeholder.
        style: The painting's placeholder.
        picture: The graph's output.

    Returns:
        A tensor of that graph; None where the painting itself is the only one.
    """
    between = _reached(style.op, forwards=True) & _reached(picture.op, forwards=False)
    order = _sorted(between)
    place = {operation: number for number, operation in enumerate(order)}
    of_content = _reached(content.op, forwards=True)
    reach, found = 0, None
    for number, operation in enumerate(order):
        narrow = reach <= number  # nothing before it is read after it
        if narrow and operation not in of_content and operation is not style.op:
            found = operation
        readers = (place[reader] for tensor in operation.outputs for reader in tensor.consumers() if reader in place)
        reach = max([reach, *readers])
    return None if found is None else found.outputs[0]


def _reached(start: tf.Operation, *, forwards: bool) -> set[tf.Operation]:
    """An operation with all that read from it, or all that it reads from."""
    reached, waiting = {start}, [start]
    while waiting:
        operation = waiting.pop()
        tensors = operation.outputs if forwards else operation.inputs
        for tensor in tensors:
            new = set(tensor.consumers() if forwards else [tensor.op]) - reached
            reached |= new
            waiting.extend(new)
    return reached


def _sorted(operations: set[tf.Operation]) -> list[tf.Operation]:
    """Each after those that it reads from."""
    readings = {op: [tensor.op for tensor in op.inputs if tensor.op in operations] for op in operations}
    return list(TopologicalSorter(readings).static_order())
