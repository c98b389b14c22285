"""The convolutions and normalisations that a network runs, as operations that can be timed in each precision.

`Backbone.workload` lists them, and `nst_tf.optimization.execution` chooses the execution of a run by their seconds.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, TypeAlias

from nst_tf.backbones.graph import output_shapes
from nst_tf.backbones.sizes import smallest_input
from nst_tf.system.runtime import ConvolutionMethod
from nst_tf.util.lazy import keras, tf

LARGEST = 1e9
"""Largest number of floating-point operations of one timed convolution on a CPU; a larger one is timed in part."""

WINOGRAD_FACTOR = 5
"""Factor of that number for a convolution that Winograd's method can compute, whose products need many tiles."""

COVERAGE = 0.8
"""Fraction of a network's work whose convolutions are timed."""

MOST_SHAPES = 8
"""Largest number of different operations that are timed."""

DEPTHWISE_FACTOR = 20
"""Estimated cost of an operation of a depthwise convolution, which is bound by memory, in operations of a full one."""

ELEMENT_COST = 500
"""Estimated cost of normalising and activating one value, which is bound by memory, in operations of a convolution."""


WAYS = {
    ConvolutionMethod.plain: ("forward", "backward"),
    ConvolutionMethod.transposed: ("forward, transposed", "backward"),
    ConvolutionMethod.winograd: ("forward, winograd", "backward, winograd"),
}
"""Names of the forward and of the backward pass of a convolution by a method, see `Part`."""


class Part(NamedTuple):
    """One timed operation.

    Attributes:
        operation: Index of the operation in the workload.
        way: ``forward``, ``backward``, or one of both by a method: ``forward, transposed``, ``forward, winograd``,
            ``backward, winograd``.
        dtype: Name of the dtype, ``float32``, ``bfloat16`` or ``float16``.
    """

    operation: int
    way: str
    dtype: str


@dataclass(frozen=True)
class Convolution:
    """A convolution of a network for pictures of one size.

    Attributes:
        kernel: Height and width of the kernel.
        channels: Numbers of input and output channels; equal for a depthwise convolution.
        stride: Step of the kernel, in pixels.
        size: Height and width of the output.
        depthwise: Whether each channel has its own kernel.
        methods: Methods by which a frozen network can compute the layer beside ``plain``.
    """

    kernel: tuple[int, int]
    channels: tuple[int, int]
    stride: int
    size: tuple[int, int]
    depthwise: bool = False
    methods: tuple[ConvolutionMethod, ...] = ()

    @property
    def operations(self) -> float:
        """Number of floating-point operations of the forward pass: two for each product."""
        inputs, outputs = self.channels
        return 2.0 * math.prod(self.kernel) * (1 if self.depthwise else inputs) * outputs * math.prod(self.size)

    @property
    def cost(self) -> float:
        """Estimated cost, in operations of a full convolution."""
        return self.operations * (DEPTHWISE_FACTOR if self.depthwise else 1)

    def cropped(self, largest: float = LARGEST) -> Convolution:
        """Return the convolution on a part of its input with at most so many operations."""
        factor = WINOGRAD_FACTOR if ConvolutionMethod.winograd in self.methods else 1
        return replace(self, size=_cropped(self.size, self.operations, factor * largest))

    def calls(self, dtype: str) -> dict[str, Callable[[], object]]:
        """Return the operations on tensors of a dtype, by the name of their way, see `Part`."""
        from nst_tf.backbones import transposed_conv, winograd

        inputs, outputs = self.channels
        input_shape = [1, *(side * self.stride for side in self.size), inputs]
        x, upstream = (tf.fill(shape, tf.cast(0.5, dtype)) for shape in (input_shape, [1, *self.size, outputs]))
        kernel = tf.fill([*self.kernel, inputs, 1 if self.depthwise else outputs], tf.cast(0.01, dtype))
        options = {"strides": [1, self.stride, self.stride, 1], "padding": "SAME"}
        if self.depthwise:
            forward = functools.partial(tf.raw_ops.DepthwiseConv2dNative, input=x, filter=kernel, **options)
            gradient = tf.raw_ops.DepthwiseConv2dNativeBackpropInput
        else:
            forward = functools.partial(tf.raw_ops.Conv2D, input=x, filter=kernel, **options)
            gradient = tf.raw_ops.Conv2DBackpropInput
        backward = functools.partial(gradient, input_sizes=input_shape, filter=kernel, out_backprop=upstream, **options)
        calls: dict[str, Callable[[], object]] = {"forward": forward, "backward": backward}
        if dtype != "float32":
            return calls
        bias = tf.zeros([outputs])
        if ConvolutionMethod.transposed in self.methods:
            calls["forward, transposed"] = transposed_conv.timed_call(x, kernel, bias)
        if ConvolutionMethod.winograd in self.methods:
            calls |= winograd.timed_calls(x, kernel, bias, upstream)
        return calls


@dataclass(frozen=True)
class Normalization:
    """A normalisation of features with an activation, ``max(a x + b, 0)``, for pictures of one size.

    Attributes:
        channels: Number of channels.
        size: Height and width of the features.
    """

    channels: int
    size: tuple[int, int]
    methods: ClassVar[tuple[ConvolutionMethod, ...]] = ()

    @property
    def operations(self) -> float:
        """Number of values, in operations of a convolution that takes about as long."""
        return float(ELEMENT_COST * self.channels * math.prod(self.size))

    @property
    def cost(self) -> float:
        """Estimated cost, in operations of a full convolution."""
        return self.operations

    def cropped(self, largest: float = LARGEST) -> Normalization:
        """Return the normalisation of a part of its input with at most so many operations."""
        return replace(self, size=_cropped(self.size, self.operations, largest))

    def calls(self, dtype: str) -> dict[str, Callable[[], object]]:
        """Return the operations on tensors of a dtype, by the name of their way, see `Part`."""
        x = tf.fill([1, *self.size, self.channels], tf.cast(0.5, dtype))
        scale = tf.fill([self.channels], tf.cast(0.5, dtype))
        return {
            "forward": lambda: tf.nn.relu(x * scale + scale),
            "backward": lambda: tf.raw_ops.ReluGrad(gradients=x, features=x) * scale,
        }


