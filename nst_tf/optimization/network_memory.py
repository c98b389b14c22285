"""Estimate of the memory that a network takes for a picture: features, gradients, weights, and copies of them."""

import math
from collections.abc import Collection

from nst_tf.backbones import Extractor
from nst_tf.backbones.graph import edges, output_shapes
from nst_tf.optimization.tiles import Grid, Tiling
from nst_tf.system.memory import MB
from nst_tf.system.runtime import has_bfloat16
from nst_tf.util.lazy import tf

COPIES = 4
"""Copies of the picture beside the optimiser's: gradient, preprocessed picture, best so far, and start."""

FIXED_MB = 68
"""MiB that a run of any size takes: traced graphs, kernels of oneDNN, thread-local pools. Measured, not derived.

The measured growth of runs at 128 to 768 pixels is a line over the area; this is its value at 0, without the weights
and without `Optimizer.graph_mb`.
"""

WEIGHT_COPIES = 0.8
"""Copies of the weights that oneDNN makes in the layout of its kernels. Measured.

It is the difference between the fixed memory of VGG-19 and of vgg19_lite, divided by that of their weights in float32:
0.5 on an idle machine and 0.8 on a busy one. In bfloat16 a copy has two bytes a value, and the weights are rounded once
more. On a CPU without bfloat16 instructions oneDNN makes no copy in bfloat16.
"""

GRADIENT_COPIES = 1.0
"""Copies of the gradients of the two largest layers that exist at the same time: input and output of one operation.

Measured with vgg19_lite, whose losses have no gradients beside them.
"""

FLOAT32_BYTES = 4
"""Bytes of a value in float32, in which losses read features of any precision."""

TILE_COPIES = 2
"""Copies of the picture that tiles need beside those of an untiled run: a tile's gradient in place, and the sum."""

TILE_FIXED_MB = 80
"""MiB that tiles take at any size beside `FIXED_MB`: the graphs of both passes. Measured.

Each pass also lays the weights out for itself, so that they exist `WEIGHT_COPIES` times more.
"""


def needed_mb(
    extractor: Extractor,
    height: int,
    width: int,
    image_copies: int = COPIES,
    *,
    backward: bool = True,
    joint_layers: Collection[str] = (),
) -> float:
    """Return an estimate of the memory that a run takes beyond what the process has before it, in MiB.

    The forward pass keeps the features of every layer for the backward pass, and float32 copies of those that the
    losses read in lower precision. The backward pass holds the gradients of the two largest, and from its beginning
    those that a loss sends to several layers at once; when it comes to the largest, it has freed the copies of the
    deeper layers. With ``recompute``, the output of each segment is kept, and the inner features of one segment at a
    time. A convolution by Winograd's method also needs its tiles. `fixed_mb` is independent of the picture.

    Args:
        extractor: The network.
        height: Height of the picture, in pixels.
        width: Width of the picture, in pixels.
        image_copies: Number of float32 pictures that optimiser, losses and preprocessing hold.
        backward: Whether there is a backward pass. Targets need the forward pass alone.
        joint_layers: Layers whose gradients are computed together, see `nst_tf.optimization.layer_gradients`.
    """
    pictures = image_copies * picture_mb(height, width)
    return fixed_mb(extractor) + pictures + _network_mb(extractor, height, width, backward, joint_layers)


def picture_mb(height: int, width: int) -> float:
    """Return the MiB of a float32 picture of a height and width in pixels."""
    return FLOAT32_BYTES * height * width * 3 / MB


def _network_mb(extractor: Extractor, height: int, width: int, backward: bool, joint_layers: Collection[str]) -> float:
    """Return the MiB of the features, and of their gradients, of a picture of this size."""
    sizes = feature_sizes(extractor, height, width)
    segments = [
        [sizes[each.name] for each in piece.model.operations if each.name in sizes] for piece in extractor.segments
    ]
    outputs = {name for piece in extractor.segments for name in piece.model.output} if len(segments) > 1 else set()
    peak = max(map(sum, segments), default=0.0) + sum(_copies(extractor, sizes).values())  # after the forward pass
    if backward:
        picture = picture_mb(height, width)
        with_gradients = [sum(each) + GRADIENT_COPIES * sum(sorted([picture, *each])[-2:]) for each in segments]
        at_once = _copies_mb(extractor, sizes, joint_layers) + _early_gradients_mb(extractor, sizes, joint_layers)
        peak = max(peak, max(with_gradients, default=0.0) + at_once)
    return peak + sum(sizes[name] for name in outputs) + _workspace_mb(extractor, sizes)


