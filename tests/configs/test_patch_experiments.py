"""The first losses of experiments with patches, guided sums and seams against formulas in NumPy, from raw features."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.images import SAMPLES, RegionMasks, SeamBlend
from nst_tf.losses.style_copies import StyleCopy
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.terms import tapped_layers
from tests.losses.patch_loops import cosine, matches, mean_cosine, overlapping_mean, patches

RNG = np.random.default_rng(4)
CONTENT, STYLE, IMAGE = (RNG.uniform(size=(1, 32, 40, 3)).astype(np.float32) for _ in range(3))
LEFT = np.zeros((32, 40), np.float32)
LEFT[:, :16] = 1


class FirstLosses:
    """The losses of an experiment on small pictures with random weights, and the features that they compare."""

    def __init__(self, composed, name, *overrides, regions=()):
        config = composed(f"experiment={name}", "backbone.weights=random", *overrides)
        self.config, self._extractor = config, config.backbone.extractor(tapped_layers(config.losses))
        pictures = (tf.constant(CONTENT), [tf.constant(STYLE)])
        objective = Objective.prepare(self._extractor, config.losses, *pictures, [1.0], regions)
        self.terms = {key: float(value[0]) for key, value in objective(tf.constant(IMAGE)).terms.items()}

    def features(self, picture, layer):
        """Return the features of a picture, (1, h, w, C) in float64."""
        return self._extractor(tf.constant(picture))[layer].numpy().astype(np.float64)

    def content(self):
        """Return the mean of (F − P)² at conv4_2."""
        return ((self.features(IMAGE, "conv4_2") - self.features(CONTENT, "conv4_2")) ** 2).mean()


def corner_differences(x):
    """Return Δv² + Δh² of the pixels with both neighbours, in 0..255."""
    x = 255 * x[0].astype(np.float64)
    return np.diff(x, axis=0)[:, :-1] ** 2 + np.diff(x, axis=1)[:-1] ** 2


def bank_of(first, layer, copies, stride):
    """Return the patches of all copies of the style."""
    return [q for copy in copies for q in patches(first.features(StyleCopy(*copy).of(STYLE), layer), 3, stride)]


def best_of(own, bank):
    return [bank[np.argmax([cosine(p, q) for q in bank])] for p in own]


@pytest.mark.slow
def test_cnnmrf_begins_with_the_losses_of_its_program(composed):
    first = FirstLosses(composed, "cnnmrf")
    copies = [("style:1", angle, scale) for angle in (0, 7.5, -7.5) for scale in (1, 1.05, 1 / 1.05)]
    for layer in ("conv3_1", "conv4_1"):
        F = first.features(IMAGE, layer)
        matched = best_of(patches(F, 3, 2), bank_of(first, layer, copies, 2))
        _, T = overlapping_mean(F, matched, 3, 2)
        assert first.terms[f"style/{layer}"] == pytest.approx(0.5 * ((F[0] - T) ** 2).sum(), rel=1e-3)
    assert first.terms["style"] == pytest.approx(1e-4 * first.terms["style/raw"], rel=1e-5)
    assert first.terms["content"] == pytest.approx(20 * first.content(), rel=1e-4)
    assert first.terms["total_variation"] == pytest.approx(1e-3 * 0.5 * corner_differences(IMAGE).sum(), rel=1e-4)


@pytest.mark.slow
def test_cnnmrf_as_printed_sums_over_all_patches(composed):
    options = ("loss=cnnmrf_paper", "weights=cnnmrf_paper", "losses.style.rotations=0")
    first = FirstLosses(composed, "cnnmrf", *options)
    copies = [("style:1", 0, scale) for scale in (1, 1.05, 1 / 1.05)]
    own = patches(first.features(IMAGE, "conv4_1"), 3, 1)
    matched = best_of(own, bank_of(first, "conv4_1", copies, 1))
    expected = sum(((p - q) ** 2).sum() for p, q in zip(own, matched, strict=True))
    assert first.terms["style/conv4_1"] == pytest.approx(expected, rel=1e-3)
    content = first.content() * first.features(CONTENT, "conv4_2").size
    assert first.terms["content"] == pytest.approx(content, rel=1e-4)


@pytest.mark.slow
def test_neural_doodle_begins_with_the_losses_of_its_program(composed):
    colours = np.stack([LEFT, 1 - LEFT, 0 * LEFT], -1)
    maps = {"content": colours, "style:1": colours[::-1, ::-1].copy()}
    whole = RegionMasks("", 1.0, None, dict.fromkeys(maps), maps=maps)
    first = FirstLosses(composed, "neural_doodle", regions=[whole])
    for layer, cell in {"conv3_1": 4, "conv4_1": 8}.items():
        x, style = first.features(IMAGE, layer), first.features(STYLE, layer)
        at_layer = [
            values.reshape(32 // cell, cell, 40 // cell, cell, 3).mean((1, 3))[None] for values in maps.values()
        ]
        matched = matches(x, style, similarity=mean_cosine, maps=at_layer, map_weight=10.0)
        expected = np.mean([(p - q) ** 2 for p, q in zip(patches(x), matched, strict=True)])
        assert first.terms[f"style/{layer}"] == pytest.approx(expected, rel=1e-3)
    assert first.terms["style"] == pytest.approx(25 * first.terms["style/raw"], rel=1e-5)
    assert first.terms["content"] == pytest.approx(10 * first.content(), rel=1e-4)
    assert first.terms["total_variation"] == pytest.approx((corner_differences(IMAGE) ** 1.25).mean(), rel=1e-4)


def rows_and_mask(first, picture, mask, layer, cell):
    rows = first.features(picture, layer)[0]
    T = mask.reshape(32 // cell, cell, 40 // cell, cell).mean((1, 3)).reshape(-1)
    return rows.reshape(-1, rows.shape[-1]), T / np.sqrt((T**2).mean())


@pytest.mark.parametrize("loss", [pytest.param("gatys2017", marks=pytest.mark.slow), "gatys2017_sums"])
def test_gatys2017_begins_with_the_losses_of_its_program(loss, composed):
    """Masks are 0 or 1 at conv3_1, so that T and T² weigh alike."""
    regions = [
        RegionMasks(name, 0.5, mask, {"style:1": mask[:, ::-1].copy()})
        for name, mask in {"left": LEFT, "right": 1 - LEFT}.items()
    ]
    layers = ["losses.style.layers=[conv3_1]", "losses.style.layer_weights=[1.52587890625e-5]"]
    sums = [each.replace("style", "guided_sums") for each in layers] if loss == "gatys2017_sums" else []
    first = FirstLosses(composed, "gatys2017", f"loss={loss}", *layers, *sums, regions=regions)

    def gram(picture, mask):
        f, T = rows_and_mask(first, picture, mask, "conv3_1", 4)
        return (f * (T**2)[:, None]).T @ f / len(f)

    def sum_of(picture, mask):
        f, T = rows_and_mask(first, picture, mask, "conv3_1", 4)
        return T @ f / len(f)

    masks = [np.ones_like(LEFT)] if sums else [region.content for region in regions]
    distances = [((gram(IMAGE, mask) - gram(STYLE, mask[:, ::-1])) ** 2).mean() for mask in masks]
    assert first.terms["style"] == pytest.approx(1e3 / 256**2 * np.mean(distances), rel=1e-3)
    assert first.terms["content"] == pytest.approx(first.content(), rel=1e-4)
    if sums:
        parts = [((sum_of(IMAGE, r.content) - sum_of(STYLE, r.styles["style:1"])) ** 2).mean() for r in regions]
        assert first.terms["guided_sums"] == pytest.approx(1e9 / 256**2 * np.mean(parts), rel=1e-3)


def test_castillo2017_stylises_the_whole_picture_and_cuts_along_a_seam(composed):
    config = composed("experiment=castillo2017")
    assert not config.losses["style"].in_regions
    assert (config.regions.blend, config.regions.seam, config.regions.style_of) == (SeamBlend.mrf, 16, {"cup": "none"})


def test_the_samples_of_experiments_exist(composed):
    for name in ("neural_doodle", "guided_sums", "gatys2017", "castillo2017"):
        config = composed(f"experiment={name}")
        regions = config.regions
        pictures = [config.content, config.style, regions.labels, regions.style_labels, regions.map, regions.style_map]
        assert {each.removeprefix("sample:") for each in pictures if each} <= set(SAMPLES)
