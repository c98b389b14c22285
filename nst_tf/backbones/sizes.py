"""Smallest picture that a network accepts; `Backbone.extractor` computes it for `Extractor.minimum_size`."""

from __future__ import annotations

from typing import Any

from nst_tf.backbones.graph import edges, is_input
from nst_tf.util.lazy import keras


def smallest_input(model: Any) -> int:
    """Return the shortest side, in pixels, for which every layer puts out at least one pixel.

    The computation goes from the outputs back to the input. To put out ``n`` pixels, a window of ``k`` with stride
    ``s`` needs ``(n − 1)·s + k`` pixels without padding and ``(n − 1)·s + 1`` with ``same``. Where an output has
    several consumers, the largest need counts. Reflect padding also needs more pixels than it reflects.
    """
    return max(_smallest_side(model, axis) for axis in (0, 1))


def _smallest_side(model: Any, axis: int) -> int:
    needed = [1] * len(model.operations)
    for producer, consumer in sorted(edges(model), key=lambda edge: edge[1], reverse=True):
        required = _required_input(model.operations[consumer], needed[consumer], axis)
        needed[producer] = max(needed[producer], required)
    return max(size for size, operation in zip(needed, model.operations, strict=True) if is_input(operation))


def _required_input(operation: Any, output_size: int, axis: int) -> int:
    """Return the number of pixels along an axis that an operation needs to put out ``output_size`` pixels."""
    from nst_tf.backbones.surgery import ReflectConvolution, ReflectPadding2D

    if isinstance(operation, keras.layers.Reshape | keras.layers.GlobalAveragePooling2D):
        return 1
    if isinstance(operation, keras.layers.ZeroPadding2D):
        amounts = operation.padding[axis]
        least = max(amounts) + 1 if isinstance(operation, ReflectPadding2D) else 1
        return max(least, output_size - sum(amounts))
    if not hasattr(operation, "strides"):
        return output_size
    window = (operation.pool_size if hasattr(operation, "pool_size") else operation.kernel_size)[axis]
    extent = (window - 1) * getattr(operation, "dilation_rate", (1, 1))[axis] + 1
    strided = (output_size - 1) * operation.strides[axis]
    if isinstance(operation, ReflectConvolution):
        return max(strided + 1, extent // 2 + 1)
    return strided + (extent if operation.padding == "valid" else 1)
