"""Search for the style vector in the graph of a stylising network."""

from __future__ import annotations

from graphlib import TopologicalSorter

from nst_tf.util.lazy import tf


def find_style_vector(content: tf.Tensor, style: tf.Tensor, picture: tf.Tensor) -> tf.Tensor | None:
    """Return the last tensor that every path from the style to the picture passes and the content does not reach.

    This tensor is the style vector: behind it the network branches into the scales and shifts of its normalisations.
    The search follows the edges of the graph, because exporters rename the operations.

    Args:
        content: Placeholder of the content.
        style: Placeholder of the style.
        picture: Output of the graph.

    Returns:
        A tensor of the graph; None where the style's placeholder is the only such tensor.
    """
    between = _reachable(style.op, forwards=True) & _reachable(picture.op, forwards=False)
    order = _topological_order(between)
    position = {operation: number for number, operation in enumerate(order)}
    of_content = _reachable(content.op, forwards=True)
    last_reader, found = 0, None
    for number, operation in enumerate(order):
        is_bottleneck = last_reader <= number  # no earlier operation is read by a later one
        if is_bottleneck and operation not in of_content and operation is not style.op:
            found = operation
        consumers = (consumer for tensor in operation.outputs for consumer in tensor.consumers())
        last_reader = max([last_reader, *(position[consumer] for consumer in consumers if consumer in position)])
    return None if found is None else found.outputs[0]


def _reachable(start: tf.Operation, *, forwards: bool) -> set[tf.Operation]:
    """Return an operation with all operations that depend on it, or backwards all that it depends on."""
    reached, waiting = {start}, [start]
    while waiting:
        operation = waiting.pop()
        tensors = operation.outputs if forwards else operation.inputs
        for tensor in tensors:
            new = set(tensor.consumers() if forwards else [tensor.op]) - reached
            reached |= new
            waiting.extend(new)
    return reached


def _topological_order(operations: set[tf.Operation]) -> list[tf.Operation]:
    inputs = {op: [tensor.op for tensor in op.inputs if tensor.op in operations] for op in operations}
    return list(TopologicalSorter(inputs).static_order())
