"""A pair of small TFLite models against the same formula in NumPy, and Magenta's own pair where it is available."""

import importlib.util

import numpy as np
import pytest

from nst_tf.feedforward import ForwardPass, Magenta, tflite, tflite_trial
from nst_tf.feedforward.tflite import apply_at_fixed_size, read_pair
from nst_tf.images import Canvas, read_picture, resize
from nst_tf.util.errors import InputError

pytest.importorskip("ai_edge_litert")


def picture(height, width, seed):
    return np.random.default_rng(seed).uniform(size=(1, height, width, 3)).astype(np.float32)


def network_of(folder):
    return read_pair(sorted(folder.glob("*.tflite")), threads=1)


def test_a_pair_of_fixed_size_keeps_the_contents_proportions(tflite_pair, tiny_styliser):
    network = network_of(tflite_pair(24))
    content, style = picture(12, 18, 0), picture(256, 256, 1)
    vector = network.predict(style)
    np.testing.assert_allclose(vector, tiny_styliser.predict(style), rtol=1e-3)
    small = tiny_styliser.transfer(resize(content[0], 16, 24)[None], vector)
    np.testing.assert_allclose(network.transfer(content, vector)[0], resize(small[0], 12, 18), atol=1e-4)
    assert network.size == (24, 24)


def test_a_pair_of_any_size_computes_at_the_contents_size(tflite_pair, tiny_styliser):
    network = network_of(tflite_pair(None))
    vector = network.predict(picture(256, 256, 1))
    for content in (picture(12, 18, 0), picture(40, 31, 2)):
        np.testing.assert_allclose(
            network.transfer(content, vector), tiny_styliser.transfer(content, vector), atol=1e-4
        )
    assert network.size is None


def test_a_content_is_padded_with_its_mirror_image():
    inputs = []

    def negative(x):
        inputs.append(x[0])
        return 1 - x

    content = picture(4, 8, 0)
    np.testing.assert_allclose(apply_at_fixed_size(content, (8, 8), negative), 1 - content, atol=1e-6)
    np.testing.assert_array_equal(inputs[0], np.concatenate([content[0, 1::-1], content[0], content[0, :-3:-1]]))


def test_a_narrow_content_is_mirrored_repeatedly():
    content, inputs = picture(2, 20, 0), []
    result = apply_at_fixed_size(content, (20, 20), lambda x: inputs.append(x[0]) or x)
    np.testing.assert_allclose(result, content, atol=1e-6)
    a, b = content[0]
    expected = [(a, b)[min(row % 4, 3 - row % 4)] for row in range(3, 23)]  # … b a | a b | b a a b …
    np.testing.assert_allclose(inputs[0], expected, atol=1e-6)


def test_two_models_that_are_not_a_pair_are_refused(tflite_pair):
    folder = tflite_pair(24)
    path = folder / "style_predict.tflite"
    with pytest.raises(InputError, match="must be a model from a style to a vector and a model from a content and"):
        read_pair([path, path], None)


def test_a_file_that_is_not_a_model_is_refused_in_one_line(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"no model at all")
    with pytest.raises(InputError, match=r"a\.tflite' is not a TFLite model") as error:
        read_pair([path, path], None)
    assert "\n" not in str(error.value)


def test_magentas_known_pair_is_not_tried_and_another_pair_is(shared, tflite_pair, monkeypatch):
    tried = []
    monkeypatch.setattr(tflite, "try_file", lambda program, path, subject: tried.append(path.name))
    network_of(shared / "weights" / "magenta")
    assert tried == []
    network_of(tflite_pair(24))
    assert tried == ["style_predict.tflite", "style_transfer.tflite"]


def test_a_model_that_crashes_the_interpreter_is_refused_in_one_line(tflite_pair, monkeypatch, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import os; os.abort()")
    monkeypatch.setattr(tflite_trial, "__file__", str(program))
    with pytest.raises(InputError, match=r"style_predict\.tflite' is damaged: reading it crashed \(signal 6\)"):
        network_of(tflite_pair(24))


def test_a_missing_interpreter_is_reported_with_the_command_that_installs_it(tflite_pair, monkeypatch):
    folder = tflite_pair(24)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ai_edge_litert" else find(name))
    with pytest.raises(InputError, match=r"pip install 'nst-tf\[tflite\]'$"):
        network_of(folder)


def test_magentas_pair_takes_the_styles_colours_and_keeps_the_contents_layout(shared):
    content = read_picture(str(shared / "images" / "content" / "kodak19_lighthouse.png"))
    styles = [
        read_picture(str(shared / "images" / "style" / name))
        for name in ("vangogh_starry_night.jpg", "munch_the_scream.jpg")
    ]
    network = Magenta(weights=str(shared / "weights" / "magenta")).network(threads=2)
    canvas = Canvas(size=192)
    made = {
        shares: ForwardPass(canvas, content, styles, shares).picture(network)[0]
        for shares in ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5))
    }
    photograph = canvas.content(content)[0]
    for number, shares in enumerate(((1.0, 0.0), (0.0, 1.0))):
        picture, painting = made[shares], styles[number].pixels
        distances = [np.abs(x.mean((0, 1)) - painting.mean((0, 1))).sum() for x in (picture, photograph)]
        assert distances[0] < 0.7 * distances[1]
        assert np.corrcoef(picture.mean(2).ravel(), photograph.mean(2).ravel())[0, 1] > 0.5
    between = made[0.5, 0.5]
    whole = np.abs(made[1.0, 0.0] - made[0.0, 1.0]).mean()
    assert all(np.abs(between - made[shares]).mean() < whole for shares in ((1.0, 0.0), (0.0, 1.0)))
