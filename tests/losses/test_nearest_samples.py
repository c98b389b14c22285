"""The loss on samples of each layer against NumPy: whole layers, drawn rows and columns, and the published variant."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.losses import DRAW, NearestSamplesLoss
from tests.losses.formulas import centred, cosines, rows_of, slope_of, value_and_slope

RNG = np.random.default_rng(6)


def seed(number=1):
    return tf.constant([number, 0], tf.int32)


def represent(loss, features, draw=None):
    tensors = {name: tf.constant(value[None], tf.float32) for name, value in features.items()}
    return loss.represent({**tensors, DRAW: seed() if draw is None else draw})


def distances(loss, picture, styles, draw=None):
    """Return the loss of each layer of a picture (name to (h, w, C)) against styles by name of the reference."""
    targets = loss.join({name: represent(loss, style) for name, style in styles.items()}, {})
    return {layer: float(value[0]) for layer, value in loss.distance(represent(loss, picture, draw), targets).items()}


def mean_distance(samples, keys):
    return (1 - cosines(centred(samples), centred(keys)).max(axis=1)).mean()


def test_small_layers_are_compared_as_a_whole_with_all_rotated_copies():
    shapes = {"a": (6, 9, 4), "b": (3, 4, 5)}
    picture = {name: RNG.normal(size=shape) for name, shape in shapes.items()}
    upright, turned = ({name: RNG.normal(size=(h + 1, w, c)) for name, (h, w, c) in shapes.items()} for _ in range(2))
    sideways = {name: RNG.normal(size=(w, h + 1, c)) for name, (h, w, c) in shapes.items()}
    styles = {"style:1": upright, "style:1@90": sideways, "style:1@180": turned}
    loss = NearestSamplesLoss(layers=["a", "b"])
    expected = {
        name: mean_distance(rows_of(picture[name]), np.concatenate([rows_of(s[name]) for s in styles.values()]))
        for name in shapes
    }
    assert distances(loss, picture, styles) == pytest.approx(expected, rel=1e-5)
    assert loss.part_names == ["a", "b"]


def test_value_and_slope_are_those_of_the_formula():
    picture, style, direction = ({"a": RNG.normal(size=(5, 7, 6))} for _ in range(3))
    loss = NearestSamplesLoss(layers=["a"])
    targets = loss.join({"style:1": represent(loss, style)}, {})

    def formula(features):
        return mean_distance(rows_of(features["a"]), rows_of(style["a"]))

    def raw(features):
        return loss.distance(loss.represent({**features, DRAW: seed()}), targets)["a"]

    value, slope = value_and_slope(raw, picture, direction)
    assert value == pytest.approx(formula(picture), rel=1e-5)
    assert slope == pytest.approx(slope_of(formula, picture, direction), rel=1e-3)


def test_rows_and_columns_of_a_large_layer_are_drawn_and_are_the_same_in_the_style():
    picture, style = {"a": RNG.normal(size=(6, 130, 3))}, {"a": RNG.normal(size=(8, 70, 3))}
    turned = {"a": RNG.normal(size=(70, 8, 3))}
    stacked = np.concatenate([style["a"], turned["a"].transpose(1, 0, 2)])  # one above the other, (16, 70, 3)
    possible = {
        (row, column): mean_distance(*(rows_of(x[row::2, column::2]) for x in (picture["a"], stacked)))
        for row, column in itertools.product(range(2), repeat=2)
    }
    loss = NearestSamplesLoss(layers=["a"])
    styles = {"style:1": style, "style:1@90": turned}
    seen = set()
    for number in range(20):
        value = distances(loss, picture, styles, seed(number))["a"]
        assert value == distances(loss, picture, styles, seed(number))["a"]
        (start,) = [start for start, expected in possible.items() if value == pytest.approx(expected, rel=1e-4)]
        seen.add(start)
    assert seen == set(possible)


def test_the_released_variant_reads_the_samples_of_the_layer_before_as_a_small_layer():
    """Filter ``2k + b`` of the small layer is filter k of half b of the samples of the large one."""
    picture = {"a": RNG.normal(size=(4, 66, 3)), "b": RNG.normal(size=(2, 33, 6))}
    style = {"a": RNG.normal(size=(4, 66, 3)), "b": RNG.normal(size=(2, 33, 6))}
    samples = rows_of(picture["a"])  # the stride is 1: all (264, 3)
    half = len(samples) // 2
    read = np.stack([[samples[i + half * b, k] for k in range(3) for b in range(2)] for i in range(half)])
    released = distances(NearestSamplesLoss(layers=["a", "b"], variant="released"), picture, {"style:1": style})
    corrected = distances(NearestSamplesLoss(layers=["a", "b"]), picture, {"style:1": style})
    assert released["a"] == corrected["a"]
    assert released["b"] == pytest.approx(mean_distance(read, rows_of(style["b"])), rel=1e-5)
    assert corrected["b"] == pytest.approx(mean_distance(rows_of(picture["b"]), rows_of(style["b"])), rel=1e-5)


def test_the_variants_are_the_same_where_no_larger_layer_comes_before():
    picture, style = ({"a": RNG.normal(size=(4, 6, 3))} for _ in range(2))
    values = [
        distances(NearestSamplesLoss(layers=["a"], variant=variant), picture, {"style:1": style})
        for variant in ("released", "corrected")
    ]
    assert values[0] == values[1]


def test_features_of_half_precision_are_compared_in_float32():
    loss = NearestSamplesLoss(layers=["a"])
    picture, style = ({"a": tf.constant(RNG.normal(size=(1, 6, 7, 8)), tf.bfloat16), DRAW: seed()} for _ in range(2))
    value = loss.distance(loss.represent(picture), loss.join({"style:1": loss.represent(style)}, {}))["a"]
    assert value.dtype == tf.float32
    expected = mean_distance(*(rows_of(x["a"][0].numpy().astype(np.float64)) for x in (picture, style)))
    assert float(value[0]) == pytest.approx(expected, rel=1e-4)


def test_each_picture_of_a_batch_is_compared_on_its_own():
    loss = NearestSamplesLoss(layers=["a"])
    pictures = [{"a": RNG.normal(size=(6, 7, 4))} for _ in range(2)]
    styles = {"style:1": {"a": RNG.normal(size=(5, 6, 4))}}
    alone = [distances(loss, picture, styles)["a"] for picture in pictures]
    both = tf.constant(np.stack([picture["a"] for picture in pictures]), tf.float32)
    targets = loss.join({name: represent(loss, style) for name, style in styles.items()}, {})
    together = loss.distance(loss.represent({"a": both, DRAW: seed()}), targets)
    np.testing.assert_allclose(together["a"], alone, rtol=1e-5)
