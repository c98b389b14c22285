"""Receptive fields of a network's layers, from its graph: the pixels that one position of a layer depends on.

A layer of stride j has one position for every cell of j × j pixels. The position depends on its cell and on some pixels
around it, its reach. A network whose layers all have a bounded reach can be computed on overlapping parts of a picture.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from nst_tf.backbones.graph import edges, is_input
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import keras

POINTWISE = (
    "Activation",
    "Add",
    "BatchNormalization",
    "Concatenate",
    "CustomScaleLayer",
    "Dense",
    "Dropout",
    "LayerNormalization",
    "LayerScale",
    "Multiply",
    "ReLU",
)
"""Class names of operations that compute each position from the same position alone, in the networks of this package.

They act on the channels of features ``(B, H, W, C)``; `_is_pointwise` checks the axis of those that have one.
"""

CHANNEL_AXES = (-1, 3, [-1], [3])
"""Values of ``axis`` that name the channels of features ``(B, H, W, C)``."""


class AxisField(NamedTuple):
    """The receptive field of a layer along one axis of the picture, in pixels.

    The position p of the layer sees the pixels ``p · stride + first`` to ``p · stride + last``, both included. Pixels
    beyond the border are padding.

    Attributes:
        stride: Number of pixels from one position to the next, j.
        first: Offset of the first pixel.
        last: Offset of the last pixel.
    """

    stride: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """Number of pixels that a position sees."""
        return self.last - self.first + 1

    @property
    def reach(self) -> int:
        """Number of pixels beyond its cell that a position sees, on the side where there are more, h."""
        return max(0, -self.first, self.last - (self.stride - 1))


class ReceptiveField(NamedTuple):
    """The receptive field of a layer.

    Attributes:
        vertical: Along the height.
        horizontal: Along the width.
    """

    vertical: AxisField
    horizontal: AxisField


def receptive_fields(model: Any) -> dict[str, ReceptiveField]:
    """Return the receptive field of every operation of a network, by name.

    With stride 1, ``same`` padding is exact; a larger stride pads by the remainder of the picture's size, and then the
    field covers every remainder. Where several paths lead to a layer, its field covers all of them.

    Args:
        model: A functional Keras model, channels last.

    Raises:
        InputError: An operation has no bounded receptive field, because it combines all positions.
    """
    producers: dict[int, list[int]] = {}
    for producer, consumer in edges(model):
        producers.setdefault(consumer, []).append(producer)
    pixel = AxisField(1, 0, 0)
    fields: list[ReceptiveField] = []
    for index, operation in enumerate(model.operations):
        if is_input(operation):
            fields.append(ReceptiveField(pixel, pixel))
            continue
        inputs = [fields[producer] for producer in producers[index]]
        axes = [
            _output_field(model.name, operation, _union([each[axis] for each in inputs], operation), axis)
            for axis in (0, 1)
        ]
        fields.append(ReceptiveField(*axes))
    return {operation.name: each for operation, each in zip(model.operations, fields, strict=True)}


def wraps_around(model: Any) -> bool:
    """Return whether a layer continues the picture at the opposite border, which its receptive field leaves out."""
    from nst_tf.backbones.surgery import CircularConvolution, CircularPadding2D

    return any(isinstance(operation, CircularConvolution | CircularPadding2D) for operation in model.operations)


def _union(fields: list[AxisField], operation: Any) -> AxisField:
    """Return the field that covers those of all inputs of an operation."""
    strides = {each.stride for each in fields}
    if len(strides) > 1:
        raise InputError(f"{operation.name} joins features of different strides, so that it has no receptive field.")
    return AxisField(strides.pop(), min(each.first for each in fields), max(each.last for each in fields))


def _output_field(network: str, operation: Any, field: AxisField, axis: int) -> AxisField:
    """Return the field of an operation's output along an axis from that of its input."""
    if isinstance(operation, keras.layers.ZeroPadding2D):
        before = operation.padding[axis][0] * field.stride
        return AxisField(field.stride, field.first - before, field.last - before)
    if hasattr(operation, "strides"):
        return _window_field(operation, field, axis)
    if _is_pointwise(operation):
        return field
    raise InputError(
        f"{network}: its layer {operation.name} ({type(operation).__name__}) combines all positions of a picture, so "
        "that no part of the picture can be computed by itself."
    )


def _window_field(operation: Any, field: AxisField, axis: int) -> AxisField:
    """Return the field of a convolution or pooling."""
    from nst_tf.backbones.surgery import ReflectConvolution

    window = (operation.pool_size if hasattr(operation, "pool_size") else operation.kernel_size)[axis]
    stride = operation.strides[axis]
    extent = (window - 1) * getattr(operation, "dilation_rate", (1, 1))[axis] + 1
    padded = operation.padding == "same" or isinstance(operation, ReflectConvolution)
    # `same` adds extent − stride to extent − 1 pixels, the smaller half before, by the remainder of the size
    least, most = (max(extent - stride, 0) // 2, (extent - 1) // 2) if padded else (0, 0)
    first = field.first - most * field.stride
    last = field.last + (extent - 1 - least) * field.stride
    return AxisField(field.stride * stride, first, last)


def _is_pointwise(operation: Any) -> bool:
    return type(operation).__name__ in POINTWISE and getattr(operation, "axis", -1) in CHANNEL_AXES
