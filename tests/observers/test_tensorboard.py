"""TensorBoard's files, read back through its own event API."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.util import tensor_util

from nst_tf import stylize
from nst_tf.images import read_picture, to_bytes
from nst_tf.observers import Metrics, Snapshots, TensorBoard
from nst_tf.optimizers import SGD
from nst_tf.runs.events import Finished, Iterate, Progressed, Started
from nst_tf.runs.folder import RunFolder

COLUMNS = ["content", "content/raw", "content/conv"]


def iterate(step):
    """A step of a run of ten."""
    terms = dict.fromkeys(COLUMNS, 1.0 / (step + 1))
    picture = np.full((16, 20, 3), step / 10, np.float32)
    return Iterate(step, 10, step + 1, 0.5 * step, 1.0 / (step + 1), 1.0, terms, lambda: picture, dict)


def events(folder):
    accumulator = EventAccumulator(str(folder / "tensorboard"), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def series(accumulator, tag):
    return [(event.step, float(tensor_util.make_ndarray(event.tensor_proto))) for event in accumulator.Tensors(tag)]


@pytest.fixture(scope="module")
def run(tmp_path_factory, pictures):
    """One run of six steps, looked at every second; pictures every third."""
    from nst_tf import Config
    from nst_tf.backbones import VGG19
    from nst_tf.images import Canvas
    from nst_tf.losses import ContentLoss, GramLoss

    folder = tmp_path_factory.mktemp("tensorboard") / "run"
    config = Config(
        content=pictures[0],
        style=pictures[1],
        steps=6,
        backbone=VGG19(weights="random"),
        losses={
            "content": ContentLoss(layers=["conv1_1"]),
            "style": GramLoss(layers=["conv1_1", "conv2_1"], weight=10.0, diagnostics=True),
        },
        image=Canvas(size=32),
        tracking={
            "metrics": Metrics(every=2),
            "tensorboard": TensorBoard(every=2, pictures_every=3),
            "snapshots": Snapshots(every=3),
        },
    )
    return stylize(config, folder), events(folder)


TAGS = {
    "loss/total": "total",
    "weighted/content": "content",
    "raw/content": "content/raw",
    "layers/content/conv1_1": "content/conv1_1",
    "weighted/style": "style",
    "raw/style": "style/raw",
    "layers/style/conv1_1": "style/conv1_1",
    "layers/style/conv2_1": "style/conv2_1",
    "entropy/style/conv1_1": "style/conv1_1/entropy",
    "peak/style/conv2_1": "style/conv2_1/peak",
}


def test_scalars_are_those_of_metrics_csv(run):
    result, accumulator = run
    with result.folder.metrics.open() as file:
        table = list(csv.DictReader(file))
    for tag, column in TAGS.items():
        expected = [(int(row["step"]), np.float32(row[column])) for row in table]
        assert series(accumulator, tag) == expected, tag


def test_gradient_norm_and_speed_are_there_at_every_look(run):
    _, accumulator = run
    for tag in ("gradient/norm", "speed/evaluations_per_second"):
        assert [step for step, _ in series(accumulator, tag)] == [0, 2, 4, 6]
    assert all(value > 0 for _, value in series(accumulator, "gradient/norm"))


def test_pictures_are_the_snapshots(run):
    result, accumulator = run
    images = accumulator.Tensors("picture")
    assert [event.step for event in images] == [0, 3, 6]
    for event in images:
        encoded = tensor_util.make_ndarray(event.tensor_proto)[2]
        shown = np.asarray(Image.open(io.BytesIO(encoded)))
        saved = to_bytes(read_picture(str(result.folder.snapshot(event.step))).pixels)
        assert np.abs(shown.astype(int) - saved).max() <= 1


def test_the_config_is_there_as_text(run):
    result, accumulator = run
    text = tensor_util.make_ndarray(accumulator.Tensors("config")[0].tensor_proto).item().decode()
    assert result.folder.config.read_text().strip() in text


def test_the_layout_draws_the_terms_and_each_losss_layers(run):
    _, accumulator = run
    proto = tensor_util.make_ndarray(accumulator.Tensors("custom_scalars__config__")[0].tensor_proto).item()
    layout = layout_pb2.Layout.FromString(proto)
    charts = {chart.title: list(chart.multiline.tag) for chart in layout.category[0].chart}
    assert charts == {
        "total and weighted terms": ["loss/total", "weighted/content", "weighted/style"],
        "content, layer by layer": ["layers/content/conv1_1"],
        "style, layer by layer": ["layers/style/conv1_1", "layers/style/conv2_1"],
    }
    tags = accumulator.Tags()["tensors"]
    assert all(tag in tags for chart in charts.values() for tag in chart)


def hparams(accumulator, tag):
    content = accumulator.SummaryMetadata(tag).plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


def test_hparams_hold_the_settings_and_the_end(run):
    _, accumulator = run
    values = hparams(accumulator, "_hparams_/session_start_info").session_start_info.hparams
    assert values["losses.style.weight"].number_value == 10.0
    assert values["backbone.weights"].string_value == "random"
    assert values["optimizer.clamp"].bool_value is True
    assert values["losses.style.layers"].string_value == "[conv1_1,conv2_1]"
    end = hparams(accumulator, "_hparams_/session_end_info").session_end_info
    assert end.status == api_pb2.STATUS_SUCCESS


def test_a_diverged_run_ends_as_a_failure(small_config, tmp_path):
    result = stylize(small_config(optimizer=SGD(learning_rate=1.0)), tmp_path / "run")
    assert result.status == "diverged"
    end = hparams(events(tmp_path / "run"), "_hparams_/session_end_info").session_end_info
    assert end.status == api_pb2.STATUS_FAILURE


def test_a_run_begun_anew_shows_nothing_of_the_last_one(tmp_path):
    """Killed before its first checkpoint: the second life begins at step 0."""
    start = Started(RunFolder(tmp_path), 10, None, COLUMNS, "steps: 10", {"steps": 10})
    for last in (7, 3):
        observer = TensorBoard(every=1, pictures_every=0)
        observer.notify(start)
        for step in range(last):
            observer.notify(Progressed(iterate(step)))
    accumulator = events(tmp_path)
    assert [step for step, _ in series(accumulator, "loss/total")] == [0, 1, 2]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_a_continued_run_shows_one_life(tmp_path):
    """Killed at step 8 in the middle of a record, continued from the checkpoint of step 5."""
    folder, observer = RunFolder(tmp_path), TensorBoard(every=1, pictures_every=4)
    start = Started(folder, 10, None, COLUMNS, "steps: 10", {"steps": 10})
    observer.notify(start)
    for step in range(9):
        observer.notify(Progressed(iterate(step)))
    observer.notify(Finished("interrupted", "asked to stop", iterate(8)))
    (path,) = folder.tensorboard.iterdir()
    path.write_bytes(path.read_bytes()[:-7])

    observer = TensorBoard(every=1, pictures_every=4)
    observer.notify(replace(start, resumed_at=5))
    for step in range(6, 11):
        observer.notify(Progressed(iterate(step)))
    observer.notify(Finished("completed", "10 steps", iterate(10)))
    accumulator = events(tmp_path)
    assert [step for step, _ in series(accumulator, "loss/total")] == list(range(11))
    assert [event.step for event in accumulator.Tensors("picture")] == [0, 4, 8, 10]
    end = hparams(accumulator, "_hparams_/session_end_info").session_end_info
    assert end.status == api_pb2.STATUS_SUCCESS
