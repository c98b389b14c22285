"""Smoothed features, their entropy and peak, and balanced layers: by hand, against NumPy, and in the objective."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf import losses
from nst_tf.losses import Balance, Blend, ContentLoss, GramLoss, LayerLoss, Smoothing
from nst_tf.losses.smoothing import entropy, largest_activation, peak, spatial_softmax
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.references import extract_features
from nst_tf.optimization.terms import term_names
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(5)
CONTENT, IMAGE, ONE, TWO = (tf.constant(RNG.uniform(size=(1, 6, 8, 3)).astype(np.float32)) for _ in range(4))
KERNEL = tf.constant(RNG.normal(size=(3, 3, 3, 4)).astype(np.float32))
KINDS = [kind for kind in losses.LOSSES.values() if issubclass(kind, LayerLoss)]


def extractor(image):
    """One convolution under two names, the second a hundred times the first."""
    features = tf.nn.relu(tf.nn.conv2d(image, KERNEL, 1, "SAME"))
    return {"a": features, "b": 100 * features}


def conv(features):
    """Return features of one layer, together with a picture."""
    return {"conv": features, "image": IMAGE}


def numpy_softmax(x, temperature):
    """Compute HWC · softmax of one picture, in float64."""
    raised = np.exp(x.astype(np.float64) / temperature)
    return x.size * raised / raised.sum()


def test_the_softmax_sums_over_positions_and_channels_together():
    logs = np.log([[[1.0, 2.0]], [[3.0, 4.0]]])  # two positions, two channels: a whole of 10
    x = tf.constant(2.0 * logs[None], tf.float32)
    np.testing.assert_allclose(spatial_softmax(x, tf.constant([2.0])), [[[[0.4, 0.8]], [[1.2, 1.6]]]], rtol=1e-5)


def test_the_softmax_equals_numpys_for_each_picture_also_for_large_activations():
    x = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)
    expected = [numpy_softmax(x[0], 0.5), numpy_softmax(x[1], 2.0)]
    np.testing.assert_allclose(spatial_softmax(tf.constant(x), tf.constant([0.5, 2.0])), expected, rtol=1e-4)
    large = spatial_softmax(tf.constant(x + 1e4), tf.constant([0.5]))  # e^20000, which cancels
    np.testing.assert_allclose(large[0], expected[0], rtol=2e-2)


def test_entropy_and_peak_equal_numbers_computed_by_hand():
    even, single = tf.fill([1, 2, 2, 2], 3.0), tf.reshape(tf.one_hot([5], 8), [1, 2, 2, 2])
    both = tf.concat([even, single, -2.0 * single, tf.zeros([1, 2, 2, 2])], 0)
    np.testing.assert_allclose(entropy(both), [1, 0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(peak(both), [1, 8, 8, 1], rtol=1e-6)
    x = tf.constant([1.0, 1.0, 2.0, 0.0], shape=(1, 2, 2, 1))  # shares ¼, ¼, ½: 1.5 bits of 2
    np.testing.assert_allclose(entropy(x), [0.75], rtol=1e-6)
    np.testing.assert_allclose(peak(x), [2.0])


def test_entropy_grows_with_the_temperature():
    x = tf.constant(RNG.normal(size=(1, 4, 4, 8)) ** 4, tf.float32)
    values = [float(entropy(spatial_softmax(x, tf.constant([t])))[0]) for t in (0.3, 1.0, 3.0, 100.0)]
    assert values == sorted(values)
    assert values[0] < 0.1 < 0.99 < values[-1]


def test_the_largest_activation_is_an_absolute_value_and_1_for_a_picture_of_zeros():
    x = np.zeros((3, 2, 2, 2), np.float32)
    x[0, 0, 1, 0], x[0, 1, 1, 1], x[1, 0, 0, 1] = -5, 4, 3
    np.testing.assert_array_equal(largest_activation(tf.constant(x)), [5.0, 3.0, 1.0])


def test_the_ratio_of_smoothed_activations_is_at_most_e_to_the_inverse_temperature():
    x = tf.constant(RNG.uniform(size=(1, 4, 4, 8)) ** 9, tf.float32)
    seen = spatial_softmax(x, 0.5 * largest_activation(x)).numpy()
    assert 0.9 * np.exp(2) < seen.max() / seen.min() <= np.exp(2) * 1.0001


def test_content_is_compared_after_a_softmax_with_the_temperature_of_the_target():
    x, target = (RNG.normal(size=(1, 3, 4, 5)).astype(np.float32) for _ in range(2))
    loss = ContentLoss(layers=["conv"], reduction="sum", smoothing="softmax", temperature=0.7)
    value = loss(conv(tf.constant(x)), loss.prepare(conv(tf.constant(target))))
    T = 0.7 * np.abs(target).max()
    np.testing.assert_allclose(value, [((numpy_softmax(x, T) - numpy_softmax(target, T)) ** 2).sum()], rtol=1e-4)


def test_gram_matrices_are_computed_from_smoothed_features():
    x, target = (RNG.normal(size=(1, 3, 4, 5)).astype(np.float32) for _ in range(2))
    loss = GramLoss(layers=["conv"], reduction="sum", smoothing="softmax")
    value = loss(conv(tf.constant(x)), loss.prepare(conv(tf.constant(target))))
    F, P = (numpy_softmax(each, np.abs(target).max()).reshape(12, 5) for each in (x, target))
    np.testing.assert_allclose(value, [((F.T @ F - P.T @ P) ** 2).sum()], rtol=1e-4)


def test_the_softmax_makes_a_tiled_style_the_same_style():
    x = tf.constant(RNG.normal(size=(1, 3, 4, 5)), tf.float32)
    loss = GramLoss(layers=["conv"], smoothing="softmax")
    np.testing.assert_allclose(loss(conv(x), loss.prepare(conv(tf.tile(x, [1, 2, 3, 1])))), [0.0], atol=1e-8)


def test_scale_multiplies_a_loss_and_does_not_change_a_relative_one():
    x, target = (conv(tf.constant(RNG.normal(size=(1, 3, 4, 5)), tf.float32)) for _ in range(2))

    def value(kind, **settings):
        loss = kind(layers=["conv"], **settings)
        return float(loss(x, loss.prepare(target))[0])

    for kind, power in ((ContentLoss, 2), (GramLoss, 4)):
        scaled, plain = (value(kind, smoothing=smoothing, factor=0.1) for smoothing in ("scale", "none"))
        assert scaled == pytest.approx(0.1**power * plain, rel=1e-4)
        relative = [value(kind, smoothing=smoothing, reduction="relative") for smoothing in ("scale", "none")]
        assert relative[0] == pytest.approx(relative[1], rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_every_loss_over_layers_smooths_features_of_every_precision(kind, dtype):
    x, target = (tf.constant(RNG.normal(size=(2, 3, 4, 5)), dtype) for _ in range(2))
    loss = kind(layers=["conv"], smoothing="softmax", reduction="relative")
    plain = kind(layers=["conv"], reduction="relative")
    same = (
        conv(spatial_softmax(x, largest_activation(target))),
        conv(spatial_softmax(target, largest_activation(target))),
    )
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(conv(x), loss.prepare(conv(target)))
    np.testing.assert_allclose(value, plain(same[0], plain.prepare(same[1])), rtol=1e-4)
    assert value.dtype == tf.float32
    gradient = tape.gradient(value, x)
    assert gradient.dtype == x.dtype
    assert (np.abs(tf.cast(gradient, tf.float32)) > 0).mean() > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_through_the_softmax_equals_a_central_difference(kind):
    x, target = (tf.constant(RNG.normal(size=(1, 3, 4, 5)), tf.float32) for _ in range(2))
    loss = kind(layers=["conv"], smoothing="softmax", reduction="relative")
    targets = loss.prepare(conv(target))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(conv(x), targets)
    gradient = tape.gradient(value, x)
    step = 1e-2 * gradient / tf.norm(gradient)
    ahead, behind = (float(loss(conv(x + sign * step), targets)[0]) for sign in (1, -1))
    assert (ahead - behind) / 2e-2 == pytest.approx(float(tf.norm(gradient)), rel=2e-2)


def objective(styles=(ONE,), shares=(1.0,), **settings):
    style = GramLoss(layers=["a", "b"], reduction="relative", **settings)
    return Objective.prepare(extractor, {"style": style}, CONTENT, styles, shares)


def test_an_objective_smooths_as_its_loss_does():
    loss = GramLoss(layers=["a", "b"], reduction="relative", smoothing="softmax")
    expected = loss(extract_features(extractor, IMAGE), loss.prepare(extract_features(extractor, ONE)))
    np.testing.assert_allclose(objective(smoothing="softmax")(IMAGE).total, expected, rtol=1e-5)
    both = objective(smoothing="softmax")(tf.concat([IMAGE, TWO], 0))
    np.testing.assert_allclose(both.total[:1], expected, rtol=1e-5)


@pytest.mark.parametrize("blend", Blend)
def test_several_styles_share_the_mean_of_their_temperatures(blend):
    total = objective((ONE, TWO), (0.25, 0.75), smoothing="softmax", blend=blend)(IMAGE).total
    tops = [extractor(style)["a"].numpy().max() for style in (ONE, TWO)]
    T = 0.25 * tops[0] + 0.75 * tops[1]

    def numpy_gram(image):
        F = numpy_softmax(extractor(image)["a"].numpy(), T).reshape(-1, 4)
        return F.T @ F

    G, A, B = (numpy_gram(image) for image in (IMAGE, ONE, TWO))
    distance = {
        Blend.losses: 0.25 * ((G - A) ** 2).sum() / (A**2).sum() + 0.75 * ((G - B) ** 2).sum() / (B**2).sum(),
        Blend.targets: ((G - 0.25 * A - 0.75 * B) ** 2).sum() / ((0.25 * A + 0.75 * B) ** 2).sum(),
    }
    np.testing.assert_allclose(total, [2 * distance[blend]], rtol=1e-3)  # b has the features of a in other units


@pytest.mark.parametrize("smoothing", Smoothing)
def test_diagnostics_are_entropy_and_peak_of_the_smoothed_features(smoothing):
    evaluation = objective(smoothing=smoothing, diagnostics=True, temperature=0.5)(IMAGE)
    terms = evaluation.terms
    settings = {"layers": ["a", "b"], "reduction": "relative", "diagnostics": True}
    assert list(terms) == term_names({"style": GramLoss(**settings)})
    x = extractor(IMAGE)["a"].numpy()
    seen = numpy_softmax(x, 0.5 * extractor(ONE)["a"].numpy().max()) if smoothing is Smoothing.softmax else x
    p = seen[seen > 0] / seen.sum()
    for layer in "ab":
        assert float(terms[f"style/{layer}/entropy"][0]) == pytest.approx(-(p * np.log(p)).sum() / np.log(x.size), 1e-3)
        assert float(terms[f"style/{layer}/peak"][0]) == pytest.approx(seen.max() / seen.mean(), rel=1e-3)
    without = objective(smoothing=smoothing, temperature=0.5)(IMAGE)
    np.testing.assert_array_equal(without.total, evaluation.total)
    assert set(terms) - set(without.terms) == {
        f"style/{layer}/{name}" for layer in "ab" for name in ("entropy", "peak")
    }


def gradient_norms(objective, names):
    """Return the norm of each term's pixel gradient at `IMAGE`."""
    norms = {}
    for name in names:
        with tf.GradientTape() as tape:
            tape.watch(IMAGE)
            value = objective.values(IMAGE)[1][name]
        norms[name] = float(tf.norm(tape.gradient(value, IMAGE)))
    return norms


