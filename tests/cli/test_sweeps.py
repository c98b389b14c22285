"""The columns of TensorBoard's table, which a sweep writes before its runs; old names in a sweep's YAML."""

import pytest
from omegaconf import OmegaConf

from nst_tf.cli.sweeps import OldNames, possible_losses, varied_keys


def sweep(*typed, params=None):
    losses = {"content": {"weight": 1.0}, "total_variation": {"weight": 0.0}}
    hydra = {"overrides": {"task": list(typed)}, "sweeper": {"params": params}}
    config = OmegaConf.create({"content": None, "steps": 5, "losses": losses, "hydra": hydra})
    OmegaConf.set_struct(config, True)
    return config


def test_varied_keys_have_several_values_or_an_interval():
    config = sweep("content=a,b", "steps=3", params={"losses.content.weight": "interval(1, 2)"})
    assert varied_keys(config) == ["losses.content.weight", "content"]


@pytest.mark.parametrize(
    ("typed", "losses"),
    [
        ("content=a,b", ["content"]),
        ("losses.content.weight=0,1", ["content"]),
        ("losses.total_variation.weight=0,1", ["content", "total_variation"]),
        ("experiment=one,another", ["content", "total_variation"]),
        ("losses=one,another", ["content", "total_variation"]),
    ],
)
def test_a_loss_of_weight_0_has_a_column_only_if_its_weight_may_vary(typed, losses):
    assert possible_losses(sweep(typed)) == losses


def test_a_sweep_in_yaml_may_use_old_names():
    params = {
        "optimizer.metric_power": "0,0.5",
        "method": "optimise,library",
        "losses.content.weight": "interval(1, 2)",
    }
    config = sweep(params=params)
    OmegaConf.set_readonly(config.hydra, True)
    OldNames().on_multirun_start(config)
    assert config.hydra.sweeper.params == {
        "optimizer.preconditioner_power": "0,0.5",
        "method": "optimize,feedforward",
        "losses.content.weight": "interval(1, 2)",
    }
    assert OmegaConf.is_readonly(config.hydra)


def test_a_sweep_without_parameters_is_left_alone():
    config = sweep("content=a,b")
    OldNames().on_multirun_start(config)
    assert config.hydra.sweeper.params is None
