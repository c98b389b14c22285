"""The judge against its formulas, written again on Keras's own model."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from nst_tf import stylize
from nst_tf.backbones import VGG19
from nst_tf.evaluation import Judge
from nst_tf.images import read_picture, resize

SCRIPT = Path(__file__).parents[1] / "scripts" / "evaluate.py"
STYLE = [f"block{block}_conv1" for block in range(1, 6)]


@pytest.fixture(scope="module")
def judge():
    return Judge(VGG19(weights="random"))


@pytest.fixture(scope="module")
def material(pictures):
    return tuple(read_picture(path) for path in pictures)


def raw_features(picture):
    """Features of a picture by Keras layer name, (M, N) in float64."""
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


def test_scores_equal_their_formulas(judge, material):
    content, style = material
    picture = np.random.default_rng(0).uniform(size=(32, 40, 3)).astype(np.float32)
    scores = judge.scores(picture, content, [style])
    x, p, a = (raw_features(y) for y in (picture, content.pixels, style.pixels))
    F, P = x["block4_conv2"], p["block4_conv2"]
    assert scores.content == pytest.approx(((F - P) ** 2).mean() / (P**2).mean(), rel=1e-4)
    assert scores.style == pytest.approx(relative_style(x, a), rel=1e-3)
    assert scores.style_ratio == pytest.approx(relative_style(x, a) / relative_style(p, a), rel=1e-3)


def test_an_untouched_photograph_and_the_painting_itself(judge, material):
    content, style = material
    untouched = judge.scores(content.pixels, content, [style])
    assert untouched.content == pytest.approx(0, abs=1e-9)
    assert untouched.style_ratio == pytest.approx(1)
    assert judge.scores(style.pixels, content, [style]).style == pytest.approx(0, abs=1e-9)


def test_a_picture_of_another_size_is_compared_at_its_own(judge, material):
    content, style = material
    small = resize(content.pixels, 16, 20)
    assert judge.scores(small, content, [style]).content == pytest.approx(0, abs=1e-9)


def test_several_paintings_count_by_their_shares(judge, material):
    content, style = material
    alone = [judge.scores(content.pixels, content, [s]).style for s in (style, content)]
    both = judge.scores(content.pixels, content, [style, content], [0.25, 0.75]).style
    assert both == pytest.approx(0.25 * alone[0] + 0.75 * alone[1], rel=1e-6)


def run(*arguments):
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_the_command_scores_run_folders_and_pictures(small_config, tmp_path, pictures):
    stylize(small_config(), tmp_path / "run")
    picture = str(tmp_path / "run" / "stylized.png")
    code, out, error = run(
        str(tmp_path / "run"), picture, "--content", pictures[0], "--style", pictures[1], "--weights", "random"
    )
    assert code == 0, error
    first, second = csv.DictReader(io.StringIO(out))
    assert first == second
    assert first["judge"] == "vgg19, random"
    assert float(first["content"]) > 0


@pytest.mark.parametrize("arguments", [["nowhere.png"], ["."], ["nowhere.png", "--content", "x", "--style", "y"]])
def test_what_cannot_be_scored_is_one_line(arguments):
    code, _, error = run(*arguments, "--weights", "random")
    assert code == 2
    assert len(error.splitlines()) == 1
    assert error.startswith("error: ")


def test_arguments_it_does_not_know_are_one_line():
    code, out, error = run("picture.png", "--bogus")
    assert (code, out, error) == (2, "", "evaluate: unrecognized arguments: --bogus\n")
