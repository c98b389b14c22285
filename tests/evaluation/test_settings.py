"""The choice of the judge's network, and the judge that is kept between runs."""

import hashlib
import shutil
from dataclasses import replace

import pytest

from nst_tf.backbones import VGG19, VGG19Lite
from nst_tf.evaluation import EvaluationConfig, Judge
from nst_tf.evaluation.judge import Scores
from nst_tf.util.errors import InputError

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy"
)  # h5py reading Keras's variables


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder as Keras's cache of weights."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "random.weights.h5"
    VGG19(weights="random", seed=3).extractor(["conv5_4"]).model.save_weights(path)
    return path


def test_without_cached_weights_the_judge_is_the_embedded_network(cache):
    assert EvaluationConfig().backbone() == VGG19Lite()
    assert EvaluationConfig(weights="embedded").backbone() == VGG19Lite()


def test_with_an_intact_file_in_keras_cache_the_judge_is_vgg19(cache, monkeypatch):
    content = b"sound weights"
    published = replace(VGG19.pretrained, checksum=f"md5:{hashlib.md5(content).hexdigest()}")
    monkeypatch.setattr(VGG19, "pretrained", published)
    (cache / published.file).write_bytes(b"torn weights")
    assert EvaluationConfig().backbone() == VGG19Lite()
    (cache / published.file).write_bytes(content)
    assert EvaluationConfig().backbone() == VGG19()
    assert EvaluationConfig(weights="embedded").backbone() == VGG19Lite()


def test_a_weights_file_is_loaded_into_vgg19_and_named_without_its_folder(weights_file):
    judge = EvaluationConfig(weights=str(weights_file)).judge()
    assert judge.name == f"vgg19, random.weights.h5 {hashlib.sha256(weights_file.read_bytes()).hexdigest()[:8]}"


def test_the_judge_is_kept_until_its_weights_change(weights_file, tmp_path):
    first = EvaluationConfig(weights="embedded").judge()
    assert first.name == "vgg19_lite, embedded"
    assert EvaluationConfig(weights="embedded", enabled=True).judge() is first
    mine = tmp_path / "mine.weights.h5"
    shutil.copy(weights_file, mine)
    judge = EvaluationConfig(weights=str(mine)).judge()
    assert EvaluationConfig(weights=str(mine)).judge() is judge
    VGG19(weights="random", seed=4).extractor(["conv5_4"]).model.save_weights(mine)
    assert EvaluationConfig(weights=str(mine)).judge() is not judge


def test_missing_weights_are_refused_when_the_evaluation_is_enabled(tmp_path):
    with pytest.raises(InputError, match=r"^evaluation\.weights=.*nowhere\.h5: Weights file .* not found"):
        EvaluationConfig(enabled=True, weights=str(tmp_path / "nowhere.h5")).check()
    with pytest.raises(InputError, match=r"^evaluation\.weights is empty"):
        EvaluationConfig(weights="")
    EvaluationConfig(weights=str(tmp_path / "nowhere.h5")).check()  # evaluation is off


def test_scores_are_printed_in_one_line_without_those_that_are_none():
    scores = Scores(0.5, None, None, 0.25, None, 0.125, "vgg19, imagenet")
    assert str(scores) == "vgg19, imagenet: content 0.5, ssim 0.25, total_variation 0.125"


def test_the_default_judge_is_vgg19_with_imagenet_weights(monkeypatch):
    monkeypatch.setattr(VGG19, "extractor", lambda self, layers: None)
    assert Judge().name == "vgg19, imagenet"
