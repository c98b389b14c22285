"""How small a picture may be."""

from __future__ import annotations

from typing import Any

from nst_tf.backbones.graph import edges, is_input
from nst_tf.util.lazy import keras


def smallest_input(model: Any) -> int:
    """Shortest side in pixels for which every layer of a model puts out at least one pixel, mirrored ones included.

    Goes from the outputs back: a window of ``k`` with stride ``s`` that must put out ``n`` pixels needs
    ``(n − 1)·s + k`` of them without padding and ``(n − 1)·s + 1`` with ``same``; paths that join need the larger.
    """
    return max(_smallest(model, axis) for axis in (0, 1))


def _smallest(model: Any, axis: int) -> int:
    needed = [1] * len(model.operations)
    for start, end in sorted(edges(model), key=lambda edge: edge[1], reverse=True):
        needed[start] = max(needed[start], _before(model.operations[end], needed[end], axis))
    return max(size for size, operation in zip(needed, model.operations, strict=True) if is_input(operation))


def _before(operation: Any, after: int, axis: int) -> int:
    """Pixels that an operation must be given to put out ``after``."""
    from nst_tf.backbones.surgery import Reflecting, ReflectPadding2D

    if isinstance(operation, keras.layers.Reshape | keras.layers.GlobalAveragePooling2D):
        return 1
    if isinstance(operation, keras.layers.ZeroPadding2D):
        amounts = operation.padding[axis]
        least = max(amounts) + 1 if isinstance(operation, ReflectPadding2D) else 1
        return max(least, after - sum(amounts))
    if not hasattr(operation, "strides"):
        return after
    window = (operation.pool_size if hasattr(operation, "pool_size") else operation.kernel_size)[axis]
    reach = (window - 1) * getattr(operation, "dilation_rate", (1, 1))[axis] + 1
    reduced = (after - 1) * operation.strides[axis]
    if isinstance(operation, Reflecting):
        return max(reduced + 1, reach // 2 + 1)
    return reduced + (reach if operation.padding == "valid" else 1)
