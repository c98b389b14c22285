"""ArtFID: the Fréchet distance against SciPy's matrix root, the network against Keras and PyTorch, and the set."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from nst_tf.backbones import InceptionV3
from nst_tf.evaluation import art_inception, artfid
from nst_tf.evaluation.art_inception import (
    ART_INCEPTION,
    NETWORK,
    ArtInception,
    AveragePooling,
    Convolution,
    with_short_side,
)
from nst_tf.evaluation.artfid import ArtFID, frechet_distance
from nst_tf.images import Picture
from nst_tf.util.errors import InputError
from tests.backbones.pytorch_files import pytorch_file
from tests.evaluation.conftest import random_arrays

RNG = np.random.default_rng(7)


def frechet_by_scipy(x, y, offset=0.0):
    diagonal = offset * np.eye(x.shape[1])
    a, b = (np.cov(z, rowvar=False) + diagonal for z in (x, y))
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a) + np.trace(b) - 2 * np.trace(sqrtm(a @ b)).real


@pytest.mark.parametrize(("n", "m"), [(40, 40), (25, 60), (9, 9)])
def test_the_frechet_distance_matches_scipys_matrix_root(n, m):
    x, y = RNG.normal(size=(n, 8)), RNG.normal(size=(m, 8)) * np.arange(1, 9) + 0.5
    assert frechet_distance(x, y) == pytest.approx(frechet_by_scipy(x, y), rel=1e-9)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_the_frechet_distance_of_fewer_pictures_than_features_is_the_limit_of_scipys():
    x, y = RNG.normal(size=(5, 12)), RNG.normal(size=(4, 12))
    assert frechet_distance(x, y) == pytest.approx(frechet_by_scipy(x, y, offset=1e-10), rel=1e-4)


def test_the_frechet_distance_of_one_feature_has_its_value_by_hand():
    """Means 1 and 4, deviations √2 and √8: (1 − 4)² + (√2 − √8)² = 11."""
    assert frechet_distance(np.array([[0.0], [2.0]]), np.array([[2.0], [6.0]])) == pytest.approx(11)


def test_the_network_has_the_convolutions_of_keras_inception_v3():
    keras = dict(InceptionV3().architecture().weights)
    kernels = sorted(shape for shapes in keras.values() for shape in shapes if len(shape) == 4)
    ours = [(*layer.kernel, channels, layer.filters) for layer, channels in NETWORK.convolutions(3)]
    assert sorted(ours) == kernels
    assert len(ours) == 94
    assert NETWORK.channels(3) == art_inception.FEATURES
    assert len(ART_INCEPTION.shapes) == 5 * 94


def test_average_pooling_counts_the_zeros_of_the_border():
    ones = np.ones((1, 3, 3, 1), np.float32)
    pooled = AveragePooling().apply(ones, {}).numpy()[0, ..., 0]
    np.testing.assert_allclose(pooled, np.array([[4, 6, 4], [6, 9, 6], [4, 6, 4]]) / 9, rtol=1e-6)


def test_a_convolution_contains_its_batch_normalisation():
    x = RNG.uniform(size=(1, 4, 5, 2)).astype(np.float32)
    kernel = RNG.normal(size=(1, 1, 2, 3)).astype(np.float32)
    gamma, beta, mean, variance = (RNG.uniform(0.5, 2, 3).astype(np.float32) for _ in range(4))
    names = ("c.conv.weight", *(f"c.bn.{name}" for name in art_inception.NORMALISATION))
    arrays = dict(zip(names, (kernel, gamma, beta, mean, variance), strict=True))
    weights = {"c": art_inception._with_normalisation(arrays, "c")}
    expected = gamma * (x @ kernel[0, 0] - mean) / np.sqrt(variance + 0.001) + beta
    received = Convolution("c", 3).apply(x, weights)
    np.testing.assert_allclose(received, np.maximum(expected, 0), rtol=1e-4, atol=1e-5)


def test_the_short_side_becomes_the_requested_one_in_the_pictures_proportions():
    assert with_short_side(np.zeros((10, 25, 3), np.float32), 20).shape == (20, 50, 3)
    assert with_short_side(np.zeros((31, 7, 3), np.float32), 7).shape == (31, 7, 3)


class FakeLPIPS:
    name = "lpips_fake"

    def distance(self, x, y):
        assert x.shape == y.shape
        return float(np.abs(x - y).mean())


class FakeInception:
    label = "fake"

    def __init__(self):
        self.calls = 0

    def features(self, picture):
        self.calls += 1
        return picture.mean((0, 1)).astype(np.float64)


def test_artfid_is_the_product_over_the_set_and_a_style_counts_once_for_each_picture(monkeypatch):
    monkeypatch.setattr(artfid, "SHORT_SIDE", 6)
    pictures = [RNG.uniform(size=(6, 8, 3)).astype(np.float32) for _ in range(3)]
    content = Picture(RNG.uniform(size=(6, 8, 3)).astype(np.float32))
    styles = [Picture(RNG.uniform(size=(6, 7, 3)).astype(np.float32)) for _ in range(2)]
    inception = FakeInception()
    measure = ArtFID(FakeLPIPS(), inception)
    for picture, style in zip(pictures, (styles[0], styles[1], styles[0]), strict=True):
        measure.add(picture, content, style)
    scores = measure.scores()
    x = np.stack([picture.mean((0, 1)) for picture in pictures])
    y = np.stack([styles[index].pixels.mean((0, 1)) for index in (0, 1, 0)])
    lpips = np.mean([np.abs(picture - content.pixels).mean() for picture in pictures])
    assert (scores.pictures, inception.calls) == (3, 3 + 2)
    assert scores.lpips == pytest.approx(lpips)
    assert scores.fid == pytest.approx(frechet_by_scipy(x, y, offset=1e-12), rel=1e-3)
    assert scores.artfid == pytest.approx((1 + scores.lpips) * (1 + scores.fid))
    assert (measure.lpips_name, measure.fid_name) == ("lpips_fake", "fid_fake")
    assert measure.name == "artfid_fake_lpips_fake"


def test_a_single_picture_has_no_artfid():
    measure = ArtFID(FakeLPIPS(), FakeInception())
    with pytest.raises(InputError, match=r"^ArtFID needs at least 2 pictures .*, not 0"):
        measure.scores()


def test_the_file_of_the_network_is_refused_in_one_line_where_it_is_another(lpips_files):
    with pytest.raises(InputError, match=r"^--artfid: .* has no tensor Conv2d_1a_3x3\.conv\.weight; its tensors are"):
        ArtInception(ART_INCEPTION.locate(lpips_files[0]))
    with pytest.raises(InputError, match=r"^--artfid=nowhere\.pth: there is no such file.*art_inception\.pth"):
        ART_INCEPTION.locate("nowhere.pth")


@pytest.mark.slow
def test_the_pooled_features_match_pytorch(tmp_path, monkeypatch):
    """The second network is written with PyTorch's modules, block by block, from the names in the file alone."""
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    arrays = random_arrays(ART_INCEPTION.shapes, 8)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}

    def conv(x, name, stride=1, padding=0):
        x = F.conv2d(x, tensors[f"{name}.conv.weight"], stride=stride, padding=padding)
        weight, bias, mean, variance = (tensors[f"{name}.bn.{part}"] for part in art_inception.NORMALISATION)
        return F.relu(F.batch_norm(x, mean, variance, weight, bias, eps=0.001))

    def same(x, block, *names):
        for name in names:
            height, width = tensors[f"{block}.{name}.conv.weight"].shape[2:]
            x = conv(x, f"{block}.{name}", padding=(height // 2, width // 2))
        return x

    def pooled(x, block):
        return same(F.avg_pool2d(x, 3, stride=1, padding=1), block, "branch_pool")

    def block_a(x, b):
        triple = same(x, b, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
        return torch.cat([same(x, b, "branch1x1"), same(x, b, "branch5x5_1", "branch5x5_2"), triple, pooled(x, b)], 1)

    def block_c(x, b):
        long = same(x, b, *(f"branch7x7dbl_{n}" for n in range(1, 6)))
        short = same(x, b, *(f"branch7x7_{n}" for n in range(1, 4)))
        return torch.cat([same(x, b, "branch1x1"), short, long, pooled(x, b)], 1)

    def block_e(x, b):
        y, z = same(x, b, "branch3x3_1"), same(x, b, "branch3x3dbl_1", "branch3x3dbl_2")
        parts = [*(same(y, b, f"branch3x3_2{n}") for n in "ab"), *(same(z, b, f"branch3x3dbl_3{n}") for n in "ab")]
        return torch.cat([same(x, b, "branch1x1"), *parts, pooled(x, b)], 1)

    picture = RNG.uniform(size=(112, 96, 3)).astype(np.float32)
    with torch.no_grad():
        x = torch.from_numpy(picture).permute(2, 0, 1)[None]
        x = conv(conv(conv(x, "Conv2d_1a_3x3", 2), "Conv2d_2a_3x3"), "Conv2d_2b_3x3", padding=1)
        x = F.max_pool2d(conv(conv(F.max_pool2d(x, 3, 2), "Conv2d_3b_1x1"), "Conv2d_4a_3x3"), 3, 2)
        for letter in "bcd":
            x = block_a(x, f"Mixed_5{letter}")
        long = same(x, "Mixed_6a", "branch3x3dbl_1", "branch3x3dbl_2")
        short, long = conv(x, "Mixed_6a.branch3x3", 2), conv(long, "Mixed_6a.branch3x3dbl_3", 2)
        x = torch.cat([short, long, F.max_pool2d(x, 3, 2)], 1)
        for letter in "bcde":
            x = block_c(x, f"Mixed_6{letter}")
        short = conv(same(x, "Mixed_7a", "branch3x3_1"), "Mixed_7a.branch3x3_2", 2)
        long = same(x, "Mixed_7a", *(f"branch7x7x3_{n}" for n in range(1, 4)))
        x = torch.cat([short, conv(long, "Mixed_7a.branch7x7x3_4", 2), F.max_pool2d(x, 3, 2)], 1)
        for letter in "bc":
            x = block_e(x, f"Mixed_7{letter}")
        expected = x.mean((2, 3))[0].numpy()

    path = tmp_path / "art_inception.pth"
    path.write_bytes(pytorch_file(arrays))
    monkeypatch.setattr(art_inception, "SHORT_SIDE", 96)
    network = ArtInception(ART_INCEPTION.locate(str(path)))
    assert network.label == f"art_inception_{ART_INCEPTION.locate(str(path)).sha256[:8]}"
    received = network.features(picture)
    assert received.shape == (2048,)
    assert 0 < expected.std() < np.inf
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4 * expected.std())