Operation: TypeAlias = "Convolution | Normalization"


@dataclass(frozen=True)
class Workload:
    """The operations that take most of an evaluation of a network: convolutions, and normalisations if it has them.

    Attributes:
        operations: Different operations, with the number of layers that run each.
        largest: Largest number of floating-point operations of a timed operation; a larger one is timed on a part of
            its input.
    """

    operations: Sequence[tuple[Operation, int]]
    largest: float = LARGEST

    @property
    def methods(self) -> set[ConvolutionMethod]:
        """Methods by which a frozen network can compute some of its convolutions beside ``plain``."""
        return {method for operation, _ in self.operations for method in operation.methods}

    def plain(self, largest: float) -> Workload:
        """Return the workload with plain convolutions alone, and with another `largest`."""
        plain = [(replace(o, methods=()) if isinstance(o, Convolution) else o, n) for o, n in self.operations]
        return Workload(tuple(plain), largest)

    def candidates(self, dtypes: Sequence[str]) -> dict[Part, Callable[[], object]]:
        """Return all operations to be timed; float32 has those of other methods too."""
        return {
            Part(index, way, dtype): call
            for index, (operation, _) in enumerate(self.operations)
            for dtype in dtypes
            for way, call in operation.cropped(self.largest).calls(dtype).items()
        }

    def seconds(
        self,
        measured: Mapping[Part, float],
        dtype: str,
        method: ConvolutionMethod = ConvolutionMethod.plain,
    ) -> float:
        """Return the estimated seconds of a forward and a backward pass; infinity if an operation was not measured.

        Args:
            measured: Seconds of `candidates`.
            dtype: Name of the dtype.
            method: Method of the convolutions that support it.
        """
        total = 0.0
        for index, (operation, count) in enumerate(self.operations):
            ways = WAYS[method.for_layer(operation.methods)]
            parts = (measured.get(Part(index, way, dtype), math.inf) for way in ways)
            total += count * operation.operations / operation.cropped(self.largest).operations * sum(parts)
        return total


def network_workload(model: Any, height: int, width: int, *, zero_padding: bool = True) -> Workload:
    """Return the operations that take `COVERAGE` of a model's work, at most `MOST_SHAPES` different ones.

    Args:
        model: A functional Keras model, channels last.
        height: Height of the picture, in pixels; at least the smallest side that the model can process is used.
        width: Width of the picture, in pixels; the same holds.
        zero_padding: Whether the network pads with zeros, as all methods but ``plain`` do.
    """
    smallest = smallest_input(model)
    shapes = output_shapes(model, max(height, smallest), max(width, smallest))
    counts: Counter[Operation] = Counter(
        operation
        for layer, shape in zip(model.operations, shapes, strict=True)
        for operation in _layer_operations(layer, shape, zero_padding)
    )
    ranked = sorted(counts.items(), key=lambda item: item[0].cost * item[1], reverse=True)
    bound = COVERAGE * sum(operation.cost * count for operation, count in ranked)
    kept: list[tuple[Operation, int]] = []
    for operation, count in ranked[:MOST_SHAPES]:
        if sum(each.cost * number for each, number in kept) >= bound:
            break
        kept.append((operation, count))
    return Workload(tuple(kept))


def _cropped(size: tuple[int, int], operations: float, largest: float) -> tuple[int, int]:
    """Return the part of a size that takes at most ``largest`` of these operations."""
    factor = min(1.0, math.sqrt(largest / operations))
    height, width = (max(1, round(factor * side)) for side in size)
    return height, width


def _layer_operations(layer: Any, shape: Sequence[int], zero_padding: bool) -> Iterator[Operation]:
    """Yield the operations of a layer with this output shape; a dense layer on channels is a convolution of 1×1."""
    from nst_tf.backbones.surgery import supported_methods

    if isinstance(layer, keras.layers.BatchNormalization | keras.layers.LayerNormalization) and len(shape) == 4:
        yield Normalization(shape[-1], _sides(shape))
        return
    if isinstance(layer, keras.layers.Dense):
        if len(shape) == 4:
            yield Convolution((1, 1), (layer.input.shape[-1], layer.units), 1, _sides(shape))
        return
    if not isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D | keras.layers.SeparableConv2D):
        return
    inputs, stride = layer.input.shape[-1], layer.strides[0]
    per_channel = isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.SeparableConv2D)
    if per_channel or getattr(layer, "groups", 1) == inputs:
        yield Convolution(tuple(layer.kernel_size), (inputs, inputs), stride, _sides(shape), depthwise=True)
        if isinstance(layer, keras.layers.SeparableConv2D):
            yield Convolution((1, 1), (inputs, layer.filters), 1, _sides(shape))
    elif layer.groups == 1:
        methods = supported_methods(layer) if zero_padding else ()
        yield Convolution(tuple(layer.kernel_size), (inputs, layer.filters), stride, _sides(shape), methods=methods)


def _sides(shape: Sequence[int]) -> tuple[int, int]:
    return shape[1], shape[2]
