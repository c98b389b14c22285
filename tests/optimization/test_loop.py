"""Tests of the compiled loop against the same steps taken one by one, of its early ends, and of its checkpoints."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.optimization.engine import checkpoint_step
from nst_tf.optimization.loop import CompiledLoop
from nst_tf.optimizers import OPTIMIZERS, SGD, Adam, Evaluation

SHAPE = (1, 4, 5, 3)
START = tf.constant(np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32))


def bowl(image):
    total = tf.reduce_sum(image**2, axis=[1, 2, 3])
    return Evaluation(total, 2 * image, {"content": total, "content/raw": total})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_n_steps_in_one_call_equal_n_calls_of_one_step(name):
    one, other = (CompiledLoop(OPTIMIZERS[name]().solver(START), bowl) for _ in range(2))
    one.begin(), other.begin()
    for _ in range(6):
        record = one.advance(1)
    assert other.advance(6) == record
    np.testing.assert_array_equal(one.image(), other.image())


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if OPTIMIZERS[name]().solver(START).compiled])
def test_the_graph_of_a_step_holds_no_array_of_a_pictures_size(name):
    """TensorFlow copies the constants of a graph each time it optimises the graph, complex ones value by value."""
    start = tf.zeros([1, 40, 60, 3])
    solver = OPTIMIZERS[name]().solver(start)
    solver.begin(bowl(start))
    graph = tf.function(lambda: solver.step(bowl).evaluation.total).get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert max(node.ByteSize() for node in nodes if node.op == "Const") < 40 * 60


def test_the_record_of_a_step_is_the_loss_of_its_picture():
    loop = CompiledLoop(Adam().solver(START), bowl)
    first = loop.begin()
    x = START.numpy().astype(np.float64)
    assert (first.step, first.evaluations) == (0, 1)
    assert first.total == first.terms["content"] == pytest.approx((x**2).sum(), rel=1e-5)
    assert first.gradient_norm == pytest.approx(np.sqrt((4 * x**2).sum()), rel=1e-5)
    later = loop.advance(3)
    assert (later.step, later.evaluations) == (3, 4)
    assert later.total == pytest.approx((loop.image().astype(np.float64) ** 2).sum(), rel=1e-5)


def test_the_step_is_traced_once_for_every_number_of_steps():
    traces = 0

    def counted(image):
        nonlocal traces
        traces += 1
        return bowl(image)

    loop = CompiledLoop(Adam().solver(START), counted)
    loop.begin()
    for steps in (1, 2, 5, 10):
        loop.advance(steps)
    assert traces == 1  # the start and the loop's body share it


def test_the_loop_stops_at_the_step_that_exceeds_growth_and_keeps_the_best_picture():
    loop = CompiledLoop(SGD(learning_rate=1.5).solver(START), bowl, growth=100.0)  # each step multiplies x by -2
    first = loop.begin()
    last = loop.advance(50)
    assert (last.step, last.healthy) == (4, False)  # 4^4 = 256 times the loss
    assert last.total == pytest.approx(256 * first.total, rel=1e-4)
    np.testing.assert_array_equal(loop.best(), START)


def test_a_loss_of_nan_stops_the_loop():
    def breaking(image):
        total, gradient, terms = bowl(image)
        return Evaluation(tf.where(total < 5.0, np.nan, total), gradient, terms)

    loop = CompiledLoop(SGD(learning_rate=0.1).solver(START), breaking)
    assert loop.begin().healthy
    last = loop.advance(1000)
    assert not last.healthy
    assert last.step < 20
    assert 5.0 <= (loop.best() ** 2).sum() < 5.0 / 0.64 * 1.001  # the last picture before it broke


@pytest.mark.parametrize("name", ["adam", "lbfgs", "scipy_lbfgs"])
def test_a_picture_with_nan_ends_the_loop_though_its_loss_is_finite_and_low(name):
    """A network whose ReLU turns NaN into 0 gives finite losses for such a picture."""

    def relu_bowl(image):
        return bowl(tf.where(tf.math.is_nan(image), 0.0, image))

    loop = CompiledLoop(OPTIMIZERS[name]().solver(START), relu_bowl)
    assert loop.begin().healthy
    loop.solver.restore(loop.solver.state() | {"pixels": np.full_like(loop.solver.state()["pixels"], np.nan)})
    loop.advance(1)
    assert not loop.read().healthy
    assert np.isnan(loop.read().total)
    np.testing.assert_array_equal(loop.best(), START)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_ends_the_loop_before_the_picture_breaks(value):
    def breaking(image):
        total, gradient, terms = bowl(image)
        return Evaluation(total, tf.where(total < 5.0, value, gradient), terms)

    loop = CompiledLoop(SGD(learning_rate=0.1).solver(START), breaking)
    assert loop.begin().healthy
    last = loop.advance(1000)
    assert (last.healthy, np.isfinite(last.total)) == (False, True)
    assert np.isfinite(loop.image()).all()
    assert 5.0 <= (loop.best() ** 2).sum() < 5.0 / 0.64 * 1.001  # the last picture with a gradient


def test_a_finite_gradient_whose_squares_exceed_float32_is_healthy():
    def steep(image):
        total, gradient, terms = bowl(image)
        return Evaluation(total, 1e25 * gradient, terms)

    record = CompiledLoop(SGD(learning_rate=1e-26).solver(START), steep).begin()
    assert record.healthy
    assert record.gradient_norm == pytest.approx(1e25 * np.sqrt((4 * START.numpy().astype(np.float64) ** 2).sum()))


def test_a_start_with_loss_zero_does_not_count_as_divergence():
    loop = CompiledLoop(Adam().solver(tf.zeros(SHAPE)), bowl, growth=2.0)
    assert loop.begin().total == 0
    assert loop.advance(3).healthy


DECAY = 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_average_is_the_weighted_mean_of_all_pictures_including_the_start(name):
    loop, twin = (CompiledLoop(OPTIMIZERS[name]().solver(START), bowl, average=decay) for decay in (DECAY, 0.0))
    loop.begin(), twin.begin()
    loop.advance(2), loop.advance(3)
    steps = loop.read().step  # SciPy's method is at the minimum after two
    pictures = [START.numpy()]
    for _ in range(steps):
        twin.advance(1)
        pictures.append(twin.image())
    assert steps >= 2
    weights = DECAY ** np.arange(steps, -1, -1.0)
    expected = np.tensordot(weights / weights.sum(), np.array(pictures, np.float64), 1)
    np.testing.assert_allclose(loop.image(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(loop.solver.image(), twin.image())  # the average does not change the steps


def test_the_reported_record_is_the_loss_of_the_average_and_its_evaluation_is_not_counted():
    loop = CompiledLoop(Adam(learning_rate=0.1).solver(START), bowl, average=DECAY)
    assert loop.begin() == loop.read_reported()
    loop.advance(4)
    reported, read = loop.read_reported(), loop.read()
    x = loop.image().astype(np.float64)
    assert reported.total == reported.terms["content"] == pytest.approx((x**2).sum(), rel=1e-5)
    assert reported.gradient_norm == pytest.approx(2 * np.sqrt((x**2).sum()), rel=1e-5)
    assert read.total < 0.9 * reported.total  # the mean lags behind
    assert (reported.step, reported.evaluations) == (read.step, read.evaluations) == (4, 5)
    loop.advance(1)
    assert loop.read_reported().total < reported.total


def test_a_restored_average_continues_with_the_same_bits():
    one, other = (CompiledLoop(Adam().solver(START), bowl, average=DECAY) for _ in range(2))
    one.begin(), one.advance(3)
    other.restore(one.state())
    assert other.read_reported() == one.read_reported()
    assert other.advance(3) == one.advance(3)
    assert other.read_reported() == one.read_reported()
    np.testing.assert_array_equal(other.image(), one.image())


def test_an_average_does_not_hide_a_divergence():
    loop = CompiledLoop(SGD(learning_rate=1.5).solver(START), bowl, growth=100.0, average=0.99)
    loop.begin()
    loop.advance(50)
    assert not loop.read_reported().healthy
    np.testing.assert_array_equal(loop.best(), START)


CHECKPOINTS = Path(__file__).parents[1] / "fixtures" / "v0_1_0"
"""Run folders that version 0.1.0 wrote, each interrupted after three steps."""


SCALE = 1e-6


def read_arrays(optimizer):
    with np.load(CHECKPOINTS / optimizer / "checkpoints" / "latest.npz") as arrays:
        return dict(arrays)


def restored(optimizer, state, **settings):
    """A loop on a picture of the checkpoint's size, restored from its arrays.

    The objective ``SCALE Σ x²`` has the same terms and lower values than the checkpoint's, so that every step succeeds.
    """
    names = [str(name) for name in state["descent/names"]]

    def objective(image):
        total, gradient, _ = bowl(image)
        return Evaluation(SCALE * total, SCALE * gradient, dict.fromkeys(names, SCALE * total))

    start = tf.zeros(state["descent/best_image"].shape)
    loop = CompiledLoop(OPTIMIZERS[optimizer](**settings).solver(start), objective)
    return loop, loop.restore(state)


SETTINGS = {"adam": {}, "lbfgs": {"history": 2, "preconditioner_power": 0.5}}
"""Settings of the optimisers in the run folders."""


@pytest.mark.parametrize("name", SETTINGS)
def test_a_checkpoint_of_version_0_1_0_is_restored_at_its_step_and_loss(name):
    state = read_arrays(name)
    loop, record = restored(name, state, **SETTINGS[name])
    _, evaluations, _, total, gradient_norm, *terms = state["descent/row"][0]
    assert (record.step, record.evaluations) == (3, int(evaluations))
    assert checkpoint_step(state) == 3
    assert (record.total, record.gradient_norm) == (total, gradient_norm)
    assert list(record.terms.values()) == terms
    assert record.healthy
    np.testing.assert_array_equal(loop.image().ravel(), state["solver/pixels"].ravel())
    np.testing.assert_array_equal(loop.best(), state["descent/best_image"])


@pytest.mark.parametrize("name", SETTINGS)
def test_a_restored_checkpoint_of_version_0_1_0_is_written_with_the_present_prefix(name):
    old = read_arrays(name)
    loop, _ = restored(name, old, **SETTINGS[name])
    new = loop.state()
    assert {key for key in new if not key.startswith("solver/")} == {
        key.replace("descent/", "loop/") for key in old if key.startswith("descent/")
    }
    for key in (key for key in old if key.startswith("descent/")):
        np.testing.assert_array_equal(new[key.replace("descent/", "loop/")], old[key], err_msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_a_checkpoint_of_version_0_1_0_and_its_rewritten_form_continue_with_the_same_bits(name):
    old = read_arrays(name)
    one, _ = restored(name, old, **SETTINGS[name])
    other, _ = restored(name, old, **SETTINGS[name])
    other.restore(one.state())
    assert other.advance(2) == one.advance(2)
    np.testing.assert_array_equal(other.image(), one.image())


@pytest.mark.parametrize("name", SETTINGS)
def test_a_restored_checkpoint_of_version_0_1_0_takes_further_steps(name):
    loop, before = restored(name, read_arrays(name), **SETTINGS[name])
    after = loop.advance(2)
    assert after.step == 5
    assert after.evaluations >= before.evaluations + 2
    assert after.total == pytest.approx(SCALE * (loop.image().astype(np.float64) ** 2).sum(), rel=1e-5)
    assert after.total < before.total


def test_an_error_in_the_evaluation_of_the_start_is_raised():
    def bright_alone(image):
        with tf.control_dependencies([tf.debugging.assert_less(image, 0.5, "too bright")]):
            return bowl(tf.identity(image))

    loop = CompiledLoop(Adam().solver(START), bright_alone)
    with pytest.raises(tf.errors.InvalidArgumentError, match="too bright"):
        loop.begin()


def test_the_evaluation_of_the_start_is_the_one_that_counts():
    """The step is compiled with an evaluation of zeros before; nothing of it is left."""
    loop, solver = CompiledLoop(Adam().solver(START), bowl), Adam().solver(START)
    loop.begin(), solver.begin(bowl(START))
    for name, value in solver.state().items():
        np.testing.assert_array_equal(loop.solver.state()[name], value)
    assert loop.read_best().total == float(bowl(START).total[0])
