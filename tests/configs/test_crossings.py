"""Every option of every group goes with every experiment and every sweep, and replaces all of its group's values.

A row types one option of each group. The rows of `ROWS` contain every option of every group at least once.
"""

import dataclasses
import functools
import itertools
import re

import pytest
import yaml
from hydra import compose, initialize_config_dir

from nst_tf.backbones import BACKBONES
from nst_tf.config.composing import compose_config, configs_folder, from_hydra, register_schemas
from nst_tf.config.overridden import overridden_choices
from nst_tf.config.tree import LOSS_GROUPS, Config
from nst_tf.losses import LOSSES, ContentLoss, LayerLoss, TemporalLoss, TotalVariationLoss
from nst_tf.observers import OBSERVERS
from nst_tf.optimizers import SGD, Adam, RMSprop, Units
from nst_tf.system.runtime import Precision
from nst_tf.util.errors import InputError
from tests.configs.conftest import OF_NO_PAPER
from tests.shares import CROSSINGS, is_chosen

FOLDER = configs_folder()


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


COMPOSITE = ("experiment", "sweep", "launcher")
"""Groups whose options set several fields."""

OF_FILMS = ("flow", "temporal")
"""Groups of the command `video`, which a single picture does not have."""

GROUPS = {
    folder.name: [path.stem for path in sorted(folder.glob("*.yaml"))]
    for folder in sorted(FOLDER.iterdir())
    if folder.is_dir() and folder.name not in (*COMPOSITE, *OF_FILMS, "hydra")
}
"""Options by group."""

EXPERIMENTS, SWEEPS = ([path.stem for path in sorted(FOLDER.glob(f"{group}/*.yaml"))] for group in COMPOSITE[:2])
ROWS = [
    {group: options[row % len(options)] for group, options in GROUPS.items()}
    for row in range(max(map(len, GROUPS.values())))
]
RUN_KEYS = {"content", "style", "regions", "steps", "style_count", "printed"}
"""Fields that an experiment sets itself."""

LOSS_KEYS = {
    "layers": {"layers", "layer_weights", "over_layers"},
    "weights": {"weight"},
    "smoothing": {"smoothing"},
    "balance": {"balance"},
}
"""Keys of one loss that the options of a group set; ``loss`` sets all others."""

BASES = [name for name in EXPERIMENTS if isinstance(load(FOLDER / "experiment" / f"{name}.yaml")["defaults"][0], dict)]
"""Experiments that derive from no other experiment."""

BENCHMARKS = {"styleid": 512, "styleid_small": 256}
"""Sweeps whose protocol fixes the size and the measures of every experiment, with the size."""

SWEEPS_OWN = {"smoothing": {"diagnostics": True}, "style_layers": {"layer_weights": None}}
"""Values of losses that a sweep sets itself."""

WITHOUT_WARM_START = {
    *("lbfgs", "neural_style", "scipy_lbfgs", "scipy_lbfgs_byte", "titu1994"),
    *("cnnmrf", "neural_doodle", "heitz2021", "heitz2021_first_release"),
}
"""Options of ``optimizer`` that cannot continue at another size, as ``schedule.keep_state`` asks."""


def typed(row):
    return [f"{group}={option}" for group, option in row.items()]


SHARED_LOSSES = {"content", "style", "total_variation"}
"""Losses that every option of ``loss`` has; it may bring others, which only its own schedule names."""

REMEDIES = {
    r"schedule\.keep_state=true: ": "schedule.keep_state=false",
    r"schedule\.phases\.(losses|optimizer)\b.*": "schedule=single",
    r"losses\.\w+\.redraw=.*: .* Set redraw to phase or never": "optimizer=adam",
}
"""Beginnings of the refusals of crossings that cannot mean anything, and what makes such a crossing possible."""


def composed(*overrides):
    """Return the live config; a crossing that cannot mean anything is refused in one line, whose remedy works."""
    for _ in REMEDIES:
        try:
            return compose_config(*overrides)
        except InputError as refusal:
            message = str(refusal)
            assert "\n" not in message
            (remedy,) = [remedy for start, remedy in REMEDIES.items() if re.match(start, message)]
            overrides = (*overrides, remedy)
    return compose_config(*overrides)


