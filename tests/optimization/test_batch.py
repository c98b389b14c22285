"""Runs in one batch: each has the pictures, losses, stop and checkpoint that it has alone, up to rounding."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.images import Canvas
from nst_tf.images.in_memory import as_source
from nst_tf.losses import ContentLoss, GramLoss, TotalVariationLoss
from nst_tf.optimization.batch import BatchEngine, batch_key, batches
from nst_tf.optimization.cache import RunCache
from nst_tf.optimization.engine import Engine
from nst_tf.optimization.execution import Execution
from nst_tf.optimization.phases import Phase
from nst_tf.optimization.problem import Problem
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import LBFGS, Adam, Parametrisation, ScipyLBFGS
from nst_tf.system.runtime import JitCompile

KERNEL = tf.constant(np.random.default_rng(1).normal(size=(3, 3, 3, 6)).astype(np.float32) / 3)


class Features:
    """One convolution with random filters and a ReLU."""

    segments = ()
    model = None

    def __call__(self, image):
        return {"a": tf.nn.relu(tf.nn.conv2d(image, KERNEL, 1, "SAME"))}


EXTRACTOR = Features()


def picture(seed):
    return as_source("content", np.random.default_rng(seed).uniform(0, 1, (24, 30, 3)).astype(np.float32))


def problem(number, schedule=None, optimizer=None, steps=6, **changes):
    """Return the problem of one run of a study over content, style, seed and weight."""
    losses = {
        "content": ContentLoss(layers=["a"], weight=1.0 + number),
        "style": GramLoss(layers=["a"], weight=10.0, reference="style"),
        "smooth": TotalVariationLoss(weight=0.1),
    }
    made = Problem(
        extractor=EXTRACTOR,
        execution=Execution("float32"),
        losses=losses,
        optimizer=optimizer or LBFGS(history=4),
        canvas=Canvas(size=30, style_size=30, start="noise", margin=0),
        schedule=schedule or Schedule(),
        steps=steps,
        seed=number,
        content=picture(number),
        styles=[picture(10 + number % 2)],
        shares=[1.0],
        cache=RunCache(),
    )
    return replace(made, **changes)


def seen(events):
    """Return step, evaluations, total, picture and state of each event that has an iterate, by run."""
    found = {}
    for number, event in events:
        if (it := getattr(event, "iterate", None)) is not None:
            status = getattr(event, "status", None)
            found.setdefault(number, []).append((it.step, it.total, it.picture(), it.state(), status))
    return found


def alone(made, periods=(2,), state=None):
    return seen((0, event) for event in Engine(made, periods).run(state))[0]


def together(problems, periods=(2,), states=None):
    return seen(BatchEngine(problems, [periods] * len(problems)).run(states or [None] * len(problems)))


def assert_same(batch, single, rtol=2e-3):
    assert [row[0] for row in batch] == [row[0] for row in single]
    np.testing.assert_allclose([row[1] for row in batch], [row[1] for row in single], rtol=rtol)
    np.testing.assert_allclose(batch[-1][2], single[-1][2], atol=2e-3)


@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param(LBFGS(history=4), marks=pytest.mark.slow, id="lbfgs"),
        pytest.param(Adam(learning_rate=0.05), id="adam"),
    ],
)
def test_each_run_of_a_batch_equals_the_run_alone(optimizer):
    made = [problem(number, optimizer=optimizer) for number in range(3)]
    batch = together(made)
    for number in range(3):
        assert_same(batch[number], alone(problem(number, optimizer=optimizer)))
    assert len({batch[number][-1][1] for number in range(3)}) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": Schedule(scales=[0.75, 1.0])},
        {"schedule": Schedule(phases=[Phase(losses={"content": {"weight": 0.0}}), Phase()])},
        {"schedule": Schedule(average=0.5)},
        {"parametrisation": Parametrisation(basis="laplacian_pyramid", levels=2)},
    ],
    ids=["scales", "phases", "average", "pyramid"],
)
def test_a_batch_goes_through_scales_phases_averages_and_variables(settings):
    batch = together([problem(number, **settings) for number in range(2)])
    for number in range(2):
        assert_same(batch[number], alone(problem(number, **settings)))


@pytest.mark.slow
def test_a_checkpoint_of_a_batch_continues_alone_and_in_a_batch():
    made = [problem(number) for number in range(2)]
    batch = together(made, periods=(3,))
    states = [batch[number][1][3] for number in range(2)]
    assert [int(row[0]) for row in batch[0]] == [0, 3, 6, 6]
    alone_again = alone(problem(1), (3,), states[1])
    assert_same(alone_again, batch[1][2:])
    again = together([problem(number) for number in range(2)], (3,), states)
    for number in range(2):
        assert_same(again[number], batch[number][2:])


@pytest.mark.slow
def test_a_run_that_diverges_leaves_the_others_unharmed():
    losses = {"content": ContentLoss(layers=["a"], weight=1e30), "style": GramLoss(layers=["a"], reference="style")}
    adam = Adam(learning_rate=0.5)
    made = [problem(number, optimizer=adam, schedule=Schedule(growth=2.0)) for number in range(3)]
    for each in made:
        each.losses = {"content": ContentLoss(layers=["a"]), "style": losses["style"]}
    made[1].losses = losses
    made[1].canvas = replace(made[1].canvas, start="content")  # the total grows beyond twice the start's
    single = [alone(replace(each, cache=RunCache())) for each in made]
    assert [rows[-1][4] for rows in single] == ["completed", "diverged", "completed"]
    batch = together(made)
    for number in (0, 2):
        assert_same(batch[number], single[number])
    assert batch[1][-1][4] == "diverged"


@pytest.mark.slow
def test_each_run_stops_by_its_own_rule():
    schedule = Schedule(stop_change=3, stop_window=2)
    made = [problem(number, schedule=schedule, steps=40) for number in range(3)]
    batch = together(made, periods=(5,))
    single = [alone(problem(number, schedule=schedule, steps=40), (5,)) for number in range(3)]
    assert [batch[n][-1][0] for n in range(3)] == [rows[-1][0] for rows in single]
    assert len({rows[-1][0] for rows in single}) > 1
    assert {rows[-1][4] for rows in single} == {"converged"}


def test_runs_that_cannot_share_a_step_have_no_batch_or_another():
    key = batch_key(problem(0))
    assert key == batch_key(problem(1))  # content, style, seed and weight differ
    others = [
        problem(0, optimizer=LBFGS(history=5)),
        problem(0, steps=7),
        problem(0, canvas=Canvas(size=28, style_size=30, margin=0)),
        problem(0, schedule=Schedule(scales=[0.75, 1.0])),
        problem(0, execution=Execution("float32", jit_compile=JitCompile.always)),
    ]
    assert all(batch_key(other) not in (None, key) for other in others)
    assert batch_key(problem(0, optimizer=ScipyLBFGS())) is None
    assert batch_key(problem(0, optimizer=Adam(), schedule=Schedule(scales=[0.75, 1.0], keep_state=True))) is None


def test_runs_are_divided_into_batches_of_equal_keys_that_fit_into_memory(monkeypatch):
    made = [problem(number, steps=6 + number % 2) for number in range(5)]
    monkeypatch.setattr("nst_tf.optimization.batch.fits", lambda footprint, device: True)
    assert batches(made, "/CPU:0") == [[0, 2, 4], [1, 3]]
    monkeypatch.setattr("nst_tf.optimization.batch.fits", lambda footprint, device: footprint.content[0] <= 2 * 24)
    assert batches(made, "/CPU:0") == [[0, 2], [4], [1, 3]]
