"""Losses of experiments of later papers on a network of random weights, against their formulas in NumPy.

Features are F of the picture, P of the content and S of the style, ``(M, N)`` each, in float64.
"""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.config.inputs import with_pictures_read
from nst_tf.losses import DRAW
from nst_tf.losses.sliced_wasserstein import drawn_directions
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.terms import Draws, tapped_layers

BLOCKS = [f"conv{block}_1" for block in range(1, 6)]


class Case:
    """An experiment's losses in its last phase, at a picture of noise."""

    def __init__(self, composed, name, *overrides):
        inputs = ["content=sample:chelsea", "style=sample:night_swirls", "image.size=64", "backbone.weights=random"]
        config = with_pictures_read(composed(f"experiment={name}", *inputs, *overrides))
        phases = config.schedule.plan()
        self.losses = phases[-1].losses_of(config.losses)
        content = config.image.content(config.content)
        styles = config.image.styles([config.style], content)
        extractor = config.backbone.extractor(tapped_layers(self.losses))
        draws = Draws(config.seed, len(phases) - 1)
        pictures = tf.constant(content), [tf.constant(style) for style in styles]
        objective = Objective.prepare(extractor, self.losses, *pictures, [1.0], draws=draws)
        image = np.random.default_rng(5).uniform(size=content.shape).astype(np.float32)
        evaluation = objective(tf.constant(image))
        self.terms = {key: float(value[0]) for key, value in evaluation.terms.items()}
        self.total, self.gradient = float(evaluation.total[0]), evaluation.gradient.numpy()
        self.draw = draws.of(self.losses["style"]).get(DRAW)
        self.image, self.content = (each[0].astype(np.float64) for each in (image, content))
        self.F, self.P, self.S = (self._features(extractor, each) for each in (image, content, styles[0]))

    @staticmethod
    def _features(extractor, image):
        rows = {layer: x.numpy()[0].astype(np.float64) for layer, x in extractor(tf.constant(image)).items()}
        return {layer: x.reshape(-1, x.shape[-1]) for layer, x in rows.items()}


def neighbour_differences(x):
    return np.diff(x, axis=0), np.diff(x, axis=1)


def sorted_difference(F, S, theta):
    """Mean squared difference of sorted projections, and the mean square of the style's; values are repeated."""
    P, T = (np.sort(x @ theta.T, axis=0) for x in (F, S))
    resampled = T[np.arange(len(P)) * len(T) // len(P)]
    return ((P - resampled) ** 2).mean(), (T**2).mean()


def histogram_difference(F, S, bins, permutation):
    """mean (F − R(F))² of values that are sorted by their bins and matched to edges of the style's bins."""
    total = 0.0
    for f, s in zip(F.T.astype(np.float32), S.T.astype(np.float32), strict=True):
        shuffled = f[permutation]
        width = np.ptp(f) / np.float32(bins) or 1
        order = np.argsort(np.minimum((shuffled - f.min()) // width, bins - 1), kind="stable")
        target = np.sort(s)
        edge = np.ptp(s) / np.float32(bins) or 1
        target = s.min() + edge * np.minimum((target - s.min()) // edge, bins - 1)
        total += ((shuffled[order] - target[np.arange(len(f)) * len(s) // len(f)]) ** 2).mean()
    return total / F.shape[1]


def test_nnfm_has_the_loss_of_arf(composed):
    case = Case(composed, "nnfm")
    layers = ["conv3_1", "conv3_2", "conv3_3"]
    F, P, S = (np.concatenate([each[layer] for layer in layers], 1) for each in (case.F, case.P, case.S))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (F, S)]
    style = (1 - (unit[0] @ unit[1].T).max(1)).mean()
    variation = sum((d**2).mean() for d in neighbour_differences(case.image)) / 2
    assert case.terms["style/joined"] == pytest.approx(style, rel=1e-3)
    assert case.total == pytest.approx(style + 0.005 * ((F - P) ** 2).mean() + variation, rel=1e-3)


@pytest.mark.slow
def test_heitz2021_compares_projections_on_directions_of_its_last_round(composed):
    case = Case(composed, "heitz2021", "image.style_size=48")
    layers = [f"conv{s}_{n}" for s, count in ((1, 2), (2, 2), (3, 4), (4, 4)) for n in range(1, count + 1)]
    expected = []
    for number, layer in enumerate(layers):
        seed = tf.random.experimental.stateless_fold_in(case.draw, number)
        filters = case.F[layer].shape[1]
        theta = drawn_directions(filters, filters, seed, orthogonal=False).numpy().astype(np.float64)
        difference, square = sorted_difference(case.F[layer], case.S[layer], theta)
        expected.append(difference / square)
    assert [case.terms[f"style/{layer}"] for layer in layers] == pytest.approx(expected, rel=2e-3)
    assert case.total == pytest.approx(sum(expected), rel=2e-3)


@pytest.mark.slow
def test_risser2017_has_plain_gram_matrices_and_histograms_of_256_bins(composed):
    case = Case(composed, "risser2017")
    gram = [((case.F[layer].T @ case.F[layer] - case.S[layer].T @ case.S[layer]) ** 2).mean() for layer in BLOCKS]
    assert [case.terms[f"style/{layer}"] for layer in BLOCKS] == pytest.approx(gram, rel=2e-3)
    factors = [2e9, 5e8, 1e8, 3.5e7, 3.5e7]
    for layer, factor in zip(BLOCKS, factors, strict=True):
        permutation = np.random.default_rng(0).permutation(len(case.F[layer]))
        expected = factor * histogram_difference(case.F[layer], case.S[layer], 256, permutation)
        assert case.terms[f"histogram/{layer}"] == pytest.approx(expected, rel=0.01)


@pytest.mark.slow
def test_risser2017_transfer_balances_its_three_losses(composed):
    case = Case(composed, "risser2017_transfer")
    assert {name: loss.layers for name, loss in case.losses.items() if hasattr(loss, "layers")} == {
        "content": ["conv4_1"],
        "style": BLOCKS[:4],
        "histogram": ["conv1_1", "conv4_1"],
    }
    assert {loss.balance.name for loss in case.losses.values() if hasattr(loss, "balance")} == {"gradient"}


@pytest.mark.slow
def test_luan2017_adds_the_matting_loss_in_its_second_stage(composed):
    from tests.losses.test_matting import dense_laplacian

    case = Case(composed, "luan2017", "image.size=32")
    v, byte = case.image.reshape(-1, 3), 255 * case.image
    matting = np.trace(v.T @ dense_laplacian(case.content, 1e-7) @ v)
    down, right = neighbour_differences(byte)
    variation = 0.5 * (down[:, :-1] ** 2 + right[:-1] ** 2).sum()
    pairs = [(case.F[layer], case.S[layer]) for layer in BLOCKS]
    style = sum(((F.T @ F / F.size - S.T @ S / S.size) ** 2).mean() for F, S in pairs)
    content = ((case.F["conv4_2"] - case.P["conv4_2"]) ** 2).mean()
    assert case.terms["matting/raw"] == pytest.approx(matting, rel=1e-3)
    assert case.total == pytest.approx(5 * content + 100 * style + 1e4 * matting + 1e-3 * variation, rel=1e-3)
    config = composed("experiment=luan2017")
    assert [phase.losses_of(config.losses)["matting"].weight for phase in config.schedule.plan()] == [0, 1e4]