@pytest.fixture(scope="module")
def by_row():
    """Return the function that composes the config of a row without an experiment, once."""
    return functools.cache(lambda row: composed(*typed(ROWS[row])))


@pytest.fixture(scope="module")
def by_experiment():
    """Return the function that composes the config of an experiment, once."""
    return functools.cache(lambda name: compose_config(f"experiment={name}"))


def options_of(config):
    """Return the fields that options decide."""
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(Config)
        if field.name not in {*RUN_KEYS, "name", "style_weights"}
    }


@pytest.mark.parametrize("row", range(len(ROWS)))
def test_every_option_composes_to_a_live_config(row, by_row):
    config = by_row(row)
    assert isinstance(config, Config)
    assert set(config.losses) >= SHARED_LOSSES
    assert isinstance(config.losses["content"], ContentLoss)
    assert isinstance(config.losses["style"], LayerLoss)
    assert isinstance(config.losses["total_variation"], TotalVariationLoss)


def test_every_loss_and_observer_of_the_tables_is_in_some_config(by_row):
    configs = [by_row(row) for row in range(len(ROWS))]
    of_pictures = set(LOSSES.values()) - {TemporalLoss}  # a film has it
    assert {type(loss) for config in configs for loss in config.losses.values()} == of_pictures
    assert {type(observer) for config in configs for observer in config.tracking.values()} == set(OBSERVERS.values())


def cross_experiment(name, row, by_row, by_experiment):
    crossed = composed(f"experiment={name}", *typed(ROWS[row]))
    assert options_of(crossed) == options_of(by_row(row))
    own = by_experiment(name)
    assert all(getattr(crossed, key) == getattr(own, key) for key in RUN_KEYS)


def cross_sweep(name, row, by_row):
    crossed, expected = composed(f"sweep={name}", *typed(ROWS[row])), options_of(by_row(row))
    if size := BENCHMARKS.get(name):
        expected["image"] = dataclasses.replace(expected["image"], size=size)
        expected["evaluation"] = dataclasses.replace(expected["evaluation"], measures=["cfsd", "histogan"])
    changed = {
        loss: dataclasses.replace(each, **SWEEPS_OWN.get(name, {}))
        for loss, each in expected["losses"].items()
        if loss == "style" or (name == "smoothing" and loss == "content")
    }
    assert options_of(crossed) == expected | {"losses": expected["losses"] | changed}


@pytest.mark.parametrize("name", BASES)
def test_typed_options_replace_all_that_an_experiment_chose(name, by_row, by_experiment):
    cross_experiment(name, EXPERIMENTS.index(name) % len(ROWS), by_row, by_experiment)


@pytest.mark.parametrize("name", SWEEPS)
def test_typed_options_replace_all_that_a_sweep_chose(name, by_row):
    cross_sweep(name, SWEEPS.index(name) % len(ROWS), by_row)


def crossings(names):
    """Return the pairs of a name and a row that are tried, in diagonals, so that each name and each row has some."""
    pairs = itertools.product(enumerate(names), range(len(ROWS)))
    return [(name, row) for (number, name), row in pairs if is_chosen(number + row, CROSSINGS)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "row"), crossings(EXPERIMENTS))
def test_every_option_goes_with_every_experiment(name, row, by_row, by_experiment):
    cross_experiment(name, row, by_row, by_experiment)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "row"), crossings(SWEEPS))
def test_every_option_goes_with_every_sweep(name, row, by_row):
    cross_sweep(name, row, by_row)


