"""The compiled loop against the same steps taken one by one, and what ends it early."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.descent import Descent
from nst_tf.optimizers import OPTIMIZERS, SGD, Adam, Evaluation

SHAPE = (1, 4, 5, 3)
START = tf.constant(np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32))


def bowl(image):
    total = tf.reduce_sum(image**2, axis=[1, 2, 3])
    return Evaluation(total, 2 * image, {"content": total, "content/raw": total})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_n_steps_at_once_equal_n_steps_one_by_one(name):
    one, other = (Descent(OPTIMIZERS[name]().solver(START), bowl) for _ in range(2))
    one.begin(), other.begin()
    for _ in range(6):
        reading = one.advance(1)
    assert other.advance(6) == reading
    np.testing.assert_array_equal(one.image(), other.image())


def test_a_reading_tells_the_loss_of_the_picture():
    descent = Descent(Adam().solver(START), bowl)
    first = descent.begin()
    x = START.numpy().astype(np.float64)
    assert (first.step, first.evaluations) == (0, 1)
    assert first.total == first.terms["content"] == pytest.approx((x**2).sum(), rel=1e-5)
    assert first.gradient_norm == pytest.approx(np.sqrt((4 * x**2).sum()), rel=1e-5)
    later = descent.advance(3)
    assert (later.step, later.evaluations) == (3, 4)
    assert later.total == pytest.approx((descent.image().astype(np.float64) ** 2).sum(), rel=1e-5)


def test_it_is_traced_once_whatever_the_number_of_steps():
    traces = 0

    def counted(image):
        nonlocal traces
        traces += 1
        return bowl(image)

    descent = Descent(Adam().solver(START), counted)
    descent.begin()
    for steps in (1, 2, 5, 10):
        descent.advance(steps)
    assert traces == 2  # the start, and the loop's body


def test_growth_stops_the_loop_where_it_happens_and_keeps_the_best_picture():
    descent = Descent(SGD(learning_rate=1.5).solver(START), bowl, growth=100.0)  # each step multiplies x by -2
    first = descent.begin()
    last = descent.advance(50)
    assert (last.step, last.healthy) == (4, False)  # 4^4 = 256 times the loss
    assert last.total == pytest.approx(256 * first.total, rel=1e-4)
    np.testing.assert_array_equal(descent.best(), START)


def test_a_loss_that_is_no_number_stops_the_loop():
    def breaking(image):
        total, gradient, terms = bowl(image)
        return Evaluation(tf.where(total < 5.0, np.nan, total), gradient, terms)

    descent = Descent(SGD(learning_rate=0.1).solver(START), breaking)
    assert descent.begin().healthy
    last = descent.advance(1000)
    assert not last.healthy
    assert last.step < 20
    assert 5.0 <= (descent.best() ** 2).sum() < 5.0 / 0.64 * 1.001  # the last picture before it broke


def test_a_loss_of_zero_at_the_start_is_no_divergence():
    descent = Descent(Adam().solver(tf.zeros(SHAPE)), bowl, growth=2.0)
    assert descent.begin().total == 0
    assert descent.advance(3).healthy
