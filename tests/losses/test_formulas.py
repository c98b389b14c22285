"""Every formula of every loss against NumPy, and its gradient against central differences."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf import losses
from nst_tf.losses import (
    ColourSimilarityLoss,
    ContentLoss,
    ContentReduction,
    GramDivisor,
    GramLoss,
    GramReduction,
    GuidedSumsLoss,
    GuidedSumsReduction,
    HistogramLoss,
    Matching,
    MattingLoss,
    MeanVarianceLoss,
    MeanVarianceReduction,
    MomentsLoss,
    MomentsReduction,
    MRFLoss,
    MRFReduction,
    NNFMLoss,
    SlicedReduction,
    SlicedWassersteinLoss,
    Targets,
    TotalVariationLoss,
    ValueRange,
    Variation,
)

H, W, N = 3, 4, 5
M = H * W
IMAGE_HW = 6 * 8


@pytest.fixture
def features():
    """Features of one layer with their pictures, which are larger: a batch of two, and a target."""
    rng = np.random.default_rng(7)
    layer = rng.normal(size=(2, H, W, N)).astype(np.float32)
    target = rng.normal(size=(1, H, W, N)).astype(np.float32)
    image = rng.uniform(size=(2, 6, 8, 3)).astype(np.float32)
    return (
        {"conv": tf.constant(layer), "image": tf.constant(image)},
        {"conv": tf.constant(target), "image": tf.constant(image[:1])},
    )


def numpy_gram(x):
    F = x.reshape(-1, x.shape[-1]).astype(np.float64)
    return F.T @ F


CONTENT = {  # difference and target to the loss
    "half_sum": lambda d, P: 0.5 * (d**2).sum(),
    "sum": lambda d, P: (d**2).sum(),
    "mean": lambda d, P: (d**2).mean(),
    "sqrt": lambda d, P: (d**2).sum() / (2 * np.sqrt(N) * np.sqrt(M)),
    "relative": lambda d, P: (d**2).mean() / (P**2).mean(),
}

STYLE = {
    "sum": lambda d, A: (d**2).sum(),
    "half_sum": lambda d, A: 0.5 * (d**2).sum(),
    "mean": lambda d, A: (d**2).mean(),
    "gatys": lambda d, A: (d**2).sum() / (4 * N**2 * M**2),
    "mean_chw": lambda d, A: (d**2).mean() / (N * H * W),
    "keras_example": lambda d, A: (d**2).sum() / (4 * 3**2 * IMAGE_HW**2),
    "relative": lambda d, A: (d**2).mean() / (A**2).mean(),
}

DIVISORS = {"none": 1, "hw": H * W, "chw": N * H * W, "hwc": H * W * N}


def test_the_tables_of_formulas_cover_every_reduction_and_divisor():
    assert set(CONTENT) == {r.name for r in ContentReduction}
    assert set(STYLE) == {r.name for r in GramReduction}
    assert set(DIVISORS) == {d.name for d in GramDivisor}


@pytest.mark.parametrize("reduction", CONTENT)
def test_every_content_reduction_equals_its_formula(reduction, features):
    x, target = features
    loss = ContentLoss(layers=["conv"], reduction=ContentReduction[reduction])
    value = loss(x, loss.prepare(target)).numpy()
    P = target["conv"].numpy()[0]
    expected = [CONTENT[reduction](F - P, P) for F in x["conv"].numpy()]
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("divisor", DIVISORS)
@pytest.mark.parametrize("reduction", STYLE)
def test_every_gram_reduction_equals_its_formula_under_every_divisor(reduction, divisor, features):
    x, target = features
    loss = GramLoss(layers=["conv"], reduction=GramReduction[reduction], divisor=GramDivisor[divisor])
    value = loss(x, loss.prepare(target)).numpy()
    G = [numpy_gram(F) / DIVISORS[divisor] for F in x["conv"].numpy()]
    A = numpy_gram(target["conv"].numpy()[0]) / DIVISORS[divisor]
    expected = [STYLE[reduction](g - A, A) for g in G]
    np.testing.assert_allclose(value, expected, rtol=1e-4)


def test_shift_is_added_to_every_feature(features):
    x, target = features
    loss = GramLoss(layers=["conv"], reduction=GramReduction.sum, shift=-1.0)
    expected = [((numpy_gram(F - 1) - numpy_gram(target["conv"].numpy()[0] - 1)) ** 2).sum() for F in x["conv"].numpy()]
    np.testing.assert_allclose(loss(x, loss.prepare(target)), expected, rtol=1e-4)


def test_reductions_with_sizes_divide_each_gram_matrix_by_the_size_of_its_own_picture(features):
    x, _ = features
    tiled = {"conv": tf.tile(x["conv"], [1, 2, 3, 1]), "image": tf.tile(x["image"], [1, 2, 3, 1])}
    for reduction in (GramReduction.gatys, GramReduction.keras_example, GramReduction.relative):  # same style, tiled
        loss = GramLoss(layers=["conv"], reduction=reduction)
        np.testing.assert_allclose(loss(x, loss.prepare(tiled)), [0, 0], atol=1e-9)
    plain = GramLoss(layers=["conv"], reduction=GramReduction.sum)
    expected = [((numpy_gram(F) - 6 * numpy_gram(F)) ** 2).sum() for F in x["conv"].numpy()]
    np.testing.assert_allclose(plain(x, plain.prepare(tiled)), expected, rtol=1e-5)


@pytest.mark.parametrize("loss", [ContentLoss, GramLoss])
def test_relative_reduction_against_a_target_of_zero_is_the_sum(loss, features):
    x, target = features
    zeros = {name: tf.zeros_like(value) for name, value in target.items()}
    relative, absolute = loss(layers=["conv"], reduction="relative"), loss(layers=["conv"], reduction="sum")
    size = M if loss is GramLoss else 1  # relative divides each Gram matrix by its positions
    np.testing.assert_allclose(
        relative(x, relative.prepare(zeros)), absolute(x, absolute.prepare(zeros)) / size**2, rtol=1e-5
    )


CHECKERBOARD = np.indices((4, 6)).sum(0) % 2  # every neighbour differs by 1: 18 vertical pairs, 20 horizontal


@pytest.mark.parametrize(
    ("variation", "value_range", "expected"),
    [
        ("squared_sum", "unit", 3 * (18 + 20)),
        ("squared_sum", "byte", 3 * (18 + 20) * 255**2),
        ("squared_mean", "unit", 2.0),
        ("l1", "unit", 3 * (18 + 20)),
        ("l1", "byte", 3 * (18 + 20) * 255),
        ("power", "unit", 3 * 15 * 2**1.25),  # 3x5 pixels with both neighbours
        # 24 pixels with 18 pairs below and 20 beside; of 35 diagonals those across the border, 16, are straight pairs
        ("nine_point", "unit", 2 / 3 * (18 + 20) / 24 + 1 / 6 * 2 * 16 / 35),
    ],
)
def test_total_variation_of_a_checkerboard_equals_the_number_counted_by_hand(variation, value_range, expected):
    image = tf.constant(np.repeat(CHECKERBOARD[None, :, :, None], 3, axis=3), tf.float32)
    loss = TotalVariationLoss(variation=Variation[variation], value_range=ValueRange[value_range])
    np.testing.assert_allclose(loss({"image": image}, Targets({}, {})), [expected], rtol=1e-6)


def test_total_variation_of_a_bright_row_counts_vertical_differences_only():
    rows = np.zeros((1, 3, 2, 3), np.float32)
    rows[:, 1] = 0.5  # two vertical steps of 0.5 in two columns of three channels
    loss = TotalVariationLoss(variation=Variation.squared_sum)
    np.testing.assert_allclose(loss({"image": tf.constant(rows)}, Targets({}, {})), [2 * 2 * 3 * 0.25])


LOSSES = (
    [ContentLoss(layers=["conv"], reduction=r) for r in ContentReduction]
    + [GramLoss(layers=["conv"], reduction=r) for r in GramReduction]
    + [GramLoss(layers=["conv"], shift=-1.0)]
    + [GuidedSumsLoss(layers=["conv"], reduction=r) for r in GuidedSumsReduction]
    + [MeanVarianceLoss(layers=["conv"], reduction=r) for r in MeanVarianceReduction]
    + [MRFLoss(layers=["conv"], reduction=r, patch_size=2) for r in MRFReduction]
    + [SlicedWassersteinLoss(layers=["conv"], reduction=r) for r in SlicedReduction]
    + [MomentsLoss(layers=["conv"], reduction=r) for r in MomentsReduction]
    + [HistogramLoss(layers=["conv"], reduction=r) for r in SlicedReduction]
    + [NNFMLoss(layers=["conv"], matching=m) for m in Matching]
    + [TotalVariationLoss(variation=v) for v in Variation]
    + [MattingLoss(epsilon=1e-2)]
    + [ColourSimilarityLoss(side=8)]
)


JOINT_LOSSES = {losses.HypercolumnLoss, losses.NearestSamplesLoss, losses.StrotssLoss}
"""Losses whose target is made of several references: their gradients are compared in tests of their own."""


def test_the_list_of_losses_covers_the_table():
    assert {type(loss) for loss in LOSSES} | JOINT_LOSSES | {losses.TemporalLoss} == set(losses.LOSSES.values())


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_the_gradient_of_every_loss_equals_a_central_difference(loss, features):
    x, target = features
    targets = loss.prepare(target)
    key = "image" if list(loss.taps) == ["image"] else "conv"
    with tf.GradientTape() as tape:
        tape.watch(x[key])
        value = tf.reduce_sum(loss(x, targets))
    gradient = tape.gradient(value, x[key]).numpy()
    direction = np.random.default_rng(3).normal(size=gradient.shape)
    # half of the direction is the gradient, so that the slope is not a small difference of large parts
    direction = (direction / np.linalg.norm(direction) + gradient / np.linalg.norm(gradient)).astype(np.float32) / 2
    slope = float((gradient * direction).sum())
    # in float32 a step of 1e-2 leaves about four digits; l1 is piecewise linear, so it is exact between its kinks
    step = 1e-4 if getattr(loss, "variation", None) is Variation.l1 else 1e-2
    ahead, behind = (
        float(tf.reduce_sum(loss(x | {key: x[key] + sign * step * direction}, targets))) for sign in (1, -1)
    )
    assert slope == pytest.approx((ahead - behind) / (2 * step), rel=2e-2)


def test_gram_matrices_of_half_precision_features_are_compared_in_float32():
    x = {"conv": tf.fill([1, 64, 64, 2], tf.constant(8.0, tf.float16)), "image": tf.zeros([1, 64, 64, 3])}
    loss = GramLoss(layers=["conv"], reduction=GramReduction.sum)
    zero = {"conv": tf.zeros([1, 64, 64, 2], tf.float16), "image": x["image"]}
    value = loss(x, loss.prepare(zero))  # each entry 64·64·64 = 262144, above float16's largest
    assert value.dtype == tf.float32
    np.testing.assert_allclose(value, [4 * 262144.0**2])
