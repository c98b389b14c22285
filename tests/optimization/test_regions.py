"""Losses that are limited to regions: against Gram matrices by NumPy, and masks in the layers of a network."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import Extractor
from nst_tf.backbones.receptive_field import AxisField, ReceptiveField
from nst_tf.images import Propagation, RegionMasks
from nst_tf.losses import (
    Balance,
    Blend,
    ContentLoss,
    GramLoss,
    GuidedSumsLoss,
    MeanVarianceLoss,
    MomentsLoss,
    MRFLoss,
    SlicedWassersteinLoss,
    TotalVariationLoss,
)
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.position_weights import LayerWeights, propagate
from nst_tf.optimization.terms import regions_of, term_names
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(7)
SHAPE = (12, 16)
CONTENT, ONE, TWO = (RNG.uniform(size=(1, *SHAPE, 3)).astype(np.float32) for _ in range(3))
LEFT = np.zeros(SHAPE, np.float32)
LEFT[:, :8] = 1
RIGHT = 1 - LEFT
FULL = np.ones(SHAPE, np.float32)
LOSSES_OF_STYLES = [GramLoss, GuidedSumsLoss, MomentsLoss, MeanVarianceLoss, MRFLoss, SlicedWassersteinLoss]


def extractor(image):
    """A layer at the picture's size, and one at half of it."""
    return {"a": image * tf.constant([1.0, 2.0, 3.0]), "b": tf.nn.avg_pool2d(image, 2, 2, "SAME")}


def terms_of(losses, regions, image=CONTENT, styles=(ONE, TWO), shares=(0.5, 0.5), balance=False):
    styles = [tf.constant(style) for style in styles]
    objective = Objective.prepare(extractor, losses, tf.constant(CONTENT), styles, shares, regions)
    if balance:
        objective = objective.balance_gradients(tf.constant(image), tf.constant(ONE))
    evaluation = objective(tf.constant(image))
    return {name: float(value[0]) for name, value in evaluation.terms.items()}, evaluation


def halves():
    return [
        RegionMasks("left", 0.5, LEFT, {"style:1": None}),
        RegionMasks("right", 0.5, RIGHT, {"style:2": None}),
    ]


def mean_gram(x):
    F = x.reshape(-1, x.shape[-1]).astype(np.float64)
    return F.T @ F / len(F)


