"""The judge against its formulas on Keras's own model, its cache, and its scores without a content or a style."""

import keras
import numpy as np
import pytest

from nst_tf.backbones import VGG19, VGG19Lite
from nst_tf.evaluation import Judge
from nst_tf.evaluation.further import MEASURES
from nst_tf.evaluation.judge import MAX_REFERENCES, score_names
from nst_tf.evaluation.measures import ssim
from nst_tf.images import Picture, read_picture, resize
from nst_tf.reports.table import FURTHER_MEASURES, SCORES, best_end
from nst_tf.util.errors import InputError

STYLE = [f"block{block}_conv1" for block in range(1, 6)]


@pytest.fixture(scope="module")
def judge():
    return Judge(VGG19(weights="random"))


@pytest.fixture(scope="module")
def pair(pictures):
    return tuple(read_picture(path) for path in pictures)


def raw_features(picture):
    """Return the features of a picture by Keras layer name, (M, N) in float64."""
    extractor = VGG19(weights="random").extractor([*STYLE, "block4_conv2"])
    batch = keras.applications.vgg19.preprocess_input(255 * picture[None].astype(np.float32))
    features = extractor.model(batch)
    return {name: np.asarray(x)[0].reshape(-1, x.shape[-1]).astype(np.float64) for name, x in features.items()}


def relative_style(x, a):
    ratios = []
    for name in STYLE:
        G, A = (f[name].T @ f[name] / len(f[name]) for f in (x, a))
        ratios.append(((G - A) ** 2).mean() / (A**2).mean())
    return np.mean(ratios)


def test_scores_equal_their_formulas(judge, pair):
    content, style = pair
    picture = np.random.default_rng(0).uniform(size=(32, 40, 3)).astype(np.float32)
    scores = judge.scores(picture, content, [style])
    x, p, a = (raw_features(y) for y in (picture, content.pixels, style.pixels))
    F, P = x["block4_conv2"], p["block4_conv2"]
    assert scores.content == pytest.approx(((F - P) ** 2).mean() / (P**2).mean(), rel=1e-4)
    assert scores.style == pytest.approx(relative_style(x, a), rel=1e-3)
    assert scores.style_ratio == pytest.approx(relative_style(x, a) / relative_style(p, a), rel=1e-3)


def test_the_content_and_the_style_themselves_have_distance_0(judge, pair):
    content, style = pair
    unchanged = judge.scores(content.pixels, content, [style])
    assert unchanged.content == pytest.approx(0, abs=1e-9)
    assert unchanged.style_ratio == pytest.approx(1)
    assert judge.scores(style.pixels, content, [style]).style == pytest.approx(0, abs=1e-9)


def test_the_content_is_resized_to_the_pictures_size(judge, pair):
    content, style = pair
    small = resize(content.pixels, 16, 20)
    assert judge.scores(small, content, [style]).content == pytest.approx(0, abs=1e-9)


def test_several_styles_are_averaged_by_their_shares(judge, pair):
    content, style = pair
    alone = [judge.scores(content.pixels, content, [s]).style for s in (style, content)]
    both = judge.scores(content.pixels, content, [style, content], [0.25, 0.75]).style
    assert both == pytest.approx(0.25 * alone[0] + 0.75 * alone[1], rel=1e-6)
    colours = [judge.scores(content.pixels, content, [s]).histogram_distance for s in (style, content)]
    both = judge.scores(content.pixels, content, [style, content], [0.25, 0.75]).histogram_distance
    assert colours[1] == 0
    assert both == pytest.approx(0.25 * colours[0])


def test_scores_without_a_network_equal_their_measures(judge, pair):
    content, style = pair
    picture = np.random.default_rng(0).uniform(size=(32, 40, 3)).astype(np.float32)
    scores = judge.scores(picture, content, [style])
    assert scores.ssim == pytest.approx(ssim(picture, content.pixels), rel=1e-12)
    channels = [np.sort(np.rint(255 * x).reshape(-1, 3), axis=0) / 255 for x in (picture, style.pixels)]
    assert scores.histogram_distance == pytest.approx(np.abs(channels[0] - channels[1]).mean(), rel=1e-6)
    moves = [np.abs(np.diff(picture, axis=axis)).mean() for axis in (0, 1)]
    assert scores.total_variation == pytest.approx(sum(moves), rel=1e-6)
    assert scores.judge == "vgg19, random"


