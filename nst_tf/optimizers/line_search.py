"""A line search for the strong Wolfe conditions, in tensors.

All numbers are per picture, ``(B,)`` float32. The search continues until every picture of the batch is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from nst_tf.optimizers.solver import Evaluation
from nst_tf.util.lazy import tf

SUFFICIENT_DECREASE = 1e-4
"""c₁ of the first Wolfe condition: the slope of the required decrease, relative to the slope at 0."""

SLOPE_REDUCTION = 0.9
"""c₂ of the second Wolfe condition: the largest slope that is accepted, relative to the slope at 0."""

ROUNDING = 1e-6
"""Relative rounding error of a loss in float32; a smaller change is judged by its slope alone."""

INSIDE = (0.1, 0.9)
"""Smallest and largest position of a trial inside a bracket, as a fraction of its width from the low end."""

GROWTH = (2.0, 10.0)
"""Smallest and largest growth of the step while no minimum is bracketed."""


class Point(NamedTuple):
    """A point on the line.

    Attributes:
        distance: t, in units of the direction; infinite for the high end while there is no bracket.
        value: φ(t), the loss.
        slope: φ'(t).
    """

    distance: tf.Tensor
    value: tf.Tensor
    slope: tf.Tensor


class LineSearchResult(NamedTuple):
    """The point where a line search ended.

    Attributes:
        distance: t, ``(B,)``; 0 where nothing lower was found.
        evaluation: The objective at that point.
        evaluations: Number of evaluations that the search took, int64 scalar.
    """

    distance: tf.Tensor
    evaluation: Evaluation
    evaluations: tf.Tensor


Line: TypeAlias = "Callable[[tf.Tensor], tuple[Evaluation, tf.Tensor]]"
"""A distance ``(B,)`` to the evaluation at that point and the slope φ'(t) ``(B,)`` along the line."""


def line_search(line: Line, start: Evaluation, slope: tf.Tensor, first: tf.Tensor, limit: int) -> LineSearchResult:
    """Bracket a minimum and interpolate until a point satisfies both Wolfe conditions.

    These are ``φ(t) ≤ φ(0) + c₁ t φ'(0)`` and ``|φ'(t)| ≤ c₂ |φ'(0)|``. The two algorithms of the textbook are one loop
    here, in which the bracket's high end is infinite until there is a bracket. Where the loss has changed by no more
    than its rounding error, the first condition is replaced by ``φ'(t) ≤ (2c₁ − 1) φ'(0)``, the approximate Wolfe
    condition. A loss that is not finite counts as too high.

    Args:
        line: The objective along the line.
        start: The evaluation at 0.
        slope: φ'(0), ``(B,)``, below 0.
        first: The first trial distance, ``(B,)``, above 0.
        limit: Largest number of evaluations.

    Returns:
        The accepted point, or the lowest one within the limit.

    Reference:
        Nocedal & Wright 2006, *Numerical Optimization*, algorithms 3.5 and 3.6; Hager & Zhang 2005, *A new conjugate
        gradient method with guaranteed descent and an efficient line search*.
    """
    zero = Point(tf.zeros_like(slope), start.total, slope)
    infinite = tf.fill(tf.shape(slope), tf.constant(float("inf"), slope.dtype))

    def body(
        n: tf.Tensor, t: tf.Tensor, done: tf.Tensor, low: Point, high: Point, best: Evaluation
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, Point, Point, Evaluation]:
        evaluation, slope_here = line(t)
        here = Point(t, evaluation.total, slope_here)
        too_high, accepted = _judge(here, low, zero)
        lower = ~done & (accepted | ~too_high)
        turned = ~accepted & ~too_high & (here.slope * (high.distance - low.distance) >= 0)
        new_high = _choose(~done & too_high & ~accepted, here, _choose(~done & turned, low, high))
        new_low = _choose(lower, here, low)
        best = tf.nest.map_structure(lambda new, old: _where(lower, new, old), evaluation, best)
        done |= accepted
        return n + 1, tf.where(done, new_low.distance, _next(low, new_low, new_high)), done, new_low, new_high, best

    def unfinished(n: tf.Tensor, t: tf.Tensor, done: tf.Tensor, low: Point, high: Point, best: Evaluation) -> tf.Tensor:
        return (n < limit) & ~tf.reduce_all(done)

    no_bracket = Point(infinite, infinite, tf.zeros_like(slope))
    n, _, _, low, _, best = tf.while_loop(
        unfinished,
        body,
        (tf.constant(0, tf.int64), first, tf.zeros_like(slope, tf.bool), zero, no_bracket, start),
        parallel_iterations=1,
    )
    return LineSearchResult(low.distance, best, n)


def _judge(here: Point, low: Point, zero: Point) -> tuple[tf.Tensor, tf.Tensor]:
    """Return whether a point is too high to be the bracket's low end, and whether it is accepted."""
    finite = tf.math.is_finite(here.value) & tf.math.is_finite(here.slope)
    bound = zero.value + SUFFICIENT_DECREASE * here.distance * zero.slope
    too_high = ~finite | (here.value > bound) | (here.value >= low.value)
    flat = tf.abs(here.slope) <= -SLOPE_REDUCTION * zero.slope
    unchanged = tf.abs(here.value - zero.value) <= ROUNDING * tf.abs(zero.value)
    approximate = unchanged & flat & (here.slope <= (2 * SUFFICIENT_DECREASE - 1) * zero.slope)
    return too_high, finite & ((~too_high & flat) | approximate)


def _next(before: Point, low: Point, high: Point) -> tf.Tensor:
    """Return the next trial distance: inside the bracket if there is one, else beyond its low end."""
    bracketed = tf.math.is_finite(high.distance)
    width = high.distance - low.distance  # below 0 where the low end is the farther one
    inside = (cubic_minimum(low, high) - low.distance) / width
    inside = tf.where(tf.math.is_finite(inside), inside, INSIDE[0])  # not finite where the high end has no finite loss
    within = low.distance + tf.clip_by_value(inside, *INSIDE) * width
    beyond = cubic_minimum(before, low) / low.distance
    beyond = tf.where(tf.math.is_finite(beyond) & (beyond > 1), beyond, GROWTH[1])
    return tf.where(bracketed, within, tf.clip_by_value(beyond, *GROWTH) * low.distance)


def cubic_minimum(a: Point, b: Point) -> tf.Tensor:
    """Return the minimiser of the cubic through two points with their slopes; NaN where it has no minimum.

    Reference: Nocedal & Wright 2006, equation 3.59.
    """
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.distance - b.distance)
    d2 = tf.sign(b.distance - a.distance) * tf.sqrt(tf.square(d1) - a.slope * b.slope)
    return b.distance - (b.distance - a.distance) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)


def _choose(condition: tf.Tensor, a: Point, b: Point) -> Point:
    return Point(*(tf.where(condition, x, y) for x, y in zip(a, b, strict=True)))


def _where(condition: tf.Tensor, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Choose per picture: ``condition`` is ``(B,)``, ``a`` and ``b`` are ``(B, …)``."""
    return tf.where(tf.reshape(condition, [-1] + [1] * (a.shape.rank - 1)), a, b)
