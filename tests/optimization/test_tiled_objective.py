"""The objective computed tile by tile, against that of the whole picture."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import BACKBONES, VGG19, Padding, VGG19Lite
from nst_tf.images import Propagation, RegionMasks
from nst_tf.losses import (
    Balance,
    ContentLoss,
    ContentReduction,
    GramLoss,
    GramReduction,
    MeanVarianceLoss,
    MomentsLoss,
    SlicedWassersteinLoss,
    Smoothing,
    TotalVariationLoss,
)
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.terms import term_names
from nst_tf.optimization.tiled_objective import TiledObjective
from nst_tf.optimization.tiles import Grid, Tiling
from nst_tf.util.compilation import compile_function
from nst_tf.util.errors import InputError
from tests.shares import CROSSINGS, is_chosen

LAYERS = ["conv1_1", "conv2_1"]
TOLERANCE = 1e-5
"""Largest relative difference from the loss and the gradient of the whole picture."""


def picture(height, width, seed=0):
    """A picture of waves with some noise, ``(1, H, W, 3)``."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / (3 + seed)), np.cos(columns / (5 + seed)), np.sin((rows + columns) / (7 + seed))]
    noise = rng.uniform(size=(height, width, 3))
    return tf.constant((0.3 * np.stack(waves, -1) + 0.5 + 0.2 * noise).clip(0, 1)[None].astype(np.float32))


def all_losses(layers=tuple(LAYERS), **gram):
    layers = list(layers)
    return {
        "content": ContentLoss(layers=layers[-1:], weight=2.0),
        "style": GramLoss(layers=layers, weight=3.0, reduction=GramReduction.relative, **gram),
        "deviations": MeanVarianceLoss(layers=layers),
        "moments": MomentsLoss(layers=layers[:1], weight=1e-2),
        "total_variation": TotalVariationLoss(weight=1e-4),
    }


def prepared(extractor, losses, content, styles, shares=(1.0,), regions=(), own=8):
    """The objective of the whole picture, and the tiled one."""
    arguments = (extractor, losses, content, styles, shares[: len(styles)], regions)
    return Objective.prepare(*arguments), TiledObjective.prepare_tiled(*arguments, own)


def assert_equal(whole, tiled, image, tolerance=TOLERANCE):
    """Compare total, terms and gradient at a picture."""
    assert Tiling.plan(*image.shape[1:3], tiled.tile, Grid.of(tiled.extractor)).count > 1
    expected, found = (compile_function(each)(image) for each in (whole, tiled))
    np.testing.assert_allclose(found.total, expected.total, rtol=tolerance)
    assert list(found.terms) == list(expected.terms)
    for name, value in expected.terms.items():
        np.testing.assert_allclose(found.terms[name], value, rtol=tolerance, atol=1e-7, err_msg=name)
    difference = np.abs(found.gradient - expected.gradient).max()
    assert difference <= tolerance * np.abs(expected.gradient).max()


@pytest.mark.parametrize(
    ("padding", "height", "width"),
    [
        (Padding.zero, 37, 46),
        pytest.param(Padding.reflect, 48, 31, marks=pytest.mark.slow),
    ],
)
def test_loss_and_gradient_are_those_of_the_whole_picture(padding, height, width):
    """Odd sides and remainders; the targets are computed tile by tile too."""
    extractor = VGG19(weights="random", padding=padding).extractor(LAYERS)
    losses = all_losses()
    objectives = prepared(extractor, losses, picture(height, width, 1), [picture(41, 50, 2)])
    assert_equal(*objectives, picture(height, width, 3))
    assert list(objectives[1](picture(height, width)).terms) == term_names(losses)


@pytest.mark.slow
def test_several_styles_regions_and_a_soft_mask_are_cut_with_the_tiles():
    height, width = 37, 46
    mask = np.linspace(0, 1, width, dtype=np.float32) * np.ones((height, 1), np.float32)
    style_mask = np.ones((41, 50), np.float32)
    style_mask[:10] = 0
    regions = [
        RegionMasks("left", 0.25, 1 - mask, {"style:1": style_mask}, Propagation.simple),
        RegionMasks("right", 0.75, mask, {"style:1": None, "style:2": None}, Propagation.simple),
    ]
    extractor = VGG19(weights="random").extractor(LAYERS)
    losses = {"content": ContentLoss(layers=["conv2_1"]), "style": GramLoss(layers=LAYERS)}
    styles = [picture(41, 50, 2), picture(33, 40, 4)]
    assert_equal(
        *prepared(extractor, losses, picture(height, width, 1), styles, (0.4, 0.6), regions), picture(height, width, 3)
    )


