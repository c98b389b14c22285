"""Phases, draws, targets that follow the picture, and joint targets, on small losses with known values."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.images import Canvas
from nst_tf.images.in_memory import as_source
from nst_tf.losses import DRAW, ContentLoss, LayerLoss, TotalVariationLoss
from nst_tf.optimization.engine import Engine
from nst_tf.optimization.execution import Execution
from nst_tf.optimization.loop import CompiledLoop
from nst_tf.optimization.phases import Phase, PhaseStart, tapped_in, terms_in
from nst_tf.optimization.problem import Problem
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import LBFGS, SGD, Parametrisation, finest_level
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(5)
CONTENT, STYLE = (RNG.uniform(0, 1, (32, 40, 3)).astype(np.float32) for _ in range(2))
"""A content and a style of 32×40 pixels."""


def extractor(image):
    """Return the picture itself as the only layer."""
    return {"a": image}


@dataclass
class RandomPixelLoss(LayerLoss):
    """The squared difference to the style's mean colour at one random position."""

    reference: str = "style"
    redraw: Any = "phase"
    draws: ClassVar[bool] = True

    def represent(self, features):
        x = features["a"]
        row, column = tf.unstack(tf.random.stateless_uniform([2], features[DRAW]))
        row = tf.cast(row * float(x.shape[1]), tf.int32)
        column = tf.cast(column * float(x.shape[2]), tf.int32)
        return {"a": x[:, row, column]}

    def layer_distance(self, representation, target):
        return tf.reduce_sum(tf.square(representation), axis=1)


@dataclass
class FollowingLoss(LayerLoss):
    """The squared difference to half of the picture at the last rematch."""

    reference: str = "style"
    rematch: Any = "phase"
    content_share: float = 0.0
    anchors: ClassVar[bool] = True

    def represent(self, features):
        return {"a": features["a"]}

    def anchor(self, features, targets):
        return {"a": 0.5 * features["a"]}

    def layer_distance(self, representation, target):
        return 0.5 * tf.reduce_sum(tf.square(representation - target), axis=[1, 2, 3])


@dataclass
class JointLoss(LayerLoss):
    """The squared difference of the mean colour to the sum of those of content and style, in two named parts."""

    joint: ClassVar[bool] = True

    @property
    def part_names(self):
        return ["red", "rest"]

    def references(self, styles):
        return ["content", "style:1"]

    def represent(self, features):
        return {"mean": tf.reduce_mean(features["a"], [1, 2])}

    def join(self, representations, shares):
        assert shares == {"content": 1.0, "style:1": 1.0}
        return {"mean": tf.add_n([each["mean"] for each in representations.values()])}

    def layer_distance(self, representation, target):
        raise NotImplementedError

    def distance(self, representation, targets):
        squares = tf.square(representation["mean"] - targets["mean"])
        return {"red": squares[:, 0], "rest": squares[:, 1] + squares[:, 2]}


def problem(losses, schedule=None, optimizer=None, steps=4, **settings):
    content, style = (as_source("content", array) for array in (CONTENT, STYLE))
    canvas = Canvas(size=40, style_size=40, start="content", margin=0)
    return Problem(
        extractor=extractor,
        execution=Execution("float32"),
        losses=losses,
        optimizer=optimizer or SGD(learning_rate=0.25),
        canvas=canvas,
        schedule=schedule or Schedule(),
        steps=steps,
        seed=3,
        content=content,
        styles=[style],
        shares=[1.0],
        **settings,
    )


class Seen(NamedTuple):
    """The values of an event, read before the run goes on."""

    step: int
    evaluations: int
    total: float
    terms: dict[str, float]
    picture: np.ndarray
    state: dict[str, np.ndarray]


def run(problem, state=None):
    """Optimise, and return what each event but those of new sizes says."""
    return [
        Seen(it.step, it.evaluations, it.total, it.terms, it.picture(), it.state())
        for event in Engine(problem, [1]).run(state)
        if (it := getattr(event, "iterate", None))
    ]


def squared(value=1.0, **settings):
    """Return the content loss ``½ Σ (x − p)²``."""
    return ContentLoss(layers=["a"], weight=value, **settings)


def test_each_phase_has_its_own_size_weights_optimiser_and_steps():
    phases = [
        Phase(scale=0.5, share=1, losses={"style": {"weight": 0.0}}),
        Phase(share=3, losses={"content": {"weight": 0.0}}, optimizer={"learning_rate": 0.5}),
    ]
    losses = {"content": squared(), "style": squared(reference="style")}
    made = problem(losses, Schedule(phases=phases), steps=4)
    seen = run(made)
    assert [(each.step, each.picture.shape[:2]) for each in seen] == [
        (0, (16, 20)),
        (1, (16, 20)),
        *[(step, (32, 40)) for step in (2, 3, 4, 4)],
    ]
    names = ["content", "content/raw", "content/a", "style", "style/raw", "style/a"]
    assert list(seen[-1].terms) == made.term_names == names
    assert np.isnan([seen[-1].terms["content"], seen[1].terms["style"]]).all()
    np.testing.assert_allclose(seen[4].picture - STYLE, (seen[2].picture - STYLE) / 4, atol=1e-5)  # two steps of rate ½