@pytest.mark.parametrize(
    ("name", "group", "option"),
    [
        ("crowsonkb", "optimizer", "sgd"),
        ("gatys_pytorch", "image", "square"),
        ("chandra2019", "tracking", "quiet"),
        ("malathi", "backbone", "vgg16"),
        ("gatys_pytorch", "schedule", "single"),
        ("keras_io", "runtime", "standard"),
    ],
)
def test_one_typed_option_leaves_every_other_choice_of_the_experiment(name, group, option, by_row, by_experiment):
    row = next(row for row, choices in enumerate(ROWS) if choices[group] == option)
    crossed, own = composed(f"experiment={name}", f"{group}={option}"), by_experiment(name)
    assert getattr(crossed, group) == getattr(by_row(row), group) != getattr(own, group)
    assert dataclasses.replace(crossed, **{group: getattr(own, group)}) == own


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_a_list_of_choices(name):
    content = load(FOLDER / "experiment" / f"{name}.yaml")
    assert set(content) <= RUN_KEYS | {"defaults"}
    for entry in content["defaults"]:
        if isinstance(entry, str):
            assert entry in EXPERIMENTS
            continue
        ((key, option),) = entry.items()
        group = key.removeprefix("override /")
        assert option in GROUPS[group]


@pytest.mark.parametrize("name", sorted(set(SWEEPS) - set(BENCHMARKS)))
def test_a_sweep_chooses_options_and_sets_single_keys_of_losses_alone(name):
    content = load(FOLDER / "sweep" / f"{name}.yaml")
    assert content.pop("style", None) == ("${content}" if name == "identity" else None)
    assert set(content) <= {"defaults", "losses", "hydra"}
    own = {key: value for loss in content.get("losses", {}).values() for key, value in loss.items()}
    assert own == SWEEPS_OWN.get(name, {})


@pytest.mark.parametrize("group", LOSS_GROUPS)
def test_the_groups_of_losses_set_different_keys(group):
    others = {key for name, keys in LOSS_KEYS.items() if name != group for key in keys}
    for option in GROUPS[group]:
        losses = load(FOLDER / group / f"{option}.yaml")
        losses.pop("defaults", None)
        assert group == "loss" or set(losses) <= SHARED_LOSSES
        losses = {name: keys for name, keys in losses.items() if name in SHARED_LOSSES}
        keys = {key for loss in losses.values() for key in loss}
        assert keys <= LOSS_KEYS[group] if group in LOSS_KEYS else not keys & others
        if group == "weights":
            assert set(losses) == SHARED_LOSSES


LIGHT = ("vgg16", "vgg19", "vgg19_lite", "resnet50", "mobilenet", "xception")


@pytest.mark.parametrize(
    "network", [name if name in LIGHT else pytest.param(name, marks=pytest.mark.slow) for name in BACKBONES]
)
def test_every_set_of_layers_exists_on_every_network(network):
    backbone = BACKBONES[network]()
    available = set(backbone.architecture().layers)
    for option in GROUPS["layers"]:
        for loss in load(FOLDER / "layers" / f"{option}.yaml").values():
            assert {backbone.resolve(layer) for layer in loss["layers"]} <= available


def test_only_keep_state_without_moments_and_draws_with_line_searches_are_refused(by_experiment, by_row):
    """Every option of the optimiser with every experiment; the remedies are in the message."""
    configs = {name: by_experiment(name) for name in EXPERIMENTS}
    optimizers = {choices["optimizer"]: by_row(row).optimizer for row, choices in enumerate(ROWS)}
    assert set(optimizers) == set(GROUPS["optimizer"])
    refused = {
        (name, option): message
        for name, config in configs.items()
        for option, optimizer in optimizers.items()
        if (message := refusal(config, optimizer))
    }
    searching = {option for option, optimizer in optimizers.items() if not optimizer.single_evaluation}
    drawing = {name for name, config in configs.items() if draws_at_steps(config)}
    assert drawing >= {"nnst", "strotss"}
    expected = {("crowsonkb", option) for option in WITHOUT_WARM_START}
    assert set(refused) == expected | {(name, option) for name in drawing for option in searching}
    for (name, _), message in refused.items():
        start = (
            r"losses\.\w+\.redraw=\d+: .* Set redraw to phase or never"
            if name in drawing
            else (r"schedule\.keep_state=true: .* Set it to false")
        )
        assert re.match(start + ", or choose an optimizer= out of ", message)


