"""The role of each key equals what the hand-kept lists of 0.1.0 said of it."""

import dataclasses

import pytest
from omegaconf import OmegaConf

from nst_tf.backbones import VGG16
from nst_tf.config.composing import compose_config, configs_folder
from nst_tf.config.keys import composite_groups, current_key, old_key, role_of
from nst_tf.config.overrides import override_key, override_keys, split_override
from nst_tf.config.tree import Config
from nst_tf.distillation.settings import Distillation
from nst_tf.losses import GramLoss, MeanVarianceLoss, MomentsLoss, SlicedWassersteinLoss
from nst_tf.optimizers import OPTIMIZERS

NOT_IN_FINGERPRINT = (
    *("name", "content", "style", "backbone.weights", "tracking.", "evaluation."),
    *("photographs", "paintings", "teacher.weights", "runtime.", "image.max_megabytes", "image.max_megapixels"),
    *(
        "output",
        "saving.",
        "image.tile",
        "regions.labels",
        "regions.style_labels",
        "regions.masks",
        "regions.style_masks",
        "regions.map",
        "regions.style_map",
    ),
)
NOT_IN_SWEEP_NAME = (
    *("output", "saving", "saving.", "image.tile"),
    *("launcher", "tracking", "tracking.", "evaluation", "evaluation."),
    *("runtime.device", "runtime.threads", "runtime.convolution", "runtime.jit_compile", "runtime.batch"),
    *("image.max_megabytes", "image.max_megapixels"),
)
NOT_IN_RUN_NAME = (
    *("content", "style", "backbone.weights", "feedforward.weights", "name", "sweep", "rerun"),
    *("regions.labels", "regions.style_labels", "regions.masks", "regions.style_masks"),
    *("regions.map", "regions.style_map"),
    *NOT_IN_SWEEP_NAME,
)
NO_AXES = ("name", "output", "saving", "launcher", "tracking", "evaluation", "hydra")
NOT_IN_OBJECTIVE = (
    *(
        "name.",
        "content.",
        "style.",
        "steps.",
        "seed.",
        "optimizer.",
        "parametrisation.",
        "schedule.",
        "runtime.",
        "tracking.",
    ),
    *("evaluation.", "image.start.", "image.start_weights.", "image.noise.", "image.noise_scale.", "image.fit_memory."),
    *("image.max_megabytes.", "image.max_megapixels.", "output.", "saving."),
    *("image.strength.", "image.finishing.", "image.tile.", "regions.seam.", "regions.blend."),
)
NOT_READ_BY_OPTIMIZE = ("feedforward.",)
NOT_READ_BY_FEEDFORWARD = (
    *("steps", "seed", "backbone.", "losses.", "optimizer.", "parametrisation.", "schedule."),
    *("image.start", "image.start_weights", "image.noise", "image.noise_scale", "image.fit_memory", "image.finishing"),
    *("image.margin", "image.tile", "image.style_size", "image.style_fit", "image.style_scale", "image.enlarge_style"),
    *("runtime.precision", "runtime.recompute", "runtime.convolution", "runtime.jit_compile", "regions."),
)
LOSS_GROUPS = ("loss", "layers", "weights", "smoothing", "balance")


def leaves(prefix, value):
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(f"{prefix}.{key}" if prefix else key, child)
    else:
        yield prefix


def keys_of(config):
    return set(leaves("", OmegaConf.to_container(OmegaConf.structured(config))))


def all_keys():
    """Return the keys of the default config, with each optimiser, each style loss and another network."""
    default = compose_config()
    configs = [dataclasses.replace(default, optimizer=optimizer()) for optimizer in OPTIMIZERS.values()]
    for loss in (GramLoss, MomentsLoss, MeanVarianceLoss, SlicedWassersteinLoss):
        losses = default.losses | {"style": loss(layers=["conv1_1"])}
        configs.append(dataclasses.replace(default, losses=losses))
    configs.append(dataclasses.replace(default, backbone=VGG16()))
    return sorted(set.union(*map(keys_of, configs)))


EXPERIMENT_KEYS = all_keys()
DISTILLATION_KEYS = sorted(keys_of(Distillation()))
GROUPS = sorted({path.parent.name for path in configs_folder().glob("*/*.yaml")} | {"rerun", "losses"})
OTHERS = [
    *("hydra.launcher.n_jobs", "hydra.sweeper.params", "hydra.run.dir", "hydra/launcher"),
    *("schema/loss@losses.grain", "backbone@teacher", "unknown", "unknown.key"),
]


