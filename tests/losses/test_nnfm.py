"""Nearest-neighbour feature matching against a search by NumPy."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.losses import NNFMLoss, nnfm
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.terms import term_names
from nst_tf.util.errors import InputError
from nst_tf.util.nearest import nearest_cosine

RNG = np.random.default_rng(12)
LAYERS = {"a": 5, "b": 7}
X = {name: RNG.normal(size=(2, 4, 6, channels)) ** 2 for name, channels in LAYERS.items()}
STYLE = {name: RNG.normal(size=(1, 5, 7, channels)) ** 2 for name, channels in LAYERS.items()}


def tensors(arrays, dtype=tf.float32):
    return {name: tf.constant(array, dtype) for name, array in arrays.items()}


def vectors(arrays, picture, layers=LAYERS, weights=(1, 1)):
    parts = [w**0.5 * arrays[layer][picture] for layer, w in zip(layers, weights, strict=False)]
    joined = np.concatenate(parts, -1)
    return joined.reshape(-1, joined.shape[-1])


def distance(F, S, centred=False, weights=None):
    """Return mean_p min_q (1 − cos), and its gradient with the match held."""
    count, share = len(F), np.full(len(F), 1 / len(F)) if weights is None else weights / weights.sum()
    f, s = (F - F.mean(0), S - S.mean(0)) if centred else (F, S)
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (f, s))
    cosines = a @ b.T
    best = cosines.argmax(1)
    matched, similar = b[best], cosines[np.arange(count), best]
    gradient = -(matched - similar[:, None] * a) / np.linalg.norm(f, axis=1, keepdims=True) * share[:, None]
    return (share * (1 - similar)).sum(), gradient - gradient.mean(0) if centred else gradient


def evaluate(loss, x=X, style=STYLE, dtype=tf.float32):
    targets = loss.prepare(tensors(style, dtype))
    features = tensors(x, dtype)
    with tf.GradientTape() as tape:
        tape.watch(features)
        value = loss(features, targets)
    return value.numpy(), {name: g.numpy() for name, g in tape.gradient(value, features).items() if g is not None}


@pytest.mark.parametrize("centred", [False, True])
def test_joined_layers_are_matched_as_one_vector(centred):
    value, gradient = evaluate(NNFMLoss(layers=["a", "b"], centred=centred))
    for picture in range(2):
        expected, slope = distance(vectors(X, picture), vectors(STYLE, 0), centred)
        assert value[picture] == pytest.approx(expected, rel=1e-4)
        both = np.concatenate([gradient["a"][picture], gradient["b"][picture]], -1).reshape(slope.shape)
        np.testing.assert_allclose(both, slope, rtol=1e-3, atol=1e-6)


def test_layers_by_themselves_have_a_term_each():
    loss = NNFMLoss(layers=["a", "b"], layer_weights=[2.0, 3.0], matching="layers")
    terms = loss.distance(loss.represent(tensors(X)), loss.prepare(tensors(STYLE)).layers)
    assert list(terms) == list(loss.part_names) == ["a", "b"]
    for layer, weight in (("a", 2.0), ("b", 3.0)):
        expected = [weight * distance(vectors(X, n, [layer]), vectors(STYLE, 0, [layer]))[0] for n in range(2)]
        np.testing.assert_allclose(terms[layer], expected, rtol=1e-4)


def test_weights_of_joined_layers_are_factors_in_the_inner_products():
    loss = NNFMLoss(layers=["a", "b"], layer_weights=[4.0, 0.25])
    assert list(loss.part_names) == ["joined"]
    weighted = [vectors(X, n, weights=(4, 0.25)) for n in range(2)]
    expected = [distance(F, vectors(STYLE, 0, weights=(4, 0.25)))[0] for F in weighted]
    np.testing.assert_allclose(evaluate(loss)[0], expected, rtol=1e-4)


@pytest.mark.parametrize("bound", [7, 64])
def test_a_search_in_chunks_equals_the_whole_one(bound, monkeypatch):
    loss = NNFMLoss(layers=["a", "b"])
    whole, gradient = evaluate(loss)
    monkeypatch.setattr(nnfm, "nearest_cosine", functools.partial(nearest_cosine, chunk_bound_elements=bound))
    chunked, same = evaluate(loss)
    np.testing.assert_allclose(chunked, whole, rtol=1e-6)
    np.testing.assert_allclose(same["a"], gradient["a"], rtol=1e-5, atol=1e-8)


def test_the_style_itself_and_its_multiples_cost_nothing():
    value, _ = evaluate(NNFMLoss(layers=["a", "b"]), x={name: 3 * each[:, ::-1] for name, each in STYLE.items()})
    np.testing.assert_allclose(value, [0], atol=1e-6)


def test_features_of_zeros_cost_1():
    value, gradient = evaluate(NNFMLoss(layers=["a", "b"]), x={name: 0 * each for name, each in X.items()})
    np.testing.assert_allclose(value, [1, 1])
    assert np.isfinite(gradient["a"]).all()


def test_features_in_bfloat16_are_compared_in_float32():
    loss = NNFMLoss(layers=["a", "b"], layer_weights=[1.0, 2.0])
    value, gradient = evaluate(loss, dtype=tf.bfloat16)
    np.testing.assert_allclose(value, evaluate(loss)[0], rtol=0.05)
    assert value.dtype == np.float32
    assert np.isfinite(gradient["b"].astype(np.float32)).all()


def test_in_a_region_positions_of_the_style_outside_of_it_are_not_matched():
    loss = NNFMLoss(layers=["a", "b"])
    mask, style_mask = RNG.uniform(size=(4, 6)), RNG.uniform(size=(5, 7))
    planes = [{name: tf.constant(m[None, ..., None], tf.float32) for name in LAYERS} for m in (mask, style_mask)]
    value = loss.distance(loss.represent(tensors(X), planes[0]), loss.represent(tensors(STYLE), planes[1]))["joined"]
    inside = vectors(STYLE, 0)[style_mask.ravel() >= 0.5 * style_mask.max()]
    expected = [distance(vectors(X, n), inside, weights=mask.ravel())[0] for n in range(2)]
    np.testing.assert_allclose(value, expected, rtol=1e-4)


def test_joined_layers_of_different_sizes_and_blended_targets_are_refused():
    other = tensors(X) | {"b": tf.zeros([1, 2, 3, 7])}
    with pytest.raises(InputError, match=r"matching=joined: .* a 4x6, b 2x3.*matching=layers"):
        NNFMLoss(layers=["a", "b"]).represent(other)
    with pytest.raises(InputError, match=r"blend=targets: .*blend=losses"):
        NNFMLoss(layers=["a"], blend="targets")


def test_joined_layers_can_be_balanced_by_their_gradient():
    kernels = [tf.constant(RNG.normal(size=(3, 3, 3, 4)), tf.float32) for _ in range(2)]

    def extractor(image):
        return {name: tf.nn.relu(tf.nn.conv2d(image, k, 1, "SAME")) for name, k in zip("ab", kernels, strict=True)}

    start, noise, style = (tf.constant(RNG.uniform(size=(1, 6, 7, 3)), tf.float32) for _ in range(3))
    loss = NNFMLoss(layers=["a", "b"], balance="gradient")
    objective = Objective.prepare(extractor, {"style": loss}, start, [style], [1.0]).balance_gradients(start, noise)
    assert term_names({"style": loss}) == list(objective(start).terms)
    _, gradient, _ = objective.differentiate(start, lambda terms: terms["style/joined"])
    assert np.linalg.norm(gradient) == pytest.approx(1, rel=1e-4)