def test_two_halves_with_two_styles_equal_two_separate_gram_losses():
    losses = {"style": GramLoss(layers=["a", "b"], reduction="gatys", weight=3.0)}
    terms, _ = terms_of(losses, halves())
    pictures = [(CONTENT[:, :, :8], ONE), (CONTENT[:, :, 8:], TWO)]
    expected = {}
    for name, (part, style) in zip(("left", "right"), pictures, strict=True):
        for layer in ("a", "b"):
            G, A = (mean_gram(extractor(tf.constant(x))[layer].numpy()) for x in (part, style))
            expected[f"style/{name}/{layer}"] = 0.5 * ((G - A) ** 2).sum() / (4 * 3**2)
    assert {name: terms[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert terms["style/raw"] == pytest.approx(sum(expected.values()), rel=1e-5)
    assert terms["style"] == pytest.approx(3 * sum(expected.values()), rel=1e-5)
    assert list(terms) == term_names(losses, ["left", "right"])


@pytest.mark.parametrize("kind", LOSSES_OF_STYLES)
def test_a_region_that_fills_the_picture_gives_the_loss_and_gradient_without_regions(kind):
    losses = {"style": kind(layers=["a", "b"])}
    full = [RegionMasks("all", 1.0, FULL, {"style:1": FULL, "style:2": FULL})]
    (masked, one), (plain, other) = terms_of(losses, full), terms_of(losses, [])
    assert masked["style"] == pytest.approx(plain["style"], rel=1e-6)
    np.testing.assert_allclose(one.gradient, other.gradient, rtol=1e-4, atol=1e-6 * np.abs(other.gradient).max())


@pytest.mark.parametrize("kind", LOSSES_OF_STYLES)
def test_the_gradient_of_a_region_ends_at_its_edge(kind):
    region = [RegionMasks("left", 1.0, LEFT, {"style:1": None})]
    _, evaluation = terms_of({"style": kind(layers=["a", "b"])}, region)
    gradient = evaluation.gradient.numpy()
    assert np.abs(gradient[:, :, :8]).max() > 0
    assert (gradient[:, :, 8:] == 0).all()


def test_a_region_of_a_style_ignores_the_rest_of_the_style():
    other = np.where(LEFT[None, ..., None] > 0, ONE, 1 - ONE)
    region = [RegionMasks("sky", 1.0, None, {"style:1": LEFT})]
    losses = {"style": GramLoss(layers=["a", "b"])}
    values = [terms_of(losses, region, styles=[style], shares=[1.0])[0]["style"] for style in (ONE, other)]
    assert values[0] == values[1] > 0


def test_the_styles_of_a_region_share_its_part_by_their_shares():
    losses = {"style": GramLoss(layers=["a"])}
    region = RegionMasks("left", 0.25, LEFT, {"style:1": None, "style:2": None})
    both = terms_of(losses, [region], shares=(0.2, 0.6))[0]["style"]
    alone = [
        terms_of(losses, [RegionMasks("left", 1.0, LEFT, {f"style:{n}": None})], shares=(0.2, 0.6))[0]["style"]
        for n in (1, 2)
    ]
    assert both == pytest.approx(0.25 * (0.25 * alone[0] + 0.75 * alone[1]), rel=1e-5)


def test_blended_targets_of_a_region_are_the_mean_by_shares():
    losses = {"style": GramLoss(layers=["a"], blend=Blend.targets, reduction="gatys")}
    region = RegionMasks("left", 0.5, LEFT, {"style:1": None, "style:2": None})
    value = terms_of(losses, [region], shares=(0.25, 0.75))[0]["style"]
    G, A, B = (mean_gram(extractor(tf.constant(x))["a"].numpy()) for x in (CONTENT[:, :, :8], ONE, TWO))
    assert value == pytest.approx(0.5 * ((G - 0.25 * A - 0.75 * B) ** 2).sum() / 36, rel=1e-4)


def test_regions_do_not_limit_losses_on_the_content_or_on_the_picture_alone():
    losses = {
        "content": ContentLoss(layers=["b"]),
        "style": GramLoss(layers=["a"]),
        "total_variation": TotalVariationLoss(weight=2.0),
    }
    masked, plain = (terms_of(losses, regions, image=ONE)[0] for regions in (halves(), []))
    for name in ("content", "content/b", "total_variation"):
        assert masked[name] == plain[name] > 0
    assert "style/left/a" in masked
    assert "style/a" in plain


def appended_gram(x, masks):
    """Return the Gram matrix of features and masks of root mean square 1, over the number of positions."""
    layer = extractor(tf.constant(x))["a"].numpy()[0].astype(np.float64)
    channels = np.concatenate([layer, np.stack([mask / np.sqrt((mask**2).mean()) for mask in masks], -1)], -1)
    return mean_gram(channels)


def test_guided_sums_and_a_plain_gram_matrix_are_the_gram_matrix_of_features_and_masks():
    """Masks as channels: its blocks are the plain matrix, the sums (twice), and products of masks."""
    soft = np.linspace(0, 1, 16, dtype=np.float32)[None].repeat(12, 0)
    masks, style_masks = [LEFT, soft], [RIGHT, soft**2]
    difference = appended_gram(CONTENT, masks) - appended_gram(ONE, style_masks)
    regions = [
        RegionMasks(name, 0.5, mask, {"style:1": style_mask})
        for name, mask, style_mask in zip(("left", "soft"), masks, style_masks, strict=True)
    ]
    losses = {
        "style": GramLoss(layers=["a"], reduction="sum", divisor="hw", in_regions=False),
        "sums": GuidedSumsLoss(layers=["a"], reduction="sum"),
    }
    terms, _ = terms_of(losses, regions, styles=[ONE], shares=[1.0])
    assert terms["style/a"] == pytest.approx((difference[:3, :3] ** 2).sum(), rel=1e-4)
    expected = {
        "sums/left/a": 0.5 * (difference[3, :3] ** 2).sum(),
        "sums/soft/a": 0.5 * (difference[4, :3] ** 2).sum(),
    }
    assert {name: terms[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert list(terms) == term_names(losses, ["left", "soft"])


def test_a_loss_outside_regions_compares_the_whole_picture():
    losses = {"style": GramLoss(layers=["a", "b"], in_regions=False)}
    assert terms_of(losses, halves())[0] == terms_of(losses, [])[0]
    assert terms_of({"style": GramLoss(layers=["a", "b"])}, halves())[0] != terms_of(losses, [])[0]


def patch_energy(x, style, weights):
    """Return Σ w ‖p − q‖² over the positions of all patches p, with the style's patches q of the largest cosine."""

    def patches(values):
        h, w = values.shape[0] - 2, values.shape[1] - 2
        return np.array([values[r : r + 3, c : c + 3].reshape(9, -1) for r in range(h) for c in range(w)], np.float64)

    own, bank = (patches(extractor(tf.constant(each))["a"].numpy()[0]) for each in (x, style))
    cosines = np.einsum("ipc,jpc->ij", own, bank) / np.linalg.norm(bank, axis=(1, 2))
    return (patches(weights) * (own - bank[cosines.argmax(1)]) ** 2).sum()


def test_patches_of_a_region_match_patches_of_its_style_alone():
    losses = {"style": MRFLoss(layers=["a"], reduction="sum")}
    terms, _ = terms_of(losses, halves())
    expected = {
        "style/left/a": 0.5 * patch_energy(CONTENT, ONE, LEFT),
        "style/right/a": 0.5 * patch_energy(CONTENT, TWO, RIGHT),
    }
    assert {name: terms[name] for name in expected} == pytest.approx(expected, rel=1e-4)


def test_semantic_maps_reach_every_layer_with_and_without_regions():
    """With a map of two colours and a large weight, each half takes patches of the half of its colour."""
    colours = np.stack([LEFT, RIGHT, 0 * LEFT], -1)
    maps = {"content": colours, "style:1": colours[:, ::-1], "style:2": colours}
    whole = RegionMasks("", 1.0, None, dict.fromkeys(maps), maps=maps)
    losses = {"style": MRFLoss(layers=["a", "b"], map_weight=100.0, patch_size=1, reduction="sum")}
    mapped, plain = (terms_of(losses, regions, styles=[ONE], shares=[1.0])[0] for regions in ([whole], []))
    assert mapped["style/a"] > plain["style/a"]
    mirrored = [("left", LEFT, RIGHT), ("right", RIGHT, LEFT)]
    regions = [RegionMasks(name, 0.5, mask, {"style:1": other}) for name, mask, other in mirrored]
    by_regions, _ = terms_of(losses, regions, styles=[ONE], shares=[1.0])
    for layer in ("a", "b"):
        halves_of_layer = 2 * (by_regions[f"style/left/{layer}"] + by_regions[f"style/right/{layer}"])
        assert mapped[f"style/{layer}"] == pytest.approx(halves_of_layer, rel=1e-4)
    both, _ = terms_of(losses, [replace(region, maps=maps) for region in regions], styles=[ONE], shares=[1.0])
    assert both == pytest.approx(by_regions, rel=1e-5)


def test_balance_gives_each_part_the_gradient_of_its_share_and_weight():
    losses = {"style": GramLoss(layers=["a", "b"], balance=Balance.gradient, layer_weights=[1.0, 3.0])}
    regions = [
        RegionMasks("left", 0.8, LEFT, {"style:1": None}),
        RegionMasks("right", 0.2, RIGHT, {"style:2": None}),
    ]
    styles = [tf.constant(style) for style in (ONE, TWO)]
    objective = Objective.prepare(extractor, losses, tf.constant(CONTENT), styles, (0.5, 0.5), regions)
    balanced = objective.balance_gradients(tf.constant(CONTENT), tf.constant(ONE))
    for part, length in {"left/a": 0.8, "left/b": 2.4, "right/a": 0.2, "right/b": 0.6}.items():
        with tf.GradientTape() as tape:
            image = tf.constant(CONTENT)
            tape.watch(image)
            value = balanced.values(image)[1][f"style/{part}"]
        assert float(tf.norm(tape.gradient(value, image))) == pytest.approx(length, rel=1e-4)


def test_a_loss_that_compares_positions_of_a_style_cannot_be_limited():
    loss = ContentLoss(layers=["a"], reference="style:1")
    with pytest.raises(InputError, match=r"^losses.other.reference=style:1: ContentLoss cannot be limited"):
        regions_of("other", loss, ["sky"])


def test_a_loss_whose_style_no_region_takes_is_refused():
    with pytest.raises(InputError, match=r"^losses.style.reference=style:2: the region 'left' has none of its styles"):
        terms_of({"style": GramLoss(layers=["a"], reference="style:2")}, halves())


# masks in layers


@pytest.fixture(scope="module")
def network():
    """An extractor of two convolutions of ones with a pooling between them, so that a feature is the sum it sees."""
    inputs = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer="ones", name="first")(inputs)
    pooled = keras.layers.AveragePooling2D(2, name="pool")(first)
    second = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer="ones", name="second")(pooled)
    model = keras.Model(inputs, {"first": first, "second": second})
    return Extractor({"one": "first", "two": "second"}, model, model, [], lambda image: image)


@pytest.mark.parametrize("layer", ["one", "two"])
@pytest.mark.parametrize("height", [12, 13])
def test_inside_and_all_are_what_the_network_itself_sees_of_a_mask(network, layer, height):
    mask = (RNG.uniform(size=(height, 15)) > 0.15).astype(np.float32)
    mask[:7, :9] = 1
    picture = tf.zeros([1, height, 15, 3])

    def sees(part):  # positions that see any of a part of the picture
        image = np.repeat(part[None, ..., None], 3, axis=-1)
        return network(tf.constant(image))[layer].numpy()[0, ..., 0] > 0

    expected = {Propagation.all: sees(mask), Propagation.inside: ~sees(1 - mask)}
    for propagation, positions in expected.items():
        region = RegionMasks("r", 1.0, mask, {}, propagation)
        weights = LayerWeights(network).of(mask, picture, [layer], region, "content")[layer].numpy()
        np.testing.assert_array_equal(weights[0, ..., 0], positions)


def test_a_mask_is_resized_to_each_layer_and_keeps_soft_edges(network):
    weights = LayerWeights(network).of(LEFT, tf.zeros([1, 12, 16, 3]), ["one", "two"], halves()[0], "content")
    assert weights["one"].shape == (1, 12, 16, 1)
    assert weights["two"].shape == (1, 6, 8, 1)
    np.testing.assert_array_equal(weights["one"][0, ..., 0], LEFT)
    np.testing.assert_array_equal(weights["two"][0, 0, :, 0], [1.0] * 4 + [0.0] * 4)
    shifted = np.roll(LEFT, 1, axis=1)
    weights = LayerWeights(network).of(shifted, tf.zeros([1, 12, 16, 3]), ["two"], halves()[0], "content")
    np.testing.assert_array_equal(weights["two"][0, 0, :, 0], [0.5, 1, 1, 1, 0.5, 0, 0, 0])


def test_a_region_grows_and_shrinks_by_positions_of_the_layer(network):
    for grow, columns in ((2, 10), (0, 8), (-3, 5)):
        region = RegionMasks("left", 1.0, LEFT, {}, grow=grow)
        weights = LayerWeights(network).of(LEFT, tf.zeros([1, 12, 16, 3]), ["one"], region, "content")["one"]
        np.testing.assert_array_equal(weights[0, 0, :, 0], [1.0] * columns + [0.0] * (16 - columns))


def test_a_region_without_positions_in_a_layer_is_refused(network):
    mask = np.zeros(SHAPE, np.float32)
    mask[5:7, 5:7] = 1
    region = RegionMasks("eye", 1.0, mask, {}, Propagation.inside)
    with pytest.raises(InputError, match=r"^regions: the region 'eye' of content has no position in two with") as error:
        LayerWeights(network).of(mask, tf.zeros([1, *SHAPE, 3]), ["two"], region, "content")
    assert "\n" not in str(error.value)


def test_a_position_combines_the_pixels_of_its_receptive_field_and_none_beyond_the_border():
    mask = np.arange(24, dtype=np.float32).reshape(4, 6)
    field = ReceptiveField(AxisField(2, -1, 2), AxisField(3, 0, 4))
    np.testing.assert_array_equal(propagate(mask, field, (2, 2), np.min), [[0, 3], [6, 9]])
    np.testing.assert_array_equal(propagate(mask, field, (2, 2), np.max), [[16, 17], [22, 23]])
