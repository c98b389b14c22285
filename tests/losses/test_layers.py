"""Settings that losses over layers share: layer weights, the mean over layers, references, blending, and checks."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.losses import Blend, ContentLoss, ContentReduction, GramLoss, OverLayers, TotalVariationLoss
from nst_tf.util.errors import InputError

FEATURES = {"a": tf.ones([1, 2, 2, 1]), "b": 2 * tf.ones([1, 2, 2, 1]), "image": tf.zeros([1, 2, 2, 3])}
ZEROS = {"a": tf.zeros([1, 2, 2, 1]), "b": tf.zeros([1, 2, 2, 1])}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"a": 4.0, "b": 16.0}),
        ({"layer_weights": [0.5, 2.0]}, {"a": 2.0, "b": 32.0}),
        ({"over_layers": OverLayers.mean}, {"a": 2.0, "b": 8.0}),
        ({"layer_weights": [1.0, 3.0], "over_layers": OverLayers.mean}, {"a": 2.0, "b": 24.0}),
    ],
)
def test_layer_terms_have_their_weights_and_add_up_to_the_raw_loss(settings, expected):
    loss = ContentLoss(layers=["a", "b"], reduction=ContentReduction.sum, **settings)
    terms = loss.distance(loss.represent(FEATURES), loss.prepare(ZEROS).layers)
    assert {layer: float(value[0]) for layer, value in terms.items()} == expected
    assert float(loss(FEATURES, loss.prepare(ZEROS))[0]) == sum(expected.values())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"a": 16.0, "b": 256.0}),
        ({"chained": True}, {"a": 16.0, "b": 0.0}),
        ({"chained": True, "layer_weights": [3.0, 0.0]}, {"a": 3 * 16.0, "b": -3 * 256.0}),
        (
            {"chained": True, "layer_weights": [1.0, 4.0], "over_layers": OverLayers.mean},
            {"a": 8.0, "b": 3 / 2 * 256.0},
        ),
    ],
)
def test_chained_layers_have_their_weight_minus_the_previous_weight(settings, expected):
    """Σ w_l (E_l − E_{l+1}) with E of a 16 and of b 256: one filter, four positions of 1 and of 2."""
    loss = GramLoss(layers=["a", "b"], reduction="sum", **settings)
    terms = loss.distance(loss.represent(FEATURES), loss.prepare(ZEROS | {"image": FEATURES["image"]}).layers)
    assert {layer: float(value[0]) for layer, value in terms.items()} == expected
    weights = settings.get("layer_weights", [1.0, 1.0])
    following = 256 if settings.get("chained") else 0
    number = 2 if "over_layers" in settings else 1
    assert sum(expected.values()) == (weights[0] * (16 - following) + weights[1] * 256) / number


@pytest.mark.parametrize(
    ("reference", "styles", "expected"),
    [
        ("content", 3, ["content"]),
        ("style", 3, ["style:1", "style:2", "style:3"]),
        ("style:2", 3, ["style:2"]),
    ],
)
def test_references_are_the_content_every_style_or_one_style(reference, styles, expected):
    assert GramLoss(layers=["a"], reference=reference).references(styles) == expected


def test_choices_are_accepted_by_name():
    by_name = GramLoss(layers=["a", "b"], over_layers="mean", blend="targets", reduction="sum", divisor="chw")
    assert (by_name.over_layers, by_name.blend) == (OverLayers.mean, Blend.targets)
    assert by_name.effective_weight("a") == 0.5


def test_blend_is_losses_by_default():
    assert GramLoss(layers=["a"]).blend is Blend.losses


def test_targets_carry_no_gradient():
    x = tf.ones([1, 2, 2, 1])
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = ContentLoss(layers=["a"])
        value = loss({"a": tf.zeros([1, 2, 2, 1])}, loss.prepare({"a": x}))
    assert tape.gradient(value, x) is None
    np.testing.assert_allclose(value, [2.0])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: ContentLoss(weight=-1, layers=["a"]), ["weight=-1", "at least 0"]),
        (lambda: ContentLoss(weight=float("nan"), layers=["a"]), ["nan"]),
        (lambda: ContentLoss(weight=float("inf"), layers=["a"]), ["inf"]),
        (lambda: GramLoss(layers=["a"], layer_weights=[float("nan")]), ["nan"]),
        (lambda: GramLoss(layers=["a"], reduction="average"), ["reduction='average'", "gatys"]),
        (lambda: ContentLoss(), ["no layers"]),
        (lambda: ContentLoss(layers=["a", "a"]), ["twice"]),
        (lambda: ContentLoss(layers=["image"]), ["image"]),
        (lambda: GramLoss(layers=["a", "b"], layer_weights=[1.0]), ["1 entries for 2 layers", "a, b"]),
        (lambda: GramLoss(layers=["a"], layer_weights=[-1.0]), ["-1.0", "at least 0"]),
        (lambda: GramLoss(layers=["a"], shift=float("nan")), ["shift=nan", "finite"]),
        (lambda: GramLoss(layers=["a"], reference="styel"), ["styel", "style:N"]),
        (lambda: GramLoss(layers=["a"], reference="style:0"), ["style:0"]),
        (lambda: GramLoss(layers=["a"], reference="style:4").references(3), ["style:4", "3 style"]),
        (lambda: TotalVariationLoss(exponent=0.5), ["exponent=0.5", "at least 1"]),
    ],
)
def test_invalid_settings_are_refused_in_one_line(build, words):
    with pytest.raises(InputError) as error:
        build()
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)
