"""The compiled loop against the same steps taken one by one, and what ends it early."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.optimization.loop import CompiledLoop
from nst_tf.optimizers import OPTIMIZERS, SGD, Adam, Evaluation

SHAPE = (1, 4, 5, 3)
START = tf.constant(np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32))


def bowl(image):
    total = tf.reduce_sum(image**2, axis=[1, 2, 3])
    return Evaluation(total, 2 * image, {"content": total, "content/raw": total})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_n_steps_at_once_equal_n_steps_one_by_one(name):
    one, other = (CompiledLoop(OPTIMIZERS[name]().solver(START), bowl) for _ in range(2))
    one.begin(), other.begin()
    for _ in range(6):
        record = one.advance(1)
    assert other.advance(6) == record
    np.testing.assert_array_equal(one.image(), other.image())


def test_a_reading_tells_the_loss_of_the_picture():
    loop = CompiledLoop(Adam().solver(START), bowl)
    first = loop.begin()
    x = START.numpy().astype(np.float64)
    assert (first.step, first.evaluations) == (0, 1)
    assert first.total == first.terms["content"] == pytest.approx((x**2).sum(), rel=1e-5)
    assert first.gradient_norm == pytest.approx(np.sqrt((4 * x**2).sum()), rel=1e-5)
    later = loop.advance(3)
    assert (later.step, later.evaluations) == (3, 4)
    assert later.total == pytest.approx((loop.image().astype(np.float64) ** 2).sum(), rel=1e-5)


def test_it_is_traced_once_whatever_the_number_of_steps():
    traces = 0

    def counted(image):
        nonlocal traces
        traces += 1
        return bowl(image)

    loop = CompiledLoop(Adam().solver(START), counted)
    loop.begin()
    for steps in (1, 2, 5, 10):
        loop.advance(steps)
    assert traces == 2  # the start, and the loop's body


def test_growth_stops_the_loop_where_it_happens_and_keeps_the_best_picture():
    loop = CompiledLoop(SGD(learning_rate=1.5).solver(START), bowl, growth=100.0)  # each step multiplies x by -2
    first = loop.begin()
    last = loop.advance(50)
    assert (last.step, last.healthy) == (4, False)  # 4^4 = 256 times the loss
    assert last.total == pytest.approx(256 * first.total, rel=1e-4)
    np.testing.assert_array_equal(loop.best(), START)


def test_a_loss_that_is_no_number_stops_the_loop():
    def breaking(image):
        total, gradient, terms = bowl(image)
        return Evaluation(tf.where(total < 5.0, np.nan, total), gradient, terms)

    loop = CompiledLoop(SGD(learning_rate=0.1).solver(START), breaking)
    assert loop.begin().healthy
    last = loop.advance(1000)
    assert not last.healthy
    assert last.step < 20
    assert 5.0 <= (loop.best() ** 2).sum() < 5.0 / 0.64 * 1.001  # the last picture before it broke


def test_a_loss_of_zero_at_the_start_is_no_divergence():
    loop = CompiledLoop(Adam().solver(tf.zeros(SHAPE)), bowl, growth=2.0)
    assert loop.begin().total == 0
    assert loop.advance(3).healthy


DECAY = 0.8


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_mean_weighs_the_pictures_of_all_steps_the_start_included(name):
    loop, twin = (CompiledLoop(OPTIMIZERS[name]().solver(START), bowl, average=decay) for decay in (DECAY, 0.0))
    loop.begin(), twin.begin()
    loop.advance(2), loop.advance(3)
    steps = loop.read().step  # SciPy's method has nothing left to do after two
    pictures = [START.numpy()]
    for _ in range(steps):
        twin.advance(1)
        pictures.append(twin.image())
    assert steps >= 2
    weights = DECAY ** np.arange(steps, -1, -1.0)
    expected = np.tensordot(weights / weights.sum(), np.array(pictures, np.float64), 1)
    np.testing.assert_allclose(loop.image(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(loop.solver.image(), twin.image())  # the steps do not know of it


def test_what_is_told_is_the_loss_of_the_mean_and_its_evaluation_is_not_counted():
    loop = CompiledLoop(Adam(learning_rate=0.1).solver(START), bowl, average=DECAY)
    assert loop.begin() == loop.tell()
    loop.advance(4)
    told, read = loop.tell(), loop.read()
    x = loop.image().astype(np.float64)
    assert told.total == told.terms["content"] == pytest.approx((x**2).sum(), rel=1e-5)
    assert told.gradient_norm == pytest.approx(2 * np.sqrt((x**2).sum()), rel=1e-5)
    assert read.total < 0.9 * told.total  # the mean lags behind
    assert (told.step, told.evaluations) == (read.step, read.evaluations) == (4, 5)
    loop.advance(1)
    assert loop.tell().total < told.total


def test_a_restored_mean_goes_on_bit_for_bit():
    one, other = (CompiledLoop(Adam().solver(START), bowl, average=DECAY) for _ in range(2))
    one.begin(), one.advance(3)
    other.restore(one.state())
    assert other.tell() == one.tell()
    assert other.advance(3) == one.advance(3)
    assert other.tell() == one.tell()
    np.testing.assert_array_equal(other.image(), one.image())


def test_a_mean_does_not_hide_a_divergence():
    loop = CompiledLoop(SGD(learning_rate=1.5).solver(START), bowl, growth=100.0, average=0.99)
    loop.begin()
    loop.advance(50)
    assert not loop.tell().healthy
    np.testing.assert_array_equal(loop.best(), START)