def test_the_layers_and_terms_of_a_run_are_those_of_all_its_phases():
    losses = {"content": squared(), "style": squared(reference="style")}
    phases = [Phase(losses={"style": {"layers": ["b"]}}), Phase(losses={"content": {"weight": 0.0}})]
    assert tapped_in(phases, losses) == ["a", "b"]
    assert terms_in(phases, losses) == [
        "content",
        "content/raw",
        "content/a",
        "style",
        "style/raw",
        "style/b",
        "style/a",
    ]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (PhaseStart.content, CONTENT),
        (PhaseStart.mean_laplacian, STYLE.mean((0, 1)) + finest_level(tf.constant(CONTENT[None])).numpy()[0]),
        (PhaseStart.laplacian, CONTENT + finest_level(tf.constant(CONTENT[None])).numpy()[0]),
        (PhaseStart.last, CONTENT),
    ],
)
def test_a_phase_starts_from_the_picture_that_it_names(start, expected):
    made = problem({"content": squared()}, Schedule(phases=[Phase(start=start)]))
    content, styles = made.pictures()
    np.testing.assert_allclose(made.start(made.schedule.plan()[0], content, styles, None)[0], expected, atol=1e-6)


def test_a_later_phase_starts_from_the_enlarged_picture_and_the_detail_of_the_content():
    made = problem({"content": squared()}, Schedule(phases=[Phase(0.5), Phase(start="laplacian")]))
    before = RNG.uniform(0, 1, (1, 16, 20, 3)).astype(np.float32)
    content, styles = made.pictures()
    start = made.start(made.schedule.plan()[1], content, styles, (before, 0.5))
    half = content.reshape(1, 16, 2, 20, 2, 3).mean((2, 4))
    enlarged = tf.image.resize(before - half, [32, 40]).numpy()
    np.testing.assert_allclose(start, enlarged + content, atol=1e-6)


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ({"losses": {"content": {"weight": -1}}}, "schedule.phases.losses.content: weight=-1"),
        ({"optimizer": {"momentum": 2}}, "schedule.phases.optimizer: optimizer.momentum=2"),
    ],
)
def test_a_phase_refuses_values_that_a_loss_or_the_optimiser_refuses(phase, words):
    with pytest.raises(InputError, match=re.escape(words)):
        run(problem({"content": squared()}, Schedule(phases=[Phase(**phase)])))


def test_a_phase_passes_over_what_its_losses_and_optimiser_do_not_have_and_says_so():
    phase = Phase(losses={"shape": {"weight": 1}, "content": {"size": 1, "weight": 2}}, optimizer={"history": 3})
    losses = {"content": squared()}
    assert Schedule(phases=[phase, phase]).unmatched(losses, SGD()) == [
        "losses.shape",
        "losses.content.size",
        "optimizer.history",
    ]
    assert phase.losses_of(losses)["content"].weight == 2
    assert phase.optimizer_of(SGD()) == SGD()


def test_phases_and_scales_exclude_each_other_and_the_last_phase_has_the_full_size():
    with pytest.raises(InputError, match="the schedule has phases"):
        Schedule(scales=[0.5, 1.0], phases=[Phase()])
    with pytest.raises(InputError, match="it must be 1"):
        Schedule(phases=[Phase(scale=0.5)])
    with pytest.raises(InputError, match="at most 1"):
        Phase(scale=1.5)


def run_with_draws(redraw, schedule=None, steps=6, state=None):
    losses = {"style": RandomPixelLoss(layers=["a"], redraw=redraw)}
    return run(problem(losses, schedule, SGD(learning_rate=0.01), steps), state)


def changed_pixels(before, after):
    """Return the positions at which two pictures differ."""
    return sorted(zip(*np.nonzero((before != after).any(-1)), strict=True))


def test_draws_are_of_the_phase_the_run_or_every_few_steps():
    phases = Schedule(phases=[Phase(), Phase()])
    moved = {}
    for redraw in ("never", "phase", 2):
        pictures = [each.picture for each in run_with_draws(redraw, phases, steps=8)]
        moved[redraw] = [changed_pixels(a, b)[0] for a, b in pairwise(pictures) if (a != b).any()]
    assert len(set(moved["never"])) == 1
    assert [len(set(part)) for part in (moved["phase"][:4], moved["phase"][4:])] == [1, 1]
    assert len(set(moved["phase"])) == 2
    assert len(set(moved[2])) >= 4


