"""Runs with method=feedforward: folder, record, picture and settings."""

import json
import logging

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nst_tf import stylize
from nst_tf.config.settings import fingerprint, flatten, read_recorded_pictures
from nst_tf.config.tree import Config, Method
from nst_tf.feedforward import Magenta
from nst_tf.images import Canvas, read_picture, resize
from nst_tf.observers import OBSERVERS, TensorBoard
from nst_tf.optimizers import SGD
from nst_tf.util.errors import InputError


@pytest.fixture
def feedforward_config(pictures, saved_model):
    def build(**changes):
        fields = {
            "content": pictures[0],
            "style": pictures[1],
            "method": "feedforward",
            "feedforward": Magenta(weights=str(saved_model)),
            "image": Canvas(size=32),
        }
        return Config(**(fields | changes))

    return build


def test_a_run_leaves_a_record_the_networks_picture_and_event_files(
    feedforward_config, tmp_path, pictures, tiny_styliser
):
    tracking = {"tensorboard": TensorBoard(every=0, pictures_every=1)}
    result = stylize(feedforward_config(tracking=tracking), tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record == result.record
    assert (record["status"], record["reason"]) == ("completed", "one forward pass")
    assert (record["steps"], record["evaluations"], record["final"]) == (1, 1, {"total": None})
    assert 0 < record["seconds"] < 60
    assert (record["height"], record["width"], record["precision"]) == (26, 32, "float32")
    assert (record["weights"]["name"], len(record["weights"]["sha256"])) == ("magenta", 64)
    assert set(record["inputs"]) == {"content", "style:1"}
    entries = {path.name.partition(".tfevents.")[0] for path in (tmp_path / "run").iterdir()}
    assert entries == {".hydra", ".lock", "run.json", "stylized.png", "events.out"}

    content, style = (read_picture(path).pixels for path in pictures)
    square = resize(style[:, 4:36], 256, 256)[None]
    vector = tiny_styliser.predict(square)
    expected = tiny_styliser.transfer(resize(content, 26, 32)[None], vector, coarse=True)[0, :26, :32]
    saved = read_picture(str(result.folder.picture)).pixels
    np.testing.assert_allclose(saved, expected, atol=0.51 / 255)

    events = EventAccumulator(str(tmp_path / "run"), size_guidance={"tensors": 0}).Reload()
    (shown,) = events.Tensors("picture")
    assert shown.step == 1
    assert not [tag for tag in events.Tags()["tensors"] if tag.startswith(("loss", "weighted", "speed"))]


def test_observers_write_neither_metrics_nor_checkpoints(feedforward_config, tmp_path):
    tracking = {name: kind(every=1) for name, kind in OBSERVERS.items()}
    stylize(feedforward_config(tracking=tracking), tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.csv").exists()
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_finished_run_is_not_repeated_after_a_change_of_optimisation_settings(feedforward_config, tmp_path):
    first = stylize(feedforward_config(), tmp_path / "run")
    stamp = first.folder.picture.stat().st_mtime_ns
    again = stylize(feedforward_config(steps=500, optimizer=SGD()), tmp_path / "run")
    assert again.reason == "already done: one forward pass"
    assert first.folder.picture.stat().st_mtime_ns == stamp


def test_other_weights_are_refused_in_the_folder_of_a_run(feedforward_config, tiny_styliser, tmp_path):
    stylize(feedforward_config(), tmp_path / "run")
    other = type(tiny_styliser)(seed=4).save(tmp_path / "other")
    with pytest.raises(InputError, match="other settings"):
        stylize(feedforward_config(feedforward=Magenta(weights=str(other))), tmp_path / "run")


def test_only_settings_that_the_method_reads_belong_to_the_run(feedforward_config):
    settings = flatten(feedforward_config())
    assert {key.partition(".")[0] for key in settings} == {
        *("content", "style", "style_weights", "style_count", "method", "name", "output"),
        *("image", "runtime", "tracking", "evaluation", "feedforward"),
    }
    assert not [key for key in settings if key.startswith("image.s") and key not in ("image.size", "image.strength")]
    assert "feedforward.weights" not in flatten(Config())
    assert fingerprint(feedforward_config(seed=1), []) == fingerprint(feedforward_config(), [])
    assert fingerprint(feedforward_config(image=Canvas(size=33)), []) != fingerprint(feedforward_config(), [])


def test_overrides_without_effect_are_logged_in_one_line(feedforward_config, tmp_path, caplog):
    typed = ["steps=300", "optimizer=sgd", "losses.style.weight=3", "image.size=32", "loss=gatys", "name=x"]
    with caplog.at_level(logging.INFO):
        stylize(feedforward_config(), tmp_path / "run", typed)
    (line,) = [line for line in caplog.messages if line.startswith("Without effect")]
    assert line == ("Without effect (method=feedforward): steps=300, optimizer=sgd, losses.style.weight=3, loss=gatys")


@pytest.mark.parametrize(("missing", "words"), [("content", "content is missing"), ("style", "style is missing")])
def test_a_missing_content_or_style_is_refused(missing, words, feedforward_config, tmp_path):
    with pytest.raises(InputError, match=words):
        stylize(feedforward_config(**{missing: None}), tmp_path / "run")


def test_a_network_out_of_memory_names_the_remedy_and_leaves_no_record(feedforward_config, tmp_path, monkeypatch):
    def raise_memory_error(self, network):
        raise MemoryError

    monkeypatch.setattr("nst_tf.feedforward.ForwardPass.picture", raise_memory_error)
    with pytest.raises(InputError, match=r"^feedforward\.weights: out of memory: choose a smaller image\.size"):
        stylize(feedforward_config(), tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()


def test_the_result_has_the_contents_transparency(feedforward_config, tmp_path):
    pixels = np.full((32, 32, 4), 200, np.uint8)
    pixels[:, :16, 3], pixels[:, 16:, 3] = 0, 255
    Image.fromarray(pixels).save(tmp_path / "content.png")
    result = stylize(feedforward_config(content=str(tmp_path / "content.png")), tmp_path / "run")
    alpha = read_picture(str(result.folder.picture)).alpha
    np.testing.assert_array_equal(alpha[:, [0, -1]], [[0, 1]] * 32)


def test_style_count_takes_the_first_styles_and_their_shares(feedforward_config, pictures, tmp_path):
    styles = [pictures[1], pictures[0], "sample:grass"]
    config = feedforward_config(style=styles, style_weights=[0.5, 0.3, 0.2], style_count=2)
    assert config.shares == pytest.approx([0.625, 0.375])
    assert config.styles == styles[:2]
    record = stylize(config, tmp_path / "run").record
    assert set(record["inputs"]) == {"content", "style:1", "style:2"}
    assert read_recorded_pictures(tmp_path / "run" / ".hydra" / "config.yaml").styles == styles[:2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"style_count": 2}, "style_count=2: style names 1"),
        ({"style_count": 0}, "style_count=0: must be at least 1"),
        ({"style": ["a", "b"], "style_weights": [0, 1], "style_count": 1}, "not all 0"),
        ({"method": "magic"}, "method='magic': must be one of optimize, feedforward"),
    ],
)
def test_unusable_settings_are_refused(changes, words, feedforward_config):
    with pytest.raises(InputError, match=words):
        feedforward_config(**changes)


def test_the_default_method_is_optimize():
    assert Config().method is Method.optimize
