"""Every YAML file composes and has a header; names of options agree with the tables; fingerprints and folder names."""

import os
import re

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from nst_tf.backbones import BACKBONES, VGG16, Padding, Pooling
from nst_tf.config.composing import configs_folder, from_hydra, register_schemas
from nst_tf.config.overrides import folder_name, sweep_name
from nst_tf.config.settings import fingerprint, flatten, to_yaml
from nst_tf.config.styleid import PROTOCOLS
from nst_tf.config.tree import Config, Method
from nst_tf.distillation.settings import Distillation
from nst_tf.evaluation import EvaluationConfig
from nst_tf.images import Fit
from nst_tf.losses import (
    Balance,
    ContentLoss,
    ContentReduction,
    GramLoss,
    GramReduction,
    Smoothing,
    TotalVariationLoss,
)
from nst_tf.observers import standard_observers
from nst_tf.optimizers import OPTIMIZERS, ScipyLBFGS
from nst_tf.runs.published import PublishedFigure
from nst_tf.util.errors import InputError

FOLDER = configs_folder()
OPTIONS = [(path.parent.name, path.stem) for path in sorted(FOLDER.glob("*/*.yaml"))]


def names(group):
    return {option for folder, option in OPTIONS if folder == group}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(names("sweep") - set(PROTOCOLS)))
def test_every_sweep_is_a_grid_whose_every_point_composes(name, composed):
    register_schemas()
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        config = compose("config", overrides=[f"sweep={name}"], return_hydra_config=True)
    assert config.hydra.mode.name == "MULTIRUN"
    points = [(key, value) for key, text in config.hydra.sweeper.params.items() for value in _values(text)]
    assert len(points) >= 2
    for key, value in points:
        if key == "experiment":
            assert value in names("experiment")  # test_crossings composes each
        else:
            composed(f"sweep={name}", f"{key}={value}")


@pytest.mark.parametrize(("name", "size"), [("styleid", 512), ("styleid_small", 256)])
def test_a_benchmark_is_a_sweep_of_its_size_with_a_judge(name, size):
    register_schemas()
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        config = compose("config", overrides=["experiment=demo", f"sweep={name}"], return_hydra_config=True)
    assert config.hydra.mode.name == "MULTIRUN"
    assert (config.image.size, config.evaluation.enabled) == (size, True)
    assert config.evaluation.measures == ["cfsd", "histogan"]


