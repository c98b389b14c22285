"""Backward passes through a chain of segments: the same gradients, layer by layer from the last to the first."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst_tf.backbones import BACKBONES, VGG19, VGG19Lite
from nst_tf.backbones.gradients import vjp
from nst_tf.backbones.segments import Chain, choose_cuts, split_into_segments
from nst_tf.backbones.symbolic import symbolic_model

LAYERS = ["conv1_1", "conv2_1", "conv2_2", "conv3_1"]
PICTURE = tf.constant(np.random.default_rng(3).uniform(0, 1, (2, 16, 24, 3)), tf.float32)


def small_model():
    """Two resolutions; `side` reads `first` and has no consumer."""
    inputs = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(inputs)
    side = keras.layers.Conv2D(2, 1, name="side")(first)
    pool = keras.layers.MaxPooling2D(2, name="pool")(first)
    second = keras.layers.Conv2D(5, 3, padding="same", activation="relu", name="second")(pool)
    last = keras.layers.Conv2D(3, 3, padding="same", name="last")(keras.layers.ReLU(name="relu")(second))
    return keras.Model(inputs, {"first": first, "side": side, "second": second, "last": last})


def tape_gradient(function, x, factors):
    with tf.GradientTape() as tape:
        tape.watch(x)
        features = function(x)
        value = tf.add_n([factor * tf.reduce_sum(tf.sin(features[name])) for name, factor in factors.items()])
    return tape.gradient(value, x).numpy()


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("names", [["first", "side", "second", "last"], ["side"], ["first"], ["second", "side"]])
def test_the_gradient_is_that_of_the_whole_model(recompute, names):
    model = small_model()
    chain = Chain(split_into_segments(model), recompute)
    factors = {name: n + 0.5 for n, name in enumerate(names)}
    features, pull_back = chain.vjp(PICTURE)
    gradient = pull_back({name: factor * tf.cos(features[name]) for name, factor in factors.items()}.get)
    expected = tape_gradient(lambda x: model(x, training=False), PICTURE, factors)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(tape_gradient(chain, PICTURE, factors), expected, rtol=1e-5, atol=1e-5)
    assert np.abs(expected).max() > 0.01


@pytest.mark.parametrize("recompute", [False, True])
def test_layers_without_any_gradient_give_none(recompute):
    features, pull_back = Chain(split_into_segments(small_model()), recompute).vjp(PICTURE)
    assert set(features) >= {"first", "side", "second", "last"}
    assert pull_back(lambda name: None) is None


def test_layers_are_asked_for_once_from_the_last_to_the_first():
    features, pull_back = Chain(split_into_segments(small_model())).vjp(PICTURE)
    asked = []
    pull_back(lambda name: asked.append(name) or tf.ones_like(features[name]))
    assert asked[0] == "last"
    assert asked.index("second") < asked.index("first")
    assert sorted(asked) == ["first", "last", "second", "side"]


def ancestors(operation):
    """Operations that run before another one, by their inputs or by control dependencies."""
    seen, open_ = set(), [operation]
    while open_:
        for before in [*(each.op for each in open_[-1].inputs), *open_.pop().control_inputs]:
            if before.name not in seen:
                seen.add(before.name)
                open_.append(before)
    return seen


@pytest.mark.parametrize("recompute", [False, True])
def test_the_gradient_of_a_layer_is_computed_after_those_of_later_layers(recompute):
    """Without the dependency, TensorFlow would compute it as soon as the features are known."""
    chain = Chain(split_into_segments(small_model()), recompute)

    @tf.function(autograph=False)
    def run(x):
        features, pull_back = chain.vjp(x)
        return pull_back(lambda name: tf.identity(2 * features[name], name=f"of_{name}"))

    graph = run.get_concrete_function(PICTURE).graph
    of_first = ancestors(graph.get_operation_by_name("of_first"))
    assert {"of_second", "of_last"} <= of_first
    assert "of_first" not in ancestors(graph.get_operation_by_name("of_second"))


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("recompute", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_extractor_adds_up_the_gradients_of_two_names_of_one_layer(precision, recompute):
    extractor = VGG19Lite().extractor(["conv1_1", "conv2_1", "relu1_1"], precision, recompute)

    def pulled_back(**factors):
        features, pull_back = extractor.vjp(PICTURE)
        return pull_back({name: factor * tf.ones_like(features[name]) for name, factor in factors.items()}.get)

    both, one = pulled_back(conv1_1=2.0, relu1_1=3.0), pulled_back(conv1_1=5.0)
    np.testing.assert_allclose(both, one, rtol=1e-5, atol=1e-6 * np.abs(one).max())
    assert np.abs(one).max() > 0
    assert pulled_back() is None


@pytest.mark.parametrize("preprocessing", ["caffe", "torch_on_caffe"])
def test_an_extractor_goes_back_through_preprocessing_and_scale(preprocessing):
    extractor = VGG19(weights="random", preprocessing=preprocessing).extractor(LAYERS[:2])
    factors = {"conv1_1": 0.5, "conv2_1": 2.0}
    features, pull_back = extractor.vjp(PICTURE)
    gradient = pull_back({name: factor * tf.cos(features[name]) for name, factor in factors.items()}.get)
    expected = tape_gradient(extractor, PICTURE, factors)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_an_extractor_without_layers_has_no_gradient():
    features, pull_back = VGG19(weights="random").extractor([]).vjp(PICTURE)
    assert features == {}
    assert pull_back(lambda name: None) is None


def test_any_function_can_be_linearized():
    features, pull_back = vjp(lambda x: {"square": x**2, "cube": x**3}, tf.constant([2.0]))
    assert features["cube"].numpy() == [8]
    assert pull_back({"square": tf.constant([10.0]), "cube": tf.constant([1.0])}.get).numpy() == [52]  # 10·2x + 3x²


def test_vgg_is_cut_at_taps_and_at_the_pooling_of_a_resolution_without_taps():
    model = VGG19(weights="random").extractor(["conv1_1", "conv3_1", "conv5_1", "conv5_2"]).model
    segments = split_into_segments(model)
    cuts = ["block1_conv1", "block1_pool", "block3_conv1", "block3_pool", "block4_pool"]
    assert [segment.next_input for segment in segments] == [*cuts, None]
    ends = ["block5_conv1", "block5_conv2"]  # the model ends here, so there is no cut
    assert [sorted(segment.model.output) for segment in segments] == [*([cut] for cut in cuts), ends]


def test_a_network_is_not_cut_inside_a_branch():
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="first")(inputs)
    left = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="left")(x)
    right = keras.layers.MaxPooling2D(2, name="right")(x)
    joined = keras.layers.Add(name="joined")([left, right])
    last = keras.layers.Conv2D(2, 1, name="last")(joined)
    more = keras.layers.ReLU(name="more")(last)
    assert choose_cuts(keras.Model(inputs, {"more": more})) == ["first", "joined"]


def test_an_output_on_the_side_is_computed_in_one_segment():
    """The gate is the end of the network, as in squeeze-and-excitation: it reads the features and what they become."""
    inputs = keras.Input((None, None, 3))
    features = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="features")(inputs)
    pool = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pool")(features)
    weights = keras.layers.Conv2D(4, 1, activation="sigmoid", name="weights")(pool)
    gate = keras.layers.Multiply(name="gate")([features, weights])
    model = keras.Model(inputs, {"features": features, "gate": gate})
    assert choose_cuts(model) == ["features"]
    segments = split_into_segments(model)
    assert [sorted(segment.model.output) for segment in segments] == [["features"], ["gate"]]
    np.testing.assert_allclose(Chain(segments)(PICTURE)["gate"], model(PICTURE)["gate"], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v3_large", "convnext_tiny"])
def test_a_network_that_ends_at_any_of_its_layers_is_split_into_segments(name):
    whole = symbolic_model(BACKBONES[name].application)
    for operation in whole.operations[1:]:
        model = keras.Model(whole.input, {operation.name: operation.output})
        assert operation.name in split_into_segments(model)[-1].model.output