def test_balanced_layers_have_gradients_as_long_as_their_weights_at_the_start():
    settings = {"layers": ["a", "b"], "reduction": "sum", "layer_weights": [1.0, 3.0]}
    names = ["style/a", "style/b", "content/b"]
    prepared = {
        balance: Objective.prepare(
            extractor,
            {"style": GramLoss(**settings, balance=balance), "content": ContentLoss(layers=["b"], balance=balance)},
            CONTENT,
            [ONE],
            [1.0],
        )
        for balance in ("none", "gradient")
    }
    raw = gradient_norms(prepared["none"], names)
    assert raw["style/b"] / raw["style/a"] == pytest.approx(3 * 100**4, rel=1e-3)
    balanced = gradient_norms(prepared["gradient"].balance_gradients(IMAGE, TWO), names)
    assert balanced == pytest.approx({"style/a": 1.0, "style/b": 3.0, "content/b": 1.0}, rel=1e-4)
    direction = [prepared["gradient"].balance_gradients(IMAGE, TWO)(IMAGE).gradient, prepared["none"](IMAGE).gradient]
    assert not np.allclose(direction[0] / tf.norm(direction[0]), direction[1] / tf.norm(direction[1]), atol=1e-3)


def test_a_layer_at_its_target_is_balanced_at_noise_and_one_without_gradient_is_left_alone():
    loss = {"content": ContentLoss(layers=["a"], balance="gradient")}
    at_content = Objective.prepare(extractor, loss, CONTENT, [], []).balance_gradients(CONTENT, IMAGE)
    assert gradient_norms(at_content, ["content/a"])["content/a"] == pytest.approx(1.0, rel=1e-4)
    flat = Objective.prepare(lambda image: {"a": 0 * image}, loss, CONTENT, [], []).balance_gradients(CONTENT, IMAGE)
    assert float(flat(IMAGE).total[0]) == 0.0