@pytest.mark.parametrize("reduction", [*GramReduction])
def test_every_formula_of_the_gram_loss_reads_the_size_of_the_whole_picture(reduction):
    extractor = VGG19(weights="random").extractor(["conv1_1"])
    losses = {"style": GramLoss(layers=["conv1_1"], reduction=reduction, shift=-1.0)}
    whole, tiled = prepared(extractor, losses, picture(20, 23), [picture(20, 23, 1)])
    expected, found = (each.values(picture(20, 23, 2))[0] for each in (whole, tiled))
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


@pytest.mark.parametrize("reduction", [*ContentReduction])
def test_every_formula_of_the_content_loss_reads_the_size_of_the_whole_picture(reduction):
    extractor = VGG19(weights="random").extractor(["conv1_1"])
    losses = {"content": ContentLoss(layers=["conv1_1"], reduction=reduction, smoothing=Smoothing.scale)}
    whole, tiled = prepared(extractor, losses, picture(20, 23), [])
    expected, found = (each.values(picture(20, 23, 2))[0] for each in (whole, tiled))
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


@pytest.mark.slow
def test_balanced_layers_have_the_factors_of_the_whole_picture():
    extractor = VGG19(weights="random").extractor(LAYERS)
    losses = {"style": GramLoss(layers=LAYERS, balance=Balance.gradient)}
    start, noise = picture(30, 34, 2), picture(30, 34, 3)
    objectives = prepared(extractor, losses, picture(30, 34), [picture(30, 34, 1)])
    factors = [each.balance_gradients(start, noise).inputs["style"].layer_factors for each in objectives]
    for layer in LAYERS:
        np.testing.assert_allclose(factors[1][layer], factors[0][layer], rtol=TOLERANCE)


def test_a_batch_is_evaluated_picture_by_picture():
    extractor = VGG19(weights="random").extractor(["conv1_1"])
    both = tf.concat([picture(20, 23, 2), picture(20, 23, 3)], 0)
    losses = {"content": ContentLoss(layers=["conv1_1"]), "style": GramLoss(layers=["conv1_1"])}
    assert_equal(*prepared(extractor, losses, picture(20, 23), [picture(20, 23, 1)]), both)


def test_a_picture_that_needs_one_tile_is_evaluated_as_a_whole():
    extractor = VGG19(weights="random").extractor(LAYERS)
    whole, tiled = prepared(extractor, all_losses(), picture(20, 23), [picture(20, 23, 1)], own=32)
    expected, found = (each(picture(20, 23, 2)) for each in (whole, tiled))
    np.testing.assert_array_equal(found.gradient, expected.gradient)


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), [(200, 213), (192, 240)])
def test_vgg19_lite_up_to_conv5_1_is_exact_with_its_weights(height, width):
    layers = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1", "conv4_2"]
    extractor = VGG19Lite().extractor(layers)
    losses = all_losses(layers)
    del losses["moments"]  # float32 rounds them differently here; float64 is their reference below
    objectives = prepared(extractor, losses, picture(height, width, 1), [picture(130, 140, 2)], own=16)
    assert_equal(*objectives, picture(height, width, 3))


def gaussian_distance(x, y, epsilon):
    """The squared Wasserstein distance of two layers' Gaussians, and the sum of both traces, over N in float64."""

    def moments(features):
        rows = np.asarray(features, np.float64).reshape(-1, features.shape[-1])
        mean = rows.mean(0)
        return mean, (rows - mean).T @ (rows - mean) / len(rows) + epsilon * np.eye(len(mean))

    (mean, covariance), (target_mean, target) = moments(x), moments(y)
    values, vectors = np.linalg.eigh(target)
    root = (vectors * np.sqrt(values)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariance @ root).clip(0)).sum()
    traces = np.trace(covariance) + np.trace(target)
    return (((mean - target_mean) ** 2).sum() + traces - 2 * cross) / len(mean), traces / len(mean)