def test_phases_that_differ_in_draws_alone_share_a_compiled_step(monkeypatch):
    made = []

    class Counted(CompiledLoop):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self.shape)

    monkeypatch.setattr("nst_tf.optimization.cache.CompiledLoop", Counted)
    phases = [Phase(0.5), Phase(0.5), Phase(), Phase(), Phase(optimizer={"momentum": 0.5})]
    run_with_draws("phase", Schedule(phases=phases), steps=10)
    assert made == [(16, 20), (32, 40), (32, 40)]


def test_a_resumed_run_has_the_same_draws():
    whole = run_with_draws(redraw=1)
    resumed = run_with_draws(redraw=1, state=whole[3].state)
    np.testing.assert_array_equal(resumed[-1].picture, whole[-1].picture)
    assert resumed[-1].total == whole[-1].total


def test_losses_with_changing_draws_are_reported_under_the_draws_of_the_start():
    losses = {"style": RandomPixelLoss(layers=["a"], redraw=1)}
    made = problem(losses, None, SGD(learning_rate=0.01), 3)
    content, styles = made.pictures()
    objective = made.objective(content, styles)
    for each in run(made):
        assert each.total == pytest.approx(float(objective(tf.constant(each.picture[None])).total[0]), rel=1e-6)


def test_targets_follow_the_picture_at_each_rematch():
    """Each step halves the distance to the target, which is half of the picture at the last rematch."""
    losses = {"style": FollowingLoss(layers=["a"], rematch=2)}
    seen = run(problem(losses, None, SGD(learning_rate=0.5), 4))
    factors = [float((each.picture / CONTENT).mean()) for each in seen]
    assert factors == pytest.approx([1, 0.75, 0.625, 0.46875, 0.390625, 0.390625], rel=1e-5)
    assert seen[-1].evaluations == 1 + 4 + 1  # the start, four steps, one rematch


def test_targets_of_a_phase_are_matched_once_to_a_mixture_with_the_content():
    losses = {"style": FollowingLoss(layers=["a"], content_share=1.0)}
    phases = Schedule(phases=[Phase(), Phase()])
    seen = run(problem(losses, phases, SGD(learning_rate=0.5), 4))
    factors = [float((each.picture / CONTENT).mean()) for each in seen]
    assert factors[:5] == pytest.approx([1, 0.75, 0.625, 0.5625, 0.53125], rel=1e-5)


def test_a_run_that_is_resumed_between_two_rematches_makes_the_same_picture():
    def made():
        return problem({"style": FollowingLoss(layers=["a"], rematch=3)}, None, LBFGS(history=3), 8)

    whole = run(made())
    for each in (whole[2], whole[6]):
        last = run(made(), each.state)[-1].picture
        np.testing.assert_array_equal(last, whole[-1].picture, err_msg=f"resumed at step {each.step}")


@dataclass
class UnmatchedLoss(FollowingLoss):
    """A loss whose targets fit the picture only once they are matched to it."""

    def finalize_targets(self, representation):
        return {"a": representation["a"][:, :5]}


def test_gradients_are_balanced_before_other_targets_are_matched():
    balanced = ContentLoss(layers=["a"], reference="style", balance="gradient")
    losses = {"content": balanced, "style": UnmatchedLoss(layers=["a"])}
    made = problem(losses)
    content, styles = made.pictures()
    factor = made.objective(content, styles).inputs["content"].layer_factors["a"]
    norm = np.linalg.norm((CONTENT - STYLE).astype(np.float64))  # the start is the content, ∂/∂x ½ Σ (x − a)² = x − a
    np.testing.assert_allclose(factor, [1 / norm], rtol=1e-5)
    assert run(made)[-1].step == 4


def test_a_joint_target_is_made_of_content_and_style_and_has_named_parts():
    made = problem({"both": JointLoss(layers=["a"])})
    content, styles = made.pictures()
    terms = made.objective(content, styles)(tf.constant(content)).terms
    difference = STYLE.mean((0, 1)) ** 2
    assert list(terms) == made.term_names == ["both", "both/raw", "both/red", "both/rest"]
    assert float(terms["both/red"][0]) == pytest.approx(difference[0], rel=1e-4)
    assert float(terms["both/rest"][0]) == pytest.approx(difference[1:].sum(), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [SGD(learning_rate=2e-4), LBFGS(history=4)], ids=["sgd", "lbfgs"])
@pytest.mark.parametrize("basis", ["laplacian_pyramid", "fourier"])
def test_every_optimiser_lowers_the_loss_in_other_variables_and_resumes(basis, optimizer):
    def made():
        losses = {"content": squared(reference="style"), "smooth": TotalVariationLoss(weight=0.1)}
        return problem(losses, None, optimizer, 5, parametrisation=Parametrisation(basis=basis))

    whole = run(made())
    assert whole[-1].total < whole[0].total
    np.testing.assert_array_equal(run(made(), whole[2].state)[-1].picture, whole[-1].picture)
