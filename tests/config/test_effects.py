"""Settings without effect are named, and only those."""

from dataclasses import replace

import pytest

from nst_tf.backbones import VGG19
from nst_tf.config.effects import overrides_without_effect, reason_without_effect
from nst_tf.config.tree import Config
from nst_tf.evaluation import EvaluationConfig
from nst_tf.images import Canvas, Regions
from nst_tf.losses import ContentLoss, GramLoss, MRFLoss, SlicedWassersteinLoss, TotalVariationLoss
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import SGD, Adam

CONTENT = ContentLoss(weight=1.0, layers=["conv4_2"])
KEEPING = Regions(labels="l.png", style_of={"red": "none"})


def config(**settings):
    losses = {"content": CONTENT, "style": GramLoss(weight=1.0, layers=["conv1_1"])} | settings.pop("losses", {})
    return Config(**{"content": "c.png", "style": "s.png", "losses": losses} | settings)


def tv(**settings):
    return {"losses": {"tv": TotalVariationLoss(**settings)}}


@pytest.mark.parametrize(
    ("key", "unread", "read"),
    [
        ("seed", {}, {"image": Canvas(start="noise")}),
        ("seed", {}, {"image": Canvas(start=["content", "noise"])}),
        ("seed", {}, {"losses": {"content": ContentLoss(layers=["conv4_2"], balance="gradient")}}),
        ("backbone.seed", {"backbone": VGG19(weights="imagenet")}, {"backbone": VGG19(weights="random")}),
        ("image.noise_scale", {}, {"image": Canvas(start="noise")}),
        ("image.start_weights", {}, {"image": Canvas(start=["content", "style"])}),
        ("image.style_scale", {"image": Canvas(style_fit="content")}, {}),
        ("style_weights", {}, {"style": ["a.png", "b.png"]}),
        ("optimizer.decay_steps", {"optimizer": Adam()}, {"optimizer": Adam(decay_rate=0.9)}),
        ("optimizer.nesterov", {"optimizer": SGD()}, {"optimizer": SGD(momentum=0.9)}),
        ("schedule.stop_window", {}, {"schedule": Schedule(stop_change=0.1)}),
        ("schedule.keep_state", {}, {"schedule": Schedule(scales=[0.5, 1.0])}),
        ("evaluation.weights", {}, {"evaluation": EvaluationConfig(enabled=True)}),
        (
            "evaluation.lpips_network",
            {"evaluation": EvaluationConfig(enabled=True)},
            {"evaluation": EvaluationConfig(enabled=True, measures=["lpips"])},
        ),
        ("losses.style.temperature", {}, {"losses": {"style": GramLoss(layers=["conv1_1"], smoothing="softmax")}}),
        ("losses.style.factor", {}, {"losses": {"style": GramLoss(layers=["conv1_1"], smoothing="scale")}}),
        ("losses.style.blend", {}, {"style": ["a.png", "b.png"]}),
        ("losses.tv.exponent", tv(variation="l1"), tv(variation="power")),
        ("losses.tv.value_range", tv(weight=0), tv(weight=1)),
        ("optimizer", {"method": "feedforward"}, {}),
        ("regions.propagation", {}, {"regions": Regions(labels="l.png")}),
        ("regions.blend", {"regions": Regions(labels="l.png")}, {"regions": KEEPING}),
        ("regions.seam", {"regions": replace(KEEPING, blend="hard")}, {"regions": KEEPING}),
        ("regions.map", {}, {"losses": {"style": MRFLoss(layers=["conv3_1"])}}),
        ("losses.style.in_regions", {}, {"regions": Regions(labels="l.png")}),
    ],
)
def test_a_setting_is_unread_exactly_where_another_setting_switches_it_off(key, unread, read):
    assert reason_without_effect(config(**unread), key)
    assert reason_without_effect(config(**read), key) is None


def test_the_weight_of_a_loss_always_has_an_effect():
    settings = config(losses={"tv": TotalVariationLoss(weight=0)})
    assert reason_without_effect(settings, "losses.tv.weight") is None


def test_overrides_without_effect_are_grouped_by_reason():
    unread = overrides_without_effect(config(), ["seed=1", "image.noise_scale=2", "image.noise=gaussian", "steps=3"])
    assert unread == {
        "no noise, no random weights, no random directions": ["seed=1"],
        "image.start without noise": ["image.noise_scale=2", "image.noise=gaussian"],
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"backbone": VGG19(weights="random", seed=4)},
        {"losses": {"style": SlicedWassersteinLoss(layers=["conv1_1"], seed=4)}},
    ],
)
def test_a_seed_that_network_or_directions_follow_has_an_effect(settings):
    assert overrides_without_effect(config(seed=4, **settings), ["seed=4"]) == {}
    assert list(overrides_without_effect(config(seed=4), ["seed=4"]).values()) == [["seed=4"]]
