"""Random crossings of experiment and options run: two steps on small pictures, with random filters."""

import contextlib
import dataclasses
import json
import math
import random
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from nst_tf.api import stylize
from nst_tf.config.composing import compose_config, configs_folder
from nst_tf.config.tree import Method
from nst_tf.images import read_picture
from nst_tf.losses import Matching, MRFLoss
from nst_tf.optimizers import ScipyLBFGS
from nst_tf.util.errors import InputError
from tests.shares import CROSSINGS, is_chosen

FOLDER = configs_folder()
GROUPS = {
    folder.name: [path.stem for path in sorted(folder.glob("*.yaml"))]
    for folder in sorted(FOLDER.iterdir())
    if folder.is_dir() and folder.name not in ("hydra", "launcher", "sweep", "flow", "temporal")
}
SMALLER = {"inception_resnet_v2": "resnet50", "inception_v3": "mobilenet_v3_large", "convnext_tiny": "mobilenet"}
"""Networks drawn in place of those that take minutes to trace."""

SIDES = {"inception_v3": 110}
"""Long sides in pixels at which the last stage of a network has features, for pictures of up to 3:2; else 50."""


SIDE_OF_PATCHES = 140
"""Long side at which every network has three positions a side in its last stage, for losses that compare patches."""

WITH_OWN_PICTURES = {
    f"experiment={name}"
    for name in ("regions", "partial_transfer", "neural_doodle", "guided_sums", "gatys2017", "castillo2017")
}
"""Experiments whose masks belong to their pictures."""


def drawn(seed):
    """Return the overrides of one crossing: an experiment, and options of about half of the other groups."""
    generator = random.Random(seed)
    choices = {group: generator.choice(options) for group, options in GROUPS.items()}
    choices["backbone"] = SMALLER.get(choices["backbone"], choices["backbone"])
    typed = [group for group in GROUPS if generator.random() < 0.5]
    return [f"{group}={option}" for group, option in choices.items() if group in ("experiment", *typed)]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Paths of a photograph and three paintings of 480x400 pixels."""
    folder, generator = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    paths = [str(folder / f"{number}.png") for number in range(4)]
    for path in paths:
        coarse = Image.fromarray(generator.integers(0, 255, (20, 24, 3), dtype=np.uint8))
        coarse.resize((480, 400), Image.Resampling.BICUBIC).save(path)
    return paths


def config_of(typed, paths, saved_model):
    content, *styles = paths
    if not any(text.endswith("_three_styles") for text in typed):
        del styles[1:]
    inputs = [f"content={content}", f"style=[{','.join(styles)}]"]
    if not WITH_OWN_PICTURES.isdisjoint(typed):
        inputs = []
    arguments = [*typed, *inputs, "backbone.weights=random", "steps=2", f"feedforward.weights={saved_model}"]
    with contextlib.suppress(InputError):
        return with_small_pictures(compose_config(*arguments))
    return with_small_pictures(compose_config(*arguments, "schedule.keep_state=false"))  # what the error says


def with_small_pictures(config):
    has_patches = any(isinstance(loss, MRFLoss) for loss in config.losses.values())
    smallest = SIDE_OF_PATCHES if has_patches else SIDES.get(config.backbone.name, 50)
    schedule = in_two_phases(config.schedule)
    side = math.ceil(smallest / min(phase.scale for phase in schedule.plan()))
    optimizer = config.optimizer
    if isinstance(optimizer, ScipyLBFGS):  # two steps of some programs are more than a hundred evaluations
        optimizer = dataclasses.replace(optimizer, max_evaluations=4)
    image = dataclasses.replace(config.image, size=side)
    losses = with_distant_patches(config.losses)
    return dataclasses.replace(config, image=image, schedule=schedule, optimizer=optimizer, losses=losses)


def in_two_phases(schedule):
    """Return a schedule with its first and last phase alone, the first at ½ or more, so that pictures are small."""

    def ends(values):
        return [values[0], *values[1:][-1:]]

    phases = [dataclasses.replace(phase, scale=max(0.5, phase.scale)) for phase in ends(schedule.plan())]
    scales, shares = ([phase.scale for phase in phases], [phase.share for phase in phases])
    if schedule.phases:
        return dataclasses.replace(schedule, phases=phases)
    return dataclasses.replace(schedule, scales=scales, step_shares=schedule.step_shares and shares)


def with_distant_patches(losses):
    """Return losses that compare patches which touch instead of all patches."""
    return {
        name: dataclasses.replace(loss, stride=loss.patch_size, style_stride=loss.patch_size)
        if isinstance(loss, MRFLoss)
        else loss
        for name, loss in losses.items()
    }


def run(typed, paths, saved_model, folder):
    config = config_of(typed, paths, saved_model)
    try:
        result = stylize(config, folder, typed)
    except InputError as refusal:  # of joined layers of several sizes, which are known once the network is built
        if not re.search(r"^matching=joined: .*, or matching=layers\.$", str(refusal)):
            raise
        config.losses["style"] = dataclasses.replace(config.losses["style"], matching=Matching.layers)
        result = stylize(config, folder, typed)
    assert result.status in ("completed", "converged", "diverged"), result.reason
    picture = read_picture(str(result.folder.picture)).pixels
    assert picture.shape[2] == 3
    record = json.loads((folder / "run.json").read_text())
    if config.method in (Method.feedforward, Method.recolour):
        assert record["steps"] == 1
    elif result.status == "completed":
        assert record["steps"] == 2
        assert math.isfinite(record["final"]["total"])
    return SimpleNamespace(config=config, record=record)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [seed for seed in range(60) if is_chosen(seed, CROSSINGS)])
def test_random_crossings_run(seed, paths, saved_model, tmp_path):
    run(drawn(1000 + seed), paths, saved_model, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_five_stages_run_on_a_network_of_four(paths, saved_model, tmp_path):
    typed = ["experiment=gupta2019", "backbone=convnext_tiny", "optimizer=adam", "tracking=quiet"]
    record = run(typed, paths, saved_model, tmp_path / "run").record
    assert record["layers_read_as"] == {"stage5": "layer_normalization"}


@pytest.mark.slow
def test_layers_of_vgg_run_on_another_network_and_the_record_says_which(pictures, tmp_path):
    typed = ["experiment=keras_io", "backbone=vgg19_lite", "optimizer=adam", "tracking=quiet"]
    config = compose_config(*typed, f"content={pictures[0]}", f"style={pictures[1]}", "steps=2")
    result = stylize(dataclasses.replace(config, image=dataclasses.replace(config.image, size=32)), tmp_path / "run")
    assert result.record["layers_read_as"] == {"conv5_2": "block5_conv1"}
    assert {"content/conv5_2", "style/conv5_1"} <= set(result.record["final"])