def tile_mb(extractor: Extractor, height: int, width: int, own: int, backward: bool) -> float:
    """Return the MiB that the tiles of a picture of this size take; they do not grow with the picture.

    The features that the losses read exist a second time, in float32, without those that other tiles own.

    Args:
        extractor: The network.
        height: Height of the picture, in pixels.
        width: Width of the picture, in pixels.
        own: Side of the square that a tile owns, in pixels.
        backward: Whether there is a backward pass.
    """
    tiling = Tiling.plan(height, width, own, Grid.of(extractor))
    if tiling.count == 1:
        return _network_mb(extractor, height, width, backward, ())
    sizes = feature_sizes(extractor, *tiling.window)
    masked = sum(_in_float32(extractor, sizes).values())
    return _network_mb(extractor, *tiling.window, backward, ()) + masked + TILE_FIXED_MB + _weights_mb(extractor)


def fixed_mb(extractor: Extractor) -> float:
    """Return the part of `needed_mb` that does not depend on the picture, in MiB."""
    return FIXED_MB + _weights_mb(extractor)


def _weights_mb(extractor: Extractor) -> float:
    """Return the MiB of the copies of the weights that oneDNN makes."""
    layers = [] if extractor.model is None else extractor.model.layers
    copied = [layer for layer in layers if layer.compute_dtype != "bfloat16" or has_bfloat16()]
    values = sum(math.prod(weight.shape) for layer in copied for weight in layer.weights)
    return WEIGHT_COPIES * FLOAT32_BYTES * values / MB


def _workspace_mb(extractor: Extractor, sizes: dict[str, float]) -> float:
    """Return the MiB of the tiles of one convolution by Winograd's method, the largest, in its input and its output."""
    layers = [] if extractor.model is None else extractor.model.layers
    tiles = [sizes[layer.name] * layer.tiles_size for layer in layers if hasattr(layer, "tiles_size")]
    return 2 * max(tiles, default=0.0)


def _early_gradients_mb(extractor: Extractor, sizes: dict[str, float], joint_layers: Collection[str]) -> float:
    """Return the MiB of the gradients of layers that are computed together, before the backward pass reaches them.

    A layer that no other layer reads adds nothing: its gradient takes the place of its features. A network that needs
    all gradients at once takes those of all layers in float32.
    """
    if extractor.model is None:
        return 0.0
    if extractor.network.needs_all_gradients:
        return sum(_copies(extractor, sizes).values())
    operations = extractor.model.operations
    read = {operations[producer].name for producer, _ in edges(extractor.model)}
    return sum(sizes[name] for name in {extractor.layers[layer] for layer in joint_layers} & read)


def _copies_mb(extractor: Extractor, sizes: dict[str, float], joint_layers: Collection[str]) -> float:
    """Return the MiB of the float32 copies beside the largest gradients: the largest, or those needed at once."""
    copies = _copies(extractor, sizes)
    joint = {extractor.layers[layer] for layer in joint_layers}
    at_once = copies.keys() if extractor.network.needs_all_gradients else copies.keys() & joint
    return max([sum(copies[name] for name in at_once), *copies.values()])


def _copies(extractor: Extractor, sizes: dict[str, float]) -> dict[str, float]:
    """Return the MiB of a float32 copy of each layer that the losses read in lower precision."""
    return {name: size for name, size in _in_float32(extractor, sizes).items() if size > sizes[name]}


def _in_float32(extractor: Extractor, sizes: dict[str, float]) -> dict[str, float]:
    """Return the MiB in float32 of the features of each layer that the losses read."""
    outputs = {} if extractor.model is None else extractor.model.output
    return {name: sizes[name] * FLOAT32_BYTES / tf.as_dtype(output.dtype).size for name, output in outputs.items()}


def feature_sizes(extractor: Extractor, height: int, width: int) -> dict[str, float]:
    """Return the MiB of each layer's features, by its name in Keras, for a picture of a height and width in pixels."""
    if extractor.model is None:
        return {}
    shapes = output_shapes(extractor.model, height, width)
    return {
        operation.name: tf.as_dtype(operation.output.dtype).size * math.prod(shape) / MB
        for operation, shape in zip(extractor.model.operations, shapes, strict=True)
    }