def matches(key, names):
    """Apply the rule of 0.1.0: a key is one of the names, or is inside a group whose name ends in a dot."""
    return key in names or key.startswith(tuple(name for name in names if name.endswith(".")))


@pytest.mark.parametrize("key", sorted({*EXPERIMENT_KEYS, *DISTILLATION_KEYS}))
def test_fingerprints_leave_out_the_same_settings(key):
    assert role_of(key).in_fingerprint == (not matches(key, NOT_IN_FINGERPRINT))


@pytest.mark.parametrize("key", sorted({*EXPERIMENT_KEYS, *DISTILLATION_KEYS, *GROUPS, *OTHERS}))
def test_names_of_runs_and_sweeps_leave_out_the_same_overrides(key):
    assert role_of(key).in_run_name == (not matches(key, NOT_IN_RUN_NAME))
    assert role_of(key).in_sweep_name == (not matches(key, NOT_IN_SWEEP_NAME))


@pytest.mark.parametrize("key", [*EXPERIMENT_KEYS, *GROUPS, *OTHERS])
def test_reports_have_the_same_axes(key):
    assert role_of(key).is_axis == (key.partition(".")[0] not in NO_AXES)


@pytest.mark.parametrize("key", [*EXPERIMENT_KEYS, "backbone"])
def test_totals_compare_over_the_same_settings(key):
    assert role_of(key).in_objective == (not f"{key}.".startswith(NOT_IN_OBJECTIVE))


@pytest.mark.parametrize("key", [*EXPERIMENT_KEYS, *GROUPS, *OTHERS])
def test_methods_read_the_same_settings_and_groups(key):
    read = {"optimize": NOT_READ_BY_OPTIMIZE, "feedforward": NOT_READ_BY_FEEDFORWARD}
    for method, unread in read.items():
        groups = {name.rstrip(".") for name in unread if name.endswith(".")}
        groups |= set(LOSS_GROUPS) if "losses" in groups else set()
        assert (role_of(key).method in (None, method)) == (not matches(key, (*unread, *groups)))


def test_a_picture_sets_the_same_groups_as_a_whole():
    assert composite_groups() == ("experiment", "sweep", *LOSS_GROUPS)
    assert role_of("losses").groups == LOSS_GROUPS


@pytest.mark.parametrize("tree", [Config, Distillation])
def test_every_field_has_its_name_as_key(tree):
    assert all(current_key(field.name) == field.name for field in dataclasses.fields(tree))


OLD_KEYS = {
    "optimizer.metric_power": "optimizer.preconditioner_power",
    "losses.style.peaks": "losses.style.diagnostics",
    "losses.peaks.peaks": "losses.peaks.diagnostics",
    "library": "feedforward",
    "library.weights": "feedforward.weights",
}


@pytest.mark.parametrize(("old", "new"), OLD_KEYS.items(), ids=OLD_KEYS)
def test_a_key_of_0_1_0_has_its_current_name_and_back(old, new):
    assert (current_key(old), current_key(new), old_key(new)) == (new, new, old)
    assert role_of(old) == role_of(new)


@pytest.mark.parametrize("key", [key for key in EXPERIMENT_KEYS if key not in OLD_KEYS.values()])
def test_other_keys_keep_their_names(key):
    renamed = key.endswith(".diagnostics") or key == "feedforward.weights"
    assert current_key(key) == key
    assert renamed or old_key(key) == key


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("steps=5", ("steps", "5")),
        ("+losses.grain.weight=10", ("losses.grain.weight", "10")),
        ("++seed=1", ("seed", "1")),
        ("~hydra.callbacks.report", ("hydra.callbacks.report", "")),
        ("content=a=b.jpg", ("content", "a=b.jpg")),
    ],
)
def test_an_override_has_a_key_and_a_value(override, parts):
    assert split_override(override) == parts
    assert override_key(override) == parts[0]


def test_only_arguments_with_a_value_set_a_key():
    assert override_keys(["-m", "+seed=1", "~losses.style", "steps=3"]) == {"seed", "steps"}
