"""The experiments of neural neighbours and of STROTSS on a network of two layers: phases, draws and resumption."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.config.composing import compose_config
from nst_tf.images import Canvas, RegionMasks
from nst_tf.images.in_memory import as_source
from nst_tf.losses import DRAW, StrotssLoss
from nst_tf.optimization.cache import RunCache
from nst_tf.optimization.execution import Execution
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.problem import Problem
from nst_tf.optimizers import finest_level
from nst_tf.util.compilation import compile_function
from tests.optimization.test_phases import run

RNG = np.random.default_rng(12)
CONTENT, STYLE = (RNG.uniform(0, 1, (72, 80, 3)).astype(np.float32) for _ in range(2))
OVERRIDES = {
    "nnst": ["losses.hypercolumns.layers=[a,b]", "losses.final_pass.layers=[a,b]"],
    "strotss": ["losses.strotss.layers=[a,b]", "losses.strotss.samples=64", "losses.strotss.style_samples=200"],
}
"""Overrides with which each experiment fits `extractor`."""


def extractor(image):
    """Return the absolute differences of neighbouring pixels, and the mean of two by two colours."""
    edges = tf.abs(image - tf.roll(image, 1, axis=2))
    return {"a": tf.concat([image, edges], -1), "b": tf.nn.avg_pool2d(image, 2, 2, "VALID")}


def problem(experiment, steps, phases=slice(None)):
    """Return the problem of an experiment, or of some of its phases, on the network of two layers, at 72×80 pixels."""
    config = compose_config(f"experiment={experiment}", f"steps={steps}", *OVERRIDES[experiment])
    content, style = (as_source("content", array) for array in (CONTENT, STYLE))
    return Problem(
        extractor=extractor,
        execution=Execution("float32"),
        losses=config.losses,
        optimizer=config.optimizer,
        canvas=Canvas(size=80, margin=0),
        schedule=replace(config.schedule, phases=config.schedule.phases[phases]),
        steps=steps,
        seed=3,
        content=content,
        styles=[style],
        shares=[1.0],
        parametrisation=config.parametrisation,
        cache=RunCache(keeps=True),
    )


@pytest.mark.parametrize("experiment", ["strotss", pytest.param("nnst", marks=pytest.mark.slow)])
def test_a_resumed_run_makes_the_same_picture(experiment):
    """The last phase, whose draws change with the steps."""
    made = problem(experiment, 4, slice(-1, None))
    whole = run(made)
    assert [each.step for each in whole] == [*range(5), 4]
    resumed = run(made, whole[2].state)
    np.testing.assert_array_equal(resumed[-1].picture, whole[-1].picture)
    assert resumed[-1].total == whole[-1].total


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["nnst", "strotss"])
def test_a_run_that_is_resumed_in_any_phase_makes_the_same_picture(experiment):
    whole = run(problem(experiment, 10))
    for at in (1, 6):  # inside a phase, and in a later one
        resumed = run(problem(experiment, 10), whole[at].state)
        np.testing.assert_array_equal(resumed[-1].picture, whole[-1].picture, err_msg=f"resumed at step {at}")


@pytest.mark.slow
def test_neural_neighbours_compare_hypercolumns_at_four_sizes_and_samples_in_the_final_pass():
    """The phases of the experiment, and a run of the first and the last of them."""
    assert [phase.scale for phase in problem("nnst", 5).schedule.plan()] == [0.125, 0.25, 0.5, 1.0, 1.0]
    seen = run(problem("nnst", 2, slice(None, None, 4)))
    assert [each.picture.shape[:2] for each in seen[:3]] == [(16, 18), (16, 18), (72, 80)]
    for each in seen[:2]:
        assert each.total == pytest.approx(each.terms["hypercolumns/hypercolumns"])
        assert np.isnan(each.terms["final_pass"])
    last = seen[2].terms
    assert seen[2].total == pytest.approx(last["final_pass/a"] + last["final_pass/b"])
    assert np.isnan(last["hypercolumns"])


def test_a_later_size_is_matched_to_a_quarter_of_the_picture_with_the_detail_of_the_content():
    """The objective whose targets follow a picture is that of a plain loss matched to the mixture."""
    made = problem("nnst", 5)
    content, styles = made.pictures(0.5)
    objective = made.objective(content, styles, 2)
    loss = objective.losses["hypercolumns"]
    assert (loss.content_share, loss.content_detail) == (0.75, True)
    image = tf.constant(RNG.uniform(0, 1, content.shape), tf.float32)
    mixture = 0.25 * (image + finest_level(tf.constant(content))) + 0.75 * content
    followed = objective.anchored(image, tf.constant(content))(image).total

    keys = objective.inputs["hypercolumns"].targets[0].layers
    targets = loss.anchor({"image": mixture, **extractor(mixture)}, keys)
    plain = loss.distance(loss.represent({"image": image, **extractor(image)}), targets)["hypercolumns"]
    np.testing.assert_allclose(followed, plain, rtol=1e-5)


def test_the_content_weight_of_strotss_halves_from_size_to_size():
    made = problem("strotss", 8)
    phases = made.schedule.plan()
    losses = [phase.losses_of(made.losses)["strotss"] for phase in phases]
    assert [(phase.scale, loss.content_weight) for phase, loss in zip(phases, losses, strict=True)] == [
        (0.125, 16.0),
        (0.25, 8.0),
        (0.5, 4.0),
        (1.0, 2.0),
    ]
    assert {loss.redraw for loss in losses} == {1}
    assert [phase.optimizer_of(made.optimizer).learning_rate for phase in phases] == [0.002, 0.002, 0.002, 0.001]


def test_strotss_reports_its_four_parts():
    made = problem("strotss", 4)
    names = ["content", "remd", "moments", "palette"]
    assert made.term_names == ["strotss", "strotss/raw", *(f"strotss/{name}" for name in names)]
    content, styles = made.pictures()
    evaluation = made.objective(content, styles)(tf.constant(1 - content))
    assert list(evaluation.terms) == made.term_names
    parts = sum(float(evaluation.terms[f"strotss/{name}"][0]) for name in names)
    assert float(evaluation.total[0]) == pytest.approx(parts, rel=1e-5)


def test_strotss_draws_other_positions_at_every_step_and_the_style_once_in_a_phase():
    made = problem("strotss", 8)
    content, styles = made.pictures()
    objectives = [made.objective(content, styles, number) for number in (3, 3, 2)]
    image = tf.constant(content)
    totals = [float(objectives[0](image, tf.constant(step, tf.int64)).total[0]) for step in (0, 0, 1)]
    assert totals[0] == totals[1] != totals[2]
    samples = [objective.inputs["strotss"].targets[0].layers["style/units"] for objective in objectives]
    np.testing.assert_array_equal(samples[0], samples[1])
    assert objectives[0].inputs["strotss"].draw
    assert DRAW in objectives[0].losses["strotss"].represent({"image": image, **extractor(image), DRAW: samples[0]})


@pytest.mark.slow
def test_strotss_in_regions_is_the_mean_by_shares_of_the_regions_alone():
    def colours(image):
        return {"a": 2.0 * image}

    def total(pictures, regions=()):
        image, content, style = (tf.constant(each[None]) for each in pictures)
        loss = StrotssLoss(layers=["a"], samples=1024, style_samples=5 * 12 * 10)
        objective = Objective.prepare(colours, {"s": loss}, content, [style], [1.0], regions)
        return compile_function(objective.__call__)(image) if regions else objective(image)

    pictures = [RNG.uniform(0, 1, (12, 10, 3)).astype(np.float32) for _ in range(3)]
    left = np.zeros((12, 10), np.float32)
    left[:, :5] = 1
    regions = [
        RegionMasks("left", 0.25, left, {"style:1": 1 - left}),
        RegionMasks("right", 0.75, 1 - left, {"style:1": left}),
    ]
    image, content, style = pictures
    alone = [
        float(total([image[:, own], content[:, own], style[:, other]]).total[0])
        for own, other in ((slice(0, 5), slice(5, 10)), (slice(5, 10), slice(0, 5)))
    ]
    seen = total(pictures, regions)
    assert float(seen.total[0]) == pytest.approx(0.25 * alone[0] + 0.75 * alone[1], rel=1e-4)
    parts = [float(seen.terms[f"s/left/{part}"][0]) for part in StrotssLoss(layers=["a"]).part_names]
    assert sum(parts) == pytest.approx(0.25 * alone[0], rel=1e-4)
