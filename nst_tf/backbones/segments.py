"""Segments of a network that are recomputed in the backward pass, which saves memory.

`Backbone.extractor` uses them with ``recompute``. The method is the gradient checkpointing of Chen, Xu, Zhang &
Guestrin 2016, *Training Deep Nets with Sublinear Memory Cost*.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from nst_tf.backbones.gradients import Network
from nst_tf.backbones.graph import cut_positions, edges, inner_edges, operations_by_name
from nst_tf.util.lazy import keras, tf

REFERENCE_SIDE = 256
"""Side, in pixels, of the square picture for which the heights of layers are compared."""

MAX_HEIGHT_RATIO = 0.75
"""Fraction of the current resolution's height; a layer of smaller height starts a new resolution.

Convolutions without padding also reduce the height, but only by a few pixels, so they stay above this fraction.
"""


class Segment(NamedTuple):
    """A part of a network.

    Attributes:
        model: Keras model from the segment's input to features by layer name.
        next_input: Name of the layer whose features are the next segment's input; None for the last segment.
    """

    model: Any
    next_input: str | None = None


def split_into_segments(model: Any) -> list[Segment]:
    """Split a model into a chain of smaller models, with a single tensor from each to the next.

    Args:
        model: A functional Keras model with one input and a mapping of outputs by layer name.

    Returns:
        The segments in order, from the input on; the first starts at the model's input.
    """
    cuts, operations = choose_cuts(model), operations_by_name(model)
    inputs = [model.input, *(operations[cut].output for cut in cuts)]
    segments = []
    for segment_input, cut, taps in zip(inputs, [*cuts, None], _taps_by_segment(model, cuts), strict=True):
        names = taps if cut is None else list(dict.fromkeys([*taps, cut]))
        segments.append(Segment(keras.Model(segment_input, {name: operations[name].output for name in names}), cut))
    return segments


def chain_segments(segments: Sequence[Segment]) -> Network:
    """Return a network that runs segments one after the other and recomputes each in the backward pass.

    The forward pass keeps the taps and the tensors between segments. ``keras.remat`` discards the other features and
    computes a segment again when its gradient is needed. It also defines gradients of the frozen weights. The engine
    runs the network inside ``tf.function``, where TensorFlow prunes them; in eager mode they would cost time.

    Args:
        segments: Result of `split_into_segments`.
    """
    chain = [(keras.remat(functools.partial(each.model, training=False)), each.next_input) for each in segments]

    def run(x: tf.Tensor) -> dict[str, tf.Tensor]:
        features: dict[str, tf.Tensor] = {}
        for segment, next_input in chain:
            features |= segment(x)
            x = x if next_input is None else features[next_input]
        return features

    return run


def choose_cuts(model: Any) -> list[str]:
    """Return the names of the layers after which the model is cut.

    The candidates are the `cut_points`. At each resolution, the model is cut at those that are taps, because the losses
    keep their features in any case. A resolution without such a tap is cut at its first cut point, where the features
    have just become smaller and are cheap to keep. At full resolution that point is the picture itself, so there the
    model is cut at taps alone.

    Args:
        model: A functional Keras model with one input and a mapping of outputs by layer name.
    """
    with_continuation = {producer for producer, _ in inner_edges(model)}
    groups: list[list[str]] = [[]]  # cut points of each resolution
    height = float(REFERENCE_SIDE)
    for position, layer_height in cut_points(model, REFERENCE_SIDE):
        if position not in with_continuation:
            continue
        if layer_height < MAX_HEIGHT_RATIO * height:
            groups.append([])
            height = layer_height
        groups[-1].append(model.operations[position].name)
    taps = [[name for name in group if name in model.output] for group in groups]
    first_points = [[], *(group[:1] for group in groups[1:])]
    return [name for tapped, first in zip(taps, first_points, strict=True) for name in tapped or first]


def cut_points(model: Any, side: int) -> list[tuple[int, int]]:
    """Return the operations after which the model can be cut, because the rest depends on their output alone.

    Args:
        model: A functional Keras model.
        side: Side of the square picture that enters, in pixels.

    Returns:
        ``(position in model.operations, height of the output in pixels)`` of each, in topological order.
    """
    outputs = keras.Model(model.inputs, [operation.output for operation in model.operations])
    shapes = outputs.compute_output_shape((1, side, side, 3))
    return [(position, shapes[position][1]) for position in cut_positions(model)]


def _taps_by_segment(model: Any, cuts: Sequence[str]) -> list[list[str]]:
    """Return the model's outputs in each segment; an output without consumers belongs to the segment of its input."""
    positions = {name: position for position, name in enumerate(operations_by_name(model))}
    all_edges = edges(model)
    producers = {producer for producer, _ in all_edges}
    cut_positions = [positions[cut] for cut in cuts]
    segments: list[list[str]] = [[] for _ in range(len(cuts) + 1)]
    for tap in model.output:
        position: float = positions[tap]
        if position not in producers:
            position = max(producer for producer, consumer in all_edges if consumer == position) + 0.5
        segments[sum(cut < position for cut in cut_positions)].append(tap)
    return segments