def test_balance_is_computed_for_each_picture_of_a_batch():
    loss = {"style": GramLoss(layers=["a", "b"], balance="gradient", over_layers="mean")}
    prepared = Objective.prepare(extractor, loss, CONTENT, [ONE], [1.0])
    both = prepared.balance_gradients(tf.concat([IMAGE, CONTENT], 0), tf.concat([TWO, TWO], 0))
    alone = prepared.balance_gradients(CONTENT, TWO)
    np.testing.assert_allclose(both(tf.concat([IMAGE, TWO], 0)).total[1], alone(TWO).total[0], rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_balance_target_is_the_relative_reduction(kind):
    by_target, relative = kind(layers=["a"], balance=Balance.target), kind(layers=["a"], reduction="relative")
    assert by_target.reduction is relative.reduction
    values = [
        loss(extract_features(extractor, IMAGE), loss.prepare(extract_features(extractor, ONE)))
        for loss in (by_target, relative)
    ]
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"smoothing": "sofmax"}, ["smoothing='sofmax'", "softmax"]),
        ({"balance": "slope"}, ["balance='slope'", "gradient"]),
        ({"temperature": 0}, ["temperature=0", "above 0"]),
        ({"factor": -1}, ["factor=-1", "above 0"]),
    ],
)
def test_invalid_settings_are_refused_in_one_line(settings, words):
    with pytest.raises(InputError) as error:
        GramLoss(layers=["a"], **settings)
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)
