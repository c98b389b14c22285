"""CFSD against SciPy's softmax and relative entropy, in blocks and as a whole."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import rel_entr, softmax

from nst_tf.backbones import VGG19, VGG19Lite
from nst_tf.evaluation import cfsd as module
from nst_tf.evaluation.cfsd import CFSD, cfsd
from nst_tf.evaluation.further import network_label

RNG = np.random.default_rng(3)
CONTENT, RESULT = (RNG.uniform(0, 3, (1, 5, 7, 4)).astype(np.float32) for _ in range(2))


def cfsd_by_formula(content, result, divisor):
    kernels = []
    for features in (content, result):
        F = features.reshape(-1, features.shape[-1]).astype(np.float64) / divisor
        kernels.append(softmax(F @ F.T, axis=1))
    return rel_entr(*kernels).sum()


@pytest.mark.parametrize("largest_block", [1, 70, 100, 1 << 22])
def test_cfsd_matches_scipy_in_blocks_of_any_size(largest_block):
    received = cfsd(tf.constant(CONTENT), tf.constant(RESULT), 4, largest_block)
    assert received == pytest.approx(cfsd_by_formula(CONTENT, RESULT, 4), rel=1e-5)
    assert cfsd(tf.constant(CONTENT), tf.constant(CONTENT), 4, largest_block) == 0


def test_cfsd_of_two_positions_has_its_value_by_hand():
    """The content has equal similarities, ½ and ½. The result's are ¾ and ¼, because e^(ln 3) : e^0 = 3 : 1."""
    root = np.sqrt(np.log(3))
    content, result = np.zeros((1, 1, 2, 2), np.float32), np.array([[[[root, 0], [0, root]]]], np.float32)
    expected = 2 * (0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25))
    assert cfsd(tf.constant(content), tf.constant(result), 1) == pytest.approx(expected, rel=1e-5)


def test_no_block_exceeds_the_bound_and_the_blocks_have_every_row_once(monkeypatch):
    blocks = []

    def divergence(p_rows, p, q_rows, q):
        blocks.append((len(p_rows), len(p), len(q_rows), len(q)))
        return tf.constant(1.0, tf.float64)

    monkeypatch.setattr(module, "_divergence", lambda: divergence)
    assert cfsd(tf.constant(CONTENT), tf.constant(RESULT), 4, largest_block=4 * 35 + 3) == len(blocks) == 9
    assert sum(rows for rows, *_ in blocks) == 35
    assert all(rows * columns <= 4 * 35 + 3 for rows, columns, *_ in blocks)
    assert module.LARGEST_BLOCK * 8 == 16 * 2**20  # bytes of a float64 tensor, as the documentation says


@pytest.mark.parametrize(("preprocessing", "factor"), [("caffe", 255 * np.mean([0.229, 0.224, 0.225])), ("torch", 1)])
def test_a_score_divides_the_features_of_pixels_of_0_to_255_by_57(preprocessing, factor):
    backbone = VGG19(weights="random", preprocessing=preprocessing)
    picture, content = (RNG.uniform(size=(24, 20, 3)).astype(np.float32) for _ in range(2))
    features = backbone.extractor(["conv3_1"])
    F, P = (features(tf.constant(x[None]))["conv3_1"].numpy() for x in (picture, content))
    measure = CFSD(backbone, "vgg19_random")
    assert measure.score(picture, content, [], []) == pytest.approx(cfsd_by_formula(P, F, 256 * factor), rel=1e-3)
    assert measure.score(picture, None, [], []) is None


def test_the_name_says_whose_weights_are_used(monkeypatch):
    assert network_label(VGG19Lite()) == "vgg19_lite"
    assert network_label(VGG19()) == "vgg19_keras"
    assert network_label(VGG19(weights="random")) == "vgg19_random"
    assert CFSD(VGG19(weights="random"), network_label(VGG19(weights="random"))).name == "cfsd_vgg19_random"
    for sha256, label in (("dcbb9e9d" + 56 * "0", "vgg19_torchvision"), (8 * "12345678", "vgg19_12345678")):
        monkeypatch.setattr(VGG19, "identity", lambda self, sha256=sha256: {"sha256": sha256})
        assert network_label(VGG19(weights="mine.pth")) == label
