"""The main command on a photograph, a painting and the real VGG-19, checked with Keras's own model and NumPy."""

import csv
import json

import keras
import numpy as np
import pytest

from nst_tf.backbones import VGG19
from nst_tf.evaluation import Judge
from nst_tf.images import read_picture, resize

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STYLE = [f"block{block}_conv1" for block in range(1, 6)]


def features(model, picture):
    """Return features (M, N) float64 by layer of a picture (H, W, 3) in [0, 1]."""
    batch = keras.applications.vgg19.preprocess_input(255 * picture[None])
    return {
        name: np.asarray(x)[0].reshape(-1, x.shape[-1]).astype(np.float64)
        for name, x in model.predict(batch, verbose=0).items()
    }


def test_recorded_losses_match_numpy_on_a_real_photograph(command_line, shared):
    content = str(shared / "images" / "content" / "kodak19_lighthouse.png")
    style = str(shared / "images" / "style" / "vangogh_starry_night.jpg")
    weights = str(shared / "weights" / "vgg19_notop.weights.h5")
    command_line.small = []
    code, out, error = command_line(
        f"content={content}",
        f"style={style}",
        "backbone=vgg19",
        f"backbone.weights={weights}",
        "loss=gatys",
        "weights=gatys",
        "image.size=256",
        "image.margin=0",
        "optimizer.clamp=true",
        "steps=40",
        "hydra.run.dir=run",
    )
    assert code == 0, error
    assert "completed: 40 steps" in out
    folder = command_line.folder / "run"
    assert json.loads((folder / "run.json").read_text())["status"] == "completed"
    with (folder / "metrics.csv").open() as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert rows[-1]["total"] < 0.05 * rows[0]["total"]

    vgg = keras.applications.VGG19(weights=weights, include_top=False)
    model = keras.Model(vgg.input, {name: vgg.get_layer(name).output for name in [*STYLE, "block4_conv2"]})
    x = features(model, read_picture(str(folder / "stylized.png")).pixels)
    p = features(model, resize(read_picture(content).pixels, 256, 171))
    a = features(model, resize(read_picture(style).pixels, 203, 256))
    expected_content = 0.5 * ((x["block4_conv2"] - p["block4_conv2"]) ** 2).sum()
    expected_style = np.mean(
        [((x[n].T @ x[n] / len(x[n]) - a[n].T @ a[n] / len(a[n])) ** 2).sum() / (4 * x[n].shape[1] ** 2) for n in STYLE]
    )
    # the picture was rounded to 8 bits on its way here
    assert rows[-1]["content/raw"] == pytest.approx(expected_content, rel=0.02)
    assert rows[-1]["style/raw"] == pytest.approx(expected_style, rel=0.05)


def test_default_command_needs_no_download(command_line, shared, monkeypatch):
    """The embedded network stylises a real photograph well by VGG-19's measure."""
    monkeypatch.setenv("KERAS_HOME", str(command_line.folder / "empty"))
    command_line.small = []
    content = str(shared / "images" / "content" / "kodak19_lighthouse.png")
    style = str(shared / "images" / "style" / "vangogh_starry_night.jpg")
    code, out, error = command_line(f"content={content}", f"style={style}", "image.size=256", "hydra.run.dir=run")
    assert (code, error) == (0, "")
    assert "completed: 200 steps" in out
    judge = Judge(VGG19(weights=str(shared / "weights" / "vgg19_notop.weights.h5")))
    picture = read_picture(str(command_line.folder / "run" / "stylized.png")).pixels
    scores = judge.scores(picture, read_picture(content), [read_picture(style)])
    assert scores.content < 1.0
    assert scores.style_ratio < 0.1
