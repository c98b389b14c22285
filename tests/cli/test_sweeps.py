"""What a sweep tells TensorBoard before its runs."""

import pytest
from omegaconf import OmegaConf

from nst_tf.cli.sweeps import varied, weighted


def sweep(*typed, params=None):
    losses = {"content": {"weight": 1.0}, "total_variation": {"weight": 0.0}}
    hydra = {"overrides": {"task": list(typed)}, "sweeper": {"params": params}}
    config = OmegaConf.create({"content": None, "steps": 5, "losses": losses, "hydra": hydra})
    OmegaConf.set_struct(config, True)
    return config


def test_what_varies_is_what_has_several_values_or_an_interval():
    config = sweep("content=a,b", "steps=3", params={"losses.content.weight": "interval(1, 2)"})
    assert varied(config) == ["losses.content.weight", "content"]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("content=a,b", ["content"]),
        ("losses.content.weight=0,1", ["content"]),
        ("losses.total_variation.weight=0,1", ["content", "total_variation"]),
        ("experiment=one,another", ["content", "total_variation"]),
        ("losses=one,another", ["content", "total_variation"]),
    ],
)
def test_a_loss_of_no_weight_has_no_column_unless_runs_may_have_it(typed, told):
    assert weighted(sweep(typed)) == told
