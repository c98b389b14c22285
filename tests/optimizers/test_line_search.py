"""The line search on the test functions of Moré & Thuente 1994, section 5."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.optimizers import Evaluation
from nst_tf.optimizers.line_search import SLOPE_REDUCTION, SUFFICIENT_DECREASE, Point, cubic_minimum, line_search


def convex_then_rising(t, beta=2.0):
    """Return φ = −t/(t² + β), equation 5.1, which is lowest at √β."""
    return -t / (t**2 + beta)


def flat_then_falling(t, beta=0.004):
    """Return φ = (t + β)⁵ − 2 (t + β)⁴, equation 5.2."""
    return (t + beta) ** 5 - 2 * (t + beta) ** 4


def wavy(t, beta=0.01, waves=39):
    """Return equation 5.3, a valley around 1 with many small valleys in it."""
    inner = tf.where(t <= 1 - beta, 1 - t, tf.where(t >= 1 + beta, t - 1, (t - 1) ** 2 / (2 * beta) + beta / 2))
    return inner + 2 * (1 - beta) / (waves * np.pi) * tf.sin(waves * np.pi / 2 * t)


def undefined_beyond(t):
    """Return (t − ¼)², which is NaN from 0.3 on."""
    return tf.where(t < 0.3, tf.square(t - 0.25), tf.constant(float("nan"), t.dtype))


def line_of(function):
    """Return a function of t with its slope, as the search needs it, and the list of points it was called at."""
    seen = []

    def line(t):
        with tf.GradientTape() as tape:
            tape.watch(t)
            value = function(t)
        slope = tape.gradient(value, t)
        seen.append(t.numpy())
        return Evaluation(value, slope[:, None, None, None], {}), slope

    return line, seen


def run(function, firsts, limit=30):
    line, seen = line_of(function)
    start, slope = line(tf.zeros(len(firsts), tf.float64))
    found = line_search(line, start, slope, tf.constant(firsts, tf.float64), limit)
    return found, start, slope, line, len(seen) - 1


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1000.0])
@pytest.mark.parametrize("function", [convex_then_rising, flat_then_falling, wavy])
def test_the_search_ends_where_both_wolfe_conditions_hold(function, first):
    found, start, slope, line, calls = run(function, [first])
    evaluation, here = line(found.distance)
    t, lowered = float(found.distance[0]), float(evaluation.total[0] - start.total[0])
    assert int(found.evaluations) == calls <= 16
    assert lowered <= SUFFICIENT_DECREASE * t * float(slope[0]) + 1e-6
    assert abs(float(here[0])) <= -SLOPE_REDUCTION * float(slope[0])
    assert float(found.evaluation.total[0]) == float(evaluation.total[0])
    assert float(found.evaluation.gradient[0, 0, 0, 0]) == float(here[0])


def test_the_search_backs_off_from_points_whose_loss_is_nan():
    found, _, _, _, calls = run(undefined_beyond, [8.0])
    assert 0 < float(found.distance[0]) < 0.3
    assert calls <= 5


def test_several_searches_in_a_batch_end_where_each_does_alone():
    firsts = [1e-3, 1.0, 1000.0]
    together, *_ = run(convex_then_rising, firsts)
    alone = [float(run(convex_then_rising, [first])[0].distance[0]) for first in firsts]
    np.testing.assert_allclose(together.distance, alone, rtol=1e-6)


def test_the_search_returns_its_lowest_point_at_the_limit():
    found, start, *_ = run(convex_then_rising, [1e-4], limit=2)
    assert int(found.evaluations) == 2
    assert float(found.evaluation.total[0]) < float(start.total[0])


def test_the_search_returns_the_start_where_nothing_is_lower():
    found, start, _, _, calls = run(
        lambda t: -t + 1e6 * tf.square(t) + tf.where(t > 0, tf.ones_like(t), 0 * t), [1.0], limit=6
    )
    assert (float(found.distance[0]), calls) == (0.0, 6)
    assert float(found.evaluation.total[0]) == float(start.total[0])


@pytest.mark.parametrize("ends", [(0.0, 2.0), (2.0, 0.0), (0.5, 4.0)])
def test_the_minimum_of_a_cubic_is_found_from_two_points(ends):
    """The cubic t³ − 3t is lowest at 1."""
    a, b = (Point(*(tf.constant([v], tf.float64) for v in (t, t**3 - 3 * t, 3 * t**2 - 3))) for t in ends)
    np.testing.assert_allclose(cubic_minimum(a, b), [1.0], rtol=1e-9)
