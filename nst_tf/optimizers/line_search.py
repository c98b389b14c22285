"""How far to go along a direction: a line search for the strong Wolfe conditions, in tensors.

All numbers are per picture, ``(B,)`` float32; pictures that are done wait for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from nst_tf.optimizers.solver import Evaluation
from nst_tf.util.lazy import tf

DECREASE = 1e-4
"""c₁: of the decrease that the slope at 0 promises, the part that has to come."""
CURVATURE = 0.9
"""c₂: of the slope at 0, the part that may be left."""
NOISE = 1e-6
"""Relative error of a loss in float32; decreases below it are judged by slopes alone."""
NEAREST, FARTHEST = 0.1, 0.9
"""A trial inside a bracket stays between these parts of it."""
GROWTH = (2.0, 10.0)
"""Without a bracket the next trial is so many times as far: at least, at most."""


class Point(NamedTuple):
    """A place on the line.

    Attributes:
        distance: t, in lengths of the direction; infinite for the far end before there is one.
        value: φ(t), the loss.
        slope: φ'(t).
    """

    distance: tf.Tensor
    value: tf.Tensor
    slope: tf.Tensor


class LineSearchResult(NamedTuple):
    """Where a search ended.

    Attributes:
        distance: ``(B,)``; 0 where nothing lower was found.
        evaluation: The objective there.
        evaluations: How many it took, int64.
    """

    distance: tf.Tensor
    evaluation: Evaluation
    evaluations: tf.Tensor


Line: TypeAlias = "Callable[[tf.Tensor], tuple[Evaluation, tf.Tensor]]"
"""A distance ``(B,)`` to the objective there and the slope ``(B,)`` along the line."""


def line_search(line: Line, start: Evaluation, slope: tf.Tensor, first: tf.Tensor, limit: int) -> LineSearchResult:
    """Bracket and interpolate until a point has both Wolfe conditions.

    ``φ(t) ≤ φ(0) + c₁ t φ'(0)`` and ``|φ'(t)| ≤ c₂ |φ'(0)|`` (Nocedal & Wright 2006, algorithms 3.5 and 3.6, here as
    one loop whose far end is infinite until there is a bracket); or, where the loss has not changed by more than its
    rounding, the slopes' form of the first, ``φ'(t) ≤ (2c₁ − 1) φ'(0)`` (Hager & Zhang 2005, the approximate Wolfe
    conditions). A loss that is not finite counts as too high.

    Args:
        line: What is searched.
        start: The objective at 0.
        slope: φ'(0), below 0.
        first: The first trial, above 0.
        limit: Most evaluations.

    Returns:
        The point accepted, or the lowest found within the limit.
    """
    zero = Point(tf.zeros_like(slope), start.total, slope)
    nowhere = tf.fill(tf.shape(slope), tf.constant(float("inf"), slope.dtype))

    def body(
        n: tf.Tensor, t: tf.Tensor, done: tf.Tensor, low: Point, high: Point, kept: Evaluation
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, Point, Point, Evaluation]:
        evaluation, slope_here = line(t)
        here = Point(t, evaluation.total, slope_here)
        too_high, accepted = _judge(here, low, zero)
        lower = ~done & (accepted | ~too_high)
        turned = ~accepted & ~too_high & (here.slope * (high.distance - low.distance) >= 0)
        new_high = _choose(~done & too_high & ~accepted, here, _choose(~done & turned, low, high))
        new_low = _choose(lower, here, low)
        kept = tf.nest.map_structure(lambda new, old: _where(lower, new, old), evaluation, kept)
        done |= accepted
        return n + 1, tf.where(done, new_low.distance, _next(low, new_low, new_high)), done, new_low, new_high, kept

    def going(n: tf.Tensor, t: tf.Tensor, done: tf.Tensor, low: Point, high: Point, kept: Evaluation) -> tf.Tensor:
        return (n < limit) & ~tf.reduce_all(done)

    n, _, _, low, _, kept = tf.while_loop(
        going,
        body,
        (
            tf.constant(0, tf.int64),
            first,
            tf.zeros_like(slope, tf.bool),
            zero,
            Point(nowhere, nowhere, tf.zeros_like(slope)),
            start,
        ),
        parallel_iterations=1,
    )
    return LineSearchResult(low.distance, kept, n)


def _judge(here: Point, low: Point, zero: Point) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether a point is too high to be the bracket's low end, and whether it is good enough to stop at."""
    finite = tf.math.is_finite(here.value) & tf.math.is_finite(here.slope)
    line = zero.value + DECREASE * here.distance * zero.slope
    too_high = ~finite | (here.value > line) | (here.value >= low.value)
    flat = tf.abs(here.slope) <= -CURVATURE * zero.slope
    unchanged = tf.abs(here.value - zero.value) <= NOISE * tf.abs(zero.value)
    approximate = unchanged & flat & (here.slope <= (2 * DECREASE - 1) * zero.slope)
    return too_high, finite & ((~too_high & flat) | approximate)


def _next(before: Point, low: Point, high: Point) -> tf.Tensor:
    """The next trial: inside the bracket where there is one, beyond its low end where there is none."""
    bracketed = tf.math.is_finite(high.distance)
    width = high.distance - low.distance  # below 0 where the low end is the farther one
    inside = (cubic_minimum(low, high) - low.distance) / width
    inside = tf.where(tf.math.is_finite(inside), inside, NEAREST)  # the high end has no finite loss
    within = low.distance + tf.clip_by_value(inside, NEAREST, FARTHEST) * width
    beyond = cubic_minimum(before, low) / low.distance
    beyond = tf.where(tf.math.is_finite(beyond) & (beyond > 1), beyond, GROWTH[1])
    return tf.where(bracketed, within, tf.clip_by_value(beyond, *GROWTH) * low.distance)


def cubic_minimum(a: Point, b: Point) -> tf.Tensor:
    """Where the cubic with the values and slopes of two points is lowest; not a number where it has no minimum.

    Nocedal & Wright 2006, equation 3.59.
    """
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.distance - b.distance)
    d2 = tf.sign(b.distance - a.distance) * tf.sqrt(tf.square(d1) - a.slope * b.slope)
    return b.distance - (b.distance - a.distance) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)


def _choose(condition: tf.Tensor, a: Point, b: Point) -> Point:
    return Point(*(tf.where(condition, x, y) for x, y in zip(a, b, strict=True)))


def _where(condition: tf.Tensor, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Per picture, whatever follows the first axis."""
    return tf.where(tf.reshape(condition, [-1] + [1] * (a.shape.rank - 1)), a, b)
