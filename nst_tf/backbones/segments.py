"""A network in pieces that are computed again in the backward pass, so that their features need not be kept."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from nst_tf.backbones.gradients import Backward, Network, frozen_gradient
from nst_tf.backbones.graph import edges, operations
from nst_tf.util.lazy import keras, tf

SIDE = 256
"""Of the picture at which layers' sizes are compared."""

REDUCTION = 0.75
"""A layer this much smaller, a side, than the last one kept is cheap to keep as well."""


class Segment(NamedTuple):
    """A piece of a network.

    Attributes:
        model: From what flows in to features by layer name.
        flow: Name of the one that the next segment takes; None for the last.
    """

    model: Any
    flow: str | None = None


def segments(model: Any) -> list[Segment]:
    """A model as a chain of smaller ones, between two of which a single tensor flows.

    Args:
        model: A functional Keras model with one input and a mapping of outputs by layer name.
    """
    cuts, places = narrows(model), operations(model)
    starts = [model.input, *(places[cut].output for cut in cuts)]
    pieces = []
    for start, flow, taps in zip(starts, [*cuts, None], _taps_between(model, cuts), strict=True):
        names = taps if flow is None else list(dict.fromkeys([*taps, flow]))
        pieces.append(Segment(keras.Model(start, {name: places[name].output for name in names}), flow))
    return pieces


def chained(pieces: Sequence[Segment]) -> Network:
    """`segments` one after the other, each `recomputed`.

    The forward pass keeps what flows between segments, and the taps; the backward pass computes each segment once
    more (Chen, Xu, Zhang & Guestrin 2016, *Training Deep Nets with Sublinear Memory Cost*).
    """
    chain = [(recomputed(functools.partial(piece.model, training=False)), piece.flow) for piece in pieces]

    def run(x: tf.Tensor) -> dict[str, tf.Tensor]:
        features: dict[str, tf.Tensor] = {}
        for network, flow in chain:
            features |= network(x)
            x = x if flow is None else features[flow]
        return features

    return run


def recomputed(network: Network) -> Network:
    """The same network, which keeps its input alone and runs once more when its gradient is asked for."""

    def run(x: tf.Tensor) -> tuple[dict[str, tf.Tensor], Backward]:
        def backward(*upstream: tf.Tensor) -> tf.Tensor:
            with tf.control_dependencies(upstream):  # not before, and not merged with the first run
                again = tf.identity(x)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(again)
                features = network(again)
            return tape.gradient(tf.nest.flatten(features), again, list(upstream))

        return network(x), backward

    return frozen_gradient(run)


def narrows(model: Any) -> list[str]:
    """Names of the layers to cut behind: at each resolution the taps, or where there are none, its first narrow place.

    A place is narrow where nothing but one layer's output leads on. Taps are kept in any case, for the losses; what
    stands first after a reduction is small, so that it is cheap to keep. What convolutions without padding lose at the
    border is no reduction.
    """
    leading = {start for start, _ in _leading_on(edges(model))}
    groups: list[list[str]] = [[]]  # one for each resolution
    height = float(SIDE)
    for place, size in narrow_places(model, SIDE):
        if place in leading and size < REDUCTION * height:
            groups.append([])
            height = size
        if place in leading:
            groups[-1].append(model.operations[place].name)
    tapped = [[name for name in group if name in model.output] for group in groups]
    first = [[], *(group[:1] for group in groups[1:])]  # the picture itself is the first group's
    return [name for taps, small in zip(tapped, first, strict=True) for name in taps or small]


def narrow_places(model: Any, side: int) -> list[tuple[int, int]]:
    """Where a single tensor leads on: positions in ``model.operations``, with the height of that tensor.

    Args:
        model: A functional Keras model.
        side: Of the square picture that enters.
    """
    operations, read = model.operations, _leading_on(edges(model))
    shapes = keras.Model(model.inputs, [x.output for x in operations]).compute_output_shape((1, side, side, 3))
    return [
        (index, shape[1]) for index, shape in enumerate(shapes) if not any(start < index < end for start, end in read)
    ]


def _leading_on(arrows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Edges to layers that others read; the rest lead to ends, which may stand anywhere."""
    read = {start for start, _ in arrows}
    return [(start, end) for start, end in arrows if end in read]


def _taps_between(model: Any, cuts: Sequence[str]) -> list[list[str]]:
    """For each segment the outputs of the model that lie in it; an end lies where what it reads lies."""
    position = {name: index for index, name in enumerate(operations(model))}
    arrows = edges(model)
    read = {start for start, _ in arrows}
    limits = [position[cut] for cut in cuts]
    segments: list[list[str]] = [[] for _ in range(len(cuts) + 1)]
    for tap in model.output:
        place: float = position[tap]
        if place not in read:
            place = max(start for start, end in arrows if end == place) + 0.5
        segments[sum(limit < place for limit in limits)].append(tap)
    return segments