@pytest.mark.parametrize(("cores", "runs", "threads"), [(8, 2, 4), (7, 2, 3), (2, 4, 1)])
def test_the_joblib_launcher_shares_the_cores(cores, runs, threads, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))
    register_schemas()
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        overrides = ["launcher=joblib", "name=test", f"hydra.launcher.n_jobs={runs}"]
        config = compose("config", overrides=overrides, return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    assert (config.hydra.launcher.n_jobs, config.runtime.threads) == (runs, threads)


def _values(text):
    """A sweeper's list, split at the commas outside brackets; the ends of an interval."""
    if bounds := re.fullmatch(r"tag\(log, interval\((.+), (.+)\)\)", str(text)):
        return list(bounds.groups())  # of a search
    items, depth, current = [], 0, ""
    for letter in str(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            items.append(current)
            current = ""
        else:
            current += letter
    return [item.strip().replace(" ", "") for item in [*items, current]]


@pytest.mark.parametrize(
    ("group", "table"), [("backbone", BACKBONES), ("optimizer", OPTIMIZERS)], ids=["backbone", "optimizer"]
)
def test_every_class_of_a_table_is_an_option_and_every_other_option_extends_one(group, table):
    assert set(table) <= names(group)
    for option in names(group) - set(table):
        assert _base(group, option) in table


def _base(group, option):
    """Return the option of the table that an option extends, directly or through others."""
    while (first := yaml.safe_load((FOLDER / group / f"{option}.yaml").read_text())["defaults"][0]) in names(group):
        option = first
    return first.partition("@")[0].rpartition("/")[2]


@pytest.mark.parametrize(("group", "choices"), [("smoothing", Smoothing), ("balance", Balance)])
def test_smoothing_and_balance_groups_set_content_and_style(group, choices, composed):
    assert names(group) == {choice.name for choice in choices}
    for choice in choices:
        losses = composed(f"{group}={choice.name}").losses
        assert {getattr(losses[name], group) for name in ("content", "style")} == {choice}


def test_balance_by_the_target_makes_any_reduction_relative(composed):
    losses = composed("loss=gatys", "balance=target").losses
    assert (losses["content"].reduction, losses["style"].reduction) == (
        ContentReduction.relative,
        GramReduction.relative,
    )


WITH_COMMAND = (
    *("experiment", "sweep", "backbone", "optimizer", "image", "schedule"),
    *("flow", "temporal", "runtime", "tracking", "evaluation", "method", "feedforward", "smoothing", "balance"),
)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.yaml")), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_config_begins_with_its_purpose(path):
    comments = [line for line in path.read_text().splitlines() if line.startswith("#") and "@package" not in line]
    assert comments, "no header"
    if path.parent.name in WITH_COMMAND:
        assert any("python scripts/stylize" in line for line in comments), "no command in the header"


def test_the_defaults_of_yaml_and_python_are_equal(composed):
    from_yaml, from_python = composed(), Config(name="test")
    assert from_yaml.backbone == from_python.backbone
    assert from_yaml.optimizer == from_python.optimizer
    assert from_yaml.image == from_python.image
    assert from_yaml.schedule == from_python.schedule
    assert from_yaml.runtime == from_python.runtime
    assert (from_yaml.method, from_yaml.feedforward) == (from_python.method, from_python.feedforward)
    assert from_yaml.evaluation == from_python.evaluation
    assert (from_yaml.steps, from_yaml.seed) == (from_python.steps, from_python.seed)
    active = {name: loss for name, loss in from_yaml.losses.items() if loss.weight}
    assert active == from_python.losses


def test_the_defaults_of_a_distillation_in_yaml_and_python_are_equal():
    register_schemas()
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        config = compose("distill", overrides=["name=vgg19_lite", "photographs=.", "tracking=quiet"])
    from_yaml = from_hydra(config)
    samples = ["night_swirls", "harbour_mosaic", "wave_woodcut", "river_dots", "wedges"]
    tracking = from_yaml.tracking
    assert from_yaml == Distillation(photographs=".", samples=samples, tracking=tracking)


def test_groups_give_live_objects_of_the_chosen_class(composed):
    config = composed("backbone=vgg16", "backbone.pooling=average", "backbone.padding=reflect", "optimizer=scipy_lbfgs")
    assert config.backbone == VGG16(pooling=Pooling.average, padding=Padding.reflect)
    assert config.optimizer == ScipyLBFGS()
    assert [type(loss) for loss in config.losses.values()] == [ContentLoss, GramLoss, TotalVariationLoss]


@pytest.mark.parametrize(("experiment", "styles"), [("library_one_style", 1), ("library_three_styles", 3)])
def test_feedforward_experiments_have_the_settings_of_paper_1(experiment, styles, composed):
    config = composed(f"experiment={experiment}", "style=[a,b,c]", "style_weights=[0.5,0.3,0.2]")
    manual = composed(f"experiment={experiment.replace('library', 'aradwad_gauri').removesuffix('_one_style')}")
    assert config.method is Method.feedforward
    assert (config.image.size, config.image.fit) == (512, Fit.exact) == (manual.image.size, manual.image.fit)
    assert config.style_count == manual.style_count == styles
    assert config.shares == ([1.0] if styles == 1 else [0.5, 0.3, 0.2])
    assert set(config.tracking) == {"tensorboard"}
    assert set(composed("method=feedforward", "tracking=standard").tracking) == set(standard_observers())


def test_evaluation_on_and_off_are_options_although_yaml_reads_them_as_booleans(composed):
    assert (composed("evaluation=on").evaluation.enabled, composed("evaluation=off").evaluation.enabled) == (
        True,
        False,
    )
    assert composed("evaluation=on", "evaluation.weights=a.h5").evaluation == EvaluationConfig(
        enabled=True, weights="a.h5"
    )


def test_the_seed_reaches_the_random_weights(composed):
    assert composed("seed=7").backbone.seed == 7


def test_a_config_survives_yaml(composed):
    config = composed("experiment=chandra2019", "style=[a.jpg,b.jpg]")
    again = OmegaConf.merge(OmegaConf.structured(config), OmegaConf.create(to_yaml(config)))
    assert OmegaConf.to_object(again) == config


def test_flat_settings_are_plain_values(composed):
    settings = flatten(composed("style=[a.jpg,b.jpg]"))
    assert settings["backbone.pooling"] == "average"
    assert settings["losses.style.weight"] == 70.0
    assert settings["style"] == "[a.jpg,b.jpg]"
    assert settings["content"] == "null"
    assert all(isinstance(value, str | bool | int | float) for value in settings.values())


@pytest.mark.parametrize(
    "override",
    ["seed=1", "losses.style.weight=1", "optimizer=sgd", "image.size=99", "smoothing=softmax", "balance=gradient"],
)
def test_settings_of_the_result_change_the_fingerprint(override, composed):
    assert fingerprint(composed(override), []) != fingerprint(composed(), [])


@pytest.mark.parametrize(
    "override",
    [
        "name=other",
        "tracking=quiet",
        "runtime.threads=1",
        "steps=7",
        "content=./a.jpg",
        "backbone.weights=b.h5",
        "evaluation=on",
    ],
)
def test_other_settings_leave_the_fingerprint_unchanged(override, composed):
    assert fingerprint(composed(override), []) == fingerprint(composed(), [])


def test_steps_change_the_fingerprint_if_scales_share_them(composed):
    one, two = (composed("schedule=coarse_to_fine", f"steps={steps}") for steps in (10, 20))
    assert fingerprint(one, []) != fingerprint(two, [])


def test_printed_figures_change_neither_fingerprint_nor_hparams(composed):
    named, plain = composed("+schema/part@printed.loss=printed", "printed.loss.value=3"), composed()
    assert named.printed == {"loss": PublishedFigure(3.0)}
    assert fingerprint(named, []) == fingerprint(plain, [])
    assert flatten(named) == flatten(plain)


def test_an_invalid_printed_figure_is_refused_with_its_key(composed):
    with pytest.raises(InputError, match=r"^printed\.loss: step=-1: must be at least 0"):
        composed("+schema/part@printed.loss=printed", "printed.loss.step=-1")


def test_other_pictures_change_the_fingerprint(composed):
    assert fingerprint(composed(), ["aa"]) != fingerprint(composed(), ["bb"])


def test_folder_names_hold_only_what_distinguishes_runs():
    overrides = [
        "content=a/b.jpg",
        "sweep=pooling",
        "launcher=joblib",
        "evaluation=on",
        "runtime.threads=1",
        "losses.style.weight=1",
        "image.start=a/b.png",
    ]
    assert folder_name(overrides) == "losses.style.weight=1,image.start=a_b.png"
    assert folder_name(["sweep=gupta2019", "experiment=gupta2019_vgg16"]) == "experiment=gupta2019_vgg16"
    assert len(folder_name(["name=x", "image.start=" + "画" * 100]).encode()) <= 120


def test_a_sweep_without_a_name_is_named_after_its_command():
    def named(overrides):
        return sweep_name("now", "now", overrides)

    command = ["content=a/b.jpg", "losses.style.weight=1,2"]
    name = named(command)
    assert name.startswith("losses.style.weight=1,2-")
    assert "/" not in name
    same = [command[::-1], [*command, "launcher=joblib", "runtime.threads=1", "tracking=quiet"]]
    assert {named(each) for each in same} == {name}
    others = [["content=b.jpg", command[1]], [*command, "steps=3"], [command[0], "losses.style.weight=1,3"]]
    assert len({name, *map(named, others)}) == 4
    assert named(["sweep=pooling", "content=a.jpg", "image.size=64"]).startswith("pooling,image.size=64-")
    assert sweep_name("mine", "now", command) == "mine"


def test_an_undeclared_key_with_a_plus_is_refused(composed):
    for override in ("+losses.style.wieght=3", "+optimizer.momentun=0.9", "+foo=1"):
        with pytest.raises(InputError, match=override.partition("=")[0].lstrip("+")):
            composed(override)


def test_an_error_inside_a_loss_or_an_observer_names_its_key(composed):
    with pytest.raises(InputError, match=r"^losses\.style: layer_weights=\[1\.0\]: has 1 entries for 11"):
        composed("losses.style.layer_weights=[1.0]")
    with pytest.raises(InputError, match=r"^tracking\.metrics: every=-1"):
        composed("tracking.metrics.every=-1")


def test_a_further_loss_is_added_by_its_kind(composed):
    config = composed("+schema/loss@losses.grain=gram", "losses.grain.layers=[conv1_2]", "losses.grain.weight=5")
    assert config.losses["grain"] == GramLoss(layers=["conv1_2"], weight=5.0)
