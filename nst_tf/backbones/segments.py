"""A network as a chain of segments, which end where the losses read features.

The backward pass goes back through them one by one. It computes the gradient that a loss sends to a layer only when it
reaches that layer, and not as soon as the loss is known, which saves memory. With ``recompute``, the features
within a segment are computed again instead of kept. That is the gradient checkpointing of Chen, Xu, Zhang & Guestrin
2016, *Training Deep Nets with Sublinear Memory Cost*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nst_tf.backbones.gradients import (
    GradientOf,
    PullBack,
    Vjp,
    after,
    known_gradients,
    vjp,
    with_input_gradient,
)
from nst_tf.backbones.graph import cut_positions, inner_edges, operations_by_name, output_shapes, places
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

    def run(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the features of the segment by layer name."""
        features: dict[str, tf.Tensor] = self.model(x, training=False)
        return features


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


class Chain:
    """A network that runs segments one after the other, and goes back through them in the reverse order.

    Args:
        segments: Result of `split_into_segments`.
        recompute: Whether only the taps and the tensors between segments are kept, and each segment is computed again
            when the backward pass reaches it.
    """

    needs_all_gradients = False

    def __init__(self, segments: Sequence[Segment], recompute: bool = False) -> None:
        self._segments, self._recompute = segments, recompute
        self._differentiable = with_input_gradient(self.vjp) if recompute else self._forward

    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the features by layer name; see `nst_tf.backbones.gradients.Network`."""
        return self._differentiable(x)

    def _forward(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._through(Segment.run, x)

    def _through(self, run: Callable[[Segment, tf.Tensor], dict[str, tf.Tensor]], x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Run each segment on what the one before gives it; return the features of all."""
        features: dict[str, tf.Tensor] = {}
        for segment in self._segments:
            features |= run(segment, x)
            x = x if segment.next_input is None else features[segment.next_input]
        return features

    def vjp(self, x: tf.Tensor) -> Vjp:
        """Return the features with their backward pass, which goes through the segments from the last to the first."""
        passes: list[tuple[Segment, PullBack]] = []

        def run(segment: Segment, x: tf.Tensor) -> dict[str, tf.Tensor]:
            features, pull_back = (_vjp_again if self._recompute else vjp)(segment.run, x)
            passes.append((segment, pull_back))
            return features

        def pull_back_all(gradient_of: GradientOf) -> tf.Tensor | None:
            gradient = None
            for segment, pull_back in reversed(passes):
                gradient = pull_back(_with_later_gradient(gradient_of, segment.next_input, gradient))
            return gradient

        return self._through(run, x), pull_back_all


def _vjp_again(function: Callable[[tf.Tensor], dict[str, tf.Tensor]], x: tf.Tensor) -> Vjp:
    """Compute a function and return a backward pass that computes it again, so that only ``x`` is kept."""
    features = function(x)

    def pull_back(gradient_of: GradientOf) -> tf.Tensor | None:
        gradients = known_gradients(features, gradient_of)
        with after(gradients.values()):
            _, pull_back_again = vjp(function, tf.identity(x))
        return pull_back_again(gradients.get)

    return features, pull_back


def _with_later_gradient(gradient_of: GradientOf, cut: str | None, later: tf.Tensor | None) -> GradientOf:
    """Return the gradients within a segment, given that of the next segment, after which they are computed.

    Args:
        gradient_of: Gradients that the losses send to the taps.
        cut: The layer that both segments share; None at the end of the chain.
        later: Gradient with respect to its features in the next segment; None if there is none.
    """
    if later is None:
        return gradient_of

    def joined(name: str) -> tf.Tensor | None:
        with after([later]):
            own = gradient_of(name)
        if name != cut:
            return own
        return later if own is None else own + later

    return joined


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
    shapes = output_shapes(model, side, side)
    return [(position, shapes[position][1]) for position in cut_positions(model)]


def _taps_by_segment(model: Any, cuts: Sequence[str]) -> list[list[str]]:
    """Return the model's outputs in each segment."""
    place_of = dict(zip(operations_by_name(model), places(model), strict=True))
    segments: list[list[str]] = [[] for _ in range(len(cuts) + 1)]
    for tap in model.output:
        segments[sum(place_of[cut] < place_of[tap] for cut in cuts)].append(tap)
    return segments