def draws_at_steps(config):
    """Return whether a loss of an experiment has new draws in the course of a phase."""
    losses = [loss for phase in config.schedule.plan() for loss in phase.losses_of(config.losses).values()]
    return any(loss.draws and loss.weight and isinstance(loss.redraw, int) for loss in losses)


def refusal(config, optimizer):
    """Return the error of an experiment's config with another optimiser; empty if there is none."""
    try:
        dataclasses.replace(config, optimizer=optimizer)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_experiments_of_papers_and_programs_compute_in_float32(name, by_experiment):
    expected = Precision.auto if name in OF_NO_PAPER else Precision.float32
    assert by_experiment(name).runtime.precision is expected


def test_the_precision_of_an_experiment_can_be_typed():
    assert compose_config("experiment=gatys2016", "runtime=standard").runtime.precision is Precision.auto
    typed_precision = compose_config("experiment=gatys2016", "runtime.precision=mixed_bfloat16").runtime.precision
    assert typed_precision is Precision.mixed_bfloat16
    assert compose_config().runtime.precision is Precision.auto


def test_an_optimiser_brings_its_own_learning_rate_and_units():
    assert compose_config("experiment=neural_style", "optimizer=adam").optimizer == Adam()
    assert compose_config("experiment=keras_io", "optimizer=rmsprop").optimizer == RMSprop()
    assert compose_config("optimizer=keras_io").optimizer == SGD(
        learning_rate=100.0, decay_rate=0.96, decay_steps=100, units=Units.byte
    )


def test_typed_layers_replace_those_of_the_experiment():
    gatys, dense = (compose_config(f"layers={name}").losses for name in ("gatys", "dense"))
    for experiment, layers, losses in (("keras_io", "gatys", gatys), ("tf_tutorial", "dense", dense)):
        crossed = compose_config(f"experiment={experiment}", f"layers={layers}").losses
        for name in ("content", "style"):
            assert crossed[name].layers == losses[name].layers
            assert crossed[name].over_layers == losses[name].over_layers


OWN_EXPERIMENT = """# @package _global_
defaults:
  - keras_io
losses:
  content: {layers: [conv3_1], weight: 2.5e-8}
optimizer: {learning_rate: 7.0, units: byte}
"""


@pytest.mark.parametrize(
    ("overrides", "replaced"),
    [
        (["layers=gatys"], ["layers=gatys: experiment=mine sets losses.content.layers=[conv3_1]"]),
        (["weights=keras_io"], []),  # an equal value
        (["weights=gatys"], ["weights=gatys: experiment=mine sets losses.content.weight=2.5e-08"]),
        (
            ["optimizer=adam"],
            [
                "optimizer=adam: experiment=mine sets optimizer.learning_rate=7.0",
                "optimizer=adam: experiment=mine sets optimizer.units=byte",
            ],
        ),
        (["optimizer=adam", "optimizer.learning_rate=1", "optimizer.units=unit"], []),
        (["image=square", "steps=3"], []),
        (["layers=gatys", "losses.content={layers: [conv1_1]}", "weights=keras_io"], []),
    ],
)
def test_a_value_of_a_users_experiment_that_replaces_a_typed_option_is_announced(overrides, replaced, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(OWN_EXPERIMENT)
    register_schemas()
    arguments = ["name=test", "experiment=mine", *overrides, f"hydra.searchpath=[{tmp_path}]"]
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        config = compose("config", overrides=arguments, return_hydra_config=True)
        sentences = overridden_choices(config.hydra)
    assert [sentence.partition(", which")[0] for sentence in sentences] == replaced
    assert all(sentence.endswith("=… to change it.") for sentence in sentences)


def test_the_distillation_can_compute_in_float32():
    register_schemas()
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        for option in ("float32", "mixed_bfloat16"):
            config = compose("distill", overrides=["name=test", "photographs=.", f"runtime={option}"])
            assert from_hydra(config).runtime.precision is Precision(option)