def test_scores_of_a_missing_content_or_style_are_none(judge, pair):
    content, style = pair
    picture = np.random.default_rng(0).uniform(size=(32, 40, 3)).astype(np.float32)
    whole = judge.scores(picture, content, [style])
    texture = judge.scores(picture, None, [style])
    assert (texture.content, texture.ssim, texture.style_ratio) == (None, None, None)
    assert (texture.style, texture.histogram_distance) == (whole.style, whole.histogram_distance)
    reconstruction = judge.scores(picture, content, [])
    assert (reconstruction.content, reconstruction.ssim) == (whole.content, whole.ssim)
    assert (reconstruction.style, reconstruction.style_ratio, reconstruction.histogram_distance) == (None, None, None)


def test_style_ratio_is_none_when_content_and_style_are_equal(judge, pair):
    content, _ = pair
    assert judge.scores(content.pixels, content, [content]).style_ratio is None


def test_scores_against_a_black_style_are_finite(judge, pair):
    content, _ = pair
    scores = judge.scores(content.pixels, content, [Picture(np.zeros((32, 40, 3), np.float32))])
    assert np.isfinite([scores.style, scores.style_ratio, scores.histogram_distance]).all()


def test_references_are_computed_once_for_pictures_of_one_size(pair, monkeypatch):
    content, style = pair
    judge, shapes = Judge(VGG19(weights="random")), []
    compute = judge._compiled_features
    monkeypatch.setattr(judge, "_compiled_features", lambda image: shapes.append(tuple(image.shape)) or compute(image))
    rng = np.random.default_rng(0)
    for _ in range(3):
        judge.scores(rng.uniform(size=(32, 40, 3)).astype(np.float32), content, [style])
    assert len(shapes) == 3 + 2  # three pictures, the content and the style
    shapes.clear()
    judge.scores(rng.uniform(size=(16, 20, 3)).astype(np.float32), content, [style])
    assert shapes == [(1, 16, 20, 3)] * 3
    shapes.clear()
    judge.scores(rng.uniform(size=(32, 40, 3)).astype(np.float32), content, [content])
    assert len(shapes) == 3  # another style


def test_the_cache_of_references_is_bounded_and_drops_the_least_recently_used(pair):
    content, style = pair
    judge = Judge(VGG19(weights="random"))
    rng = np.random.default_rng(0)
    first = rng.uniform(size=(16, 16, 3)).astype(np.float32)
    for width in range(16, 16 + MAX_REFERENCES + 2):
        judge.scores(rng.uniform(size=(16, width, 3)).astype(np.float32), content, [style])
        judge.scores(first, content, [style])
    shapes = [key[0] for key in judge._references]
    assert len(shapes) == MAX_REFERENCES
    assert shapes[-1] == "(16, 16)"


def test_the_embedded_network_scores_pictures_of_any_size(pair):
    content, style = pair
    judge = Judge(VGG19Lite())
    for size in ((32, 40), (35, 45)):
        unchanged = judge.scores(resize(content.pixels, *size), content, [style])
        assert unchanged.style_ratio == pytest.approx(1)
        assert unchanged.content == pytest.approx(0, abs=1e-9)


def test_a_picture_below_the_networks_minimum_size_is_refused(pair):
    content, style = pair
    with pytest.raises(
        InputError, match=r"20×16 pixels is too small for the judge vgg19_lite, embedded.*at least \d+ pixels"
    ):
        Judge(VGG19Lite()).scores(resize(content.pixels, 16, 20), content, [style])


def test_reports_have_a_column_for_every_score():
    assert set(score_names()) == {*SCORES, "total_variation"}
    assert set(FURTHER_MEASURES) == set(MEASURES)
    assert (best_end("ssim"), best_end("cfsd_vgg19_keras"), best_end("total_variation")) == ("highest", "lowest", None)