@pytest.mark.slow
def test_moments_by_tiles_are_as_near_to_float64_as_those_of_the_whole_picture():
    """The traces are up to 1400 times the distance, which magnifies the rounding of float32 with and without tiles."""
    layers = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]
    extractor, loss = VGG19Lite().extractor(layers), MomentsLoss(layers=layers)
    image, style = picture(200, 213, 3), picture(130, 140, 2)
    objectives = prepared(extractor, {"moments": loss}, picture(200, 213, 1), [style], own=16)
    whole, tiled = (compile_function(each)(image).terms for each in objectives)
    for layer, x, y in ((each, extractor(image)[each], extractor(style)[each]) for each in layers):
        truth, traces = (loss.effective_weight(layer) * value for value in gaussian_distance(x, y, loss.epsilon))
        errors = [abs(float(terms[f"moments/{layer}"][0]) - truth) for terms in (whole, tiled)]
        assert max(errors) < 1e-4 * traces
        assert errors[1] < errors[0] + 1e-6 * traces


OTHER_KINDS = ["resnet50", "inception_v3", "mobilenet", "densenet121", "convnext_tiny", "vgg16", "xception"]
OTHER_KINDS_AND_PADDINGS = list(itertools.product([Padding.zero, Padding.reflect], OTHER_KINDS))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("padding", "name"), [case for number, case in enumerate(OTHER_KINDS_AND_PADDINGS) if is_chosen(number, CROSSINGS)]
)
def test_networks_of_other_kinds_are_exact(padding, name):
    extractor = BACKBONES[name](weights="random", padding=padding).extractor(["stage1", "stage2"])
    losses = {"content": ContentLoss(layers=["stage2"]), "style": GramLoss(layers=["stage1", "stage2"])}
    size = (260, 270) if name == "convnext_tiny" else (171, 190)  # its layers see 108 pixels to each side
    objectives = prepared(extractor, losses, picture(*size, 1), [picture(*size, 2)], own=16)
    assert_equal(*objectives, picture(*size, 3), tolerance=3e-5)


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (SlicedWassersteinLoss(layers=["conv1_1"]), r"losses\.style: SlicedWassersteinLoss is no sum over"),
        (GramLoss(layers=["conv1_1"], smoothing=Smoothing.softmax), r"losses\.style\.smoothing=softmax"),
        (GramLoss(layers=["conv1_1"], diagnostics=True), r"losses\.style\.diagnostics=true"),
    ],
)
def test_a_loss_that_needs_all_positions_at_once_is_refused_with_the_remedy(loss, reason):
    extractor = VGG19(weights="random").extractor(["conv1_1"])
    with pytest.raises(InputError, match=f"image.tile=8: {reason}.* Set image.tile=off") as error:
        TiledObjective.prepare_tiled(extractor, {"style": loss}, picture(20, 23), [picture(20, 23)], [1.0], [], 8)
    assert "\n" not in str(error.value)


def test_circular_padding_is_refused_because_the_borders_depend_on_each_other():
    extractor = VGG19(weights="random", padding=Padding.circular).extractor(["conv1_1"])
    losses = {"style": GramLoss(layers=["conv1_1"])}
    with pytest.raises(InputError, match=r"image\.tile=8: backbone\.padding=circular: .* Set image\.tile=off"):
        TiledObjective.prepare_tiled(extractor, losses, picture(20, 23), [picture(20, 23)], [1.0], [], 8)


@pytest.mark.slow
def test_a_network_that_combines_all_positions_is_refused_with_its_layer():
    extractor = BACKBONES["mobilenet_v3_large"](weights="random").extractor(["stage3"])
    with pytest.raises(InputError, match=r"image\.tile=8: .*GlobalAveragePooling2D.* Set image\.tile=off"):
        TiledObjective.prepare_tiled(
            extractor, {"style": GramLoss(layers=["stage3"])}, picture(99, 99), [picture(99, 99)], [1.0], [], 8
        )
