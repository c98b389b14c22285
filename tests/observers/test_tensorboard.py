"""The event files of TensorBoard, read through its own readers."""

import csv
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams.metadata import EXPERIMENT_TAG
from tensorboard.util import tensor_util

from nst_tf import stylize
from nst_tf.images import read_picture, to_bytes
from nst_tf.losses import GramLoss
from nst_tf.observers import Metrics, Snapshots, TensorBoard
from nst_tf.observers.hparams_table import update_hparams_config, write_hparams_config, write_scores
from nst_tf.observers.tags import DIAGNOSTICS, scalar_tag
from nst_tf.optimizers import SGD
from nst_tf.runs.events import Finished, Started


def events(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def series(accumulator, tag):
    return [(event.step, float(tensor_util.make_ndarray(event.tensor_proto))) for event in accumulator.Tensors(tag)]


@pytest.fixture(scope="module")
def run(tmp_path_factory, pictures):
    """A run of six steps, with scalars at every second and pictures at every third."""
    from nst_tf import Config
    from nst_tf.backbones import VGG19
    from nst_tf.images import Canvas
    from nst_tf.losses import ContentLoss

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


def test_scalars_equal_the_columns_of_metrics_csv(run):
    result, accumulator = run
    with result.folder.metrics.open() as file:
        table = list(csv.DictReader(file))
    for tag, column in TAGS.items():
        expected = [(int(row["step"]), np.float32(row[column])) for row in table]
        assert series(accumulator, tag) == expected, tag


def test_gradient_norm_and_speed_are_written_every_second_step(run):
    _, accumulator = run
    for tag in ("gradient/norm", "speed/evaluations_per_second"):
        assert [step for step, _ in series(accumulator, tag)] == [0, 2, 4, 6]
    assert all(value > 0 for _, value in series(accumulator, "gradient/norm"))


def shown_pixels(event):
    encoded = tensor_util.make_ndarray(event.tensor_proto)[2]
    return np.asarray(Image.open(io.BytesIO(encoded)))


def test_images_equal_the_snapshots(run):
    result, accumulator = run
    images = {event.step: event for event in accumulator.Tensors("picture")}
    for event in (images[step] for step in (0, 3, 6)):
        shown = shown_pixels(event)
        saved = to_bytes(read_picture(str(result.folder.snapshot(event.step))).pixels)
        assert np.abs(shown.astype(int) - saved).max() <= 1


def test_the_content_and_the_style_are_shown_beside_the_picture(run, pictures):
    _, accumulator = run
    for name, path in zip(("content", "style"), pictures, strict=True):
        (event,) = accumulator.Tensors(f"picture/{name}")
        assert event.step == 0
        np.testing.assert_array_equal(shown_pixels(event), to_bytes(read_picture(path).pixels))


def test_a_large_input_is_shown_at_a_reduced_size(hand_made_run):
    large = np.tile(np.linspace(0, 1, 2200, dtype=np.float32)[None, :, None], (1400, 1, 3))
    event = Started(hand_made_run.folder, 10, None, ["content"], "", {}, inputs=lambda: {"style_2": large})
    TensorBoard().start(event)
    shown = shown_pixels(events(hand_made_run.path).Tensors("picture/style_2")[0])
    assert shown.shape == (326, 512, 3)
    np.testing.assert_allclose(shown[100, :, 1], 255 * np.linspace(0, 1, 512), atol=2)


@pytest.mark.parametrize(("allowed", "last"), [(4, 4), (5, 5), (7, 7), (399, 399), (500, 500), (500, 50), (5000, 80)])
def test_a_run_of_any_length_has_at_least_five_images(allowed, last, hand_made_run):
    """The second number is the step at which the run ends, perhaps before the steps that it may take."""
    settings = TensorBoard()
    observer = settings.start(Started(hand_made_run.folder, allowed, None, ["content"], "", {}))
    periods = settings.periods(allowed)
    for step in range(last + 1):
        if step == allowed or any(step % period == 0 for period in periods):
            observer.progressed(dataclasses.replace(hand_made_run.iterate(step), steps=allowed))
    observer.finished(Finished("converged", "because", dataclasses.replace(hand_made_run.iterate(last), steps=allowed)))
    shown = steps(events(hand_made_run.path), "picture")
    assert len(shown) >= 5
    assert shown == sorted(set(shown))
    assert (shown[0], shown[-1]) == (0, last)
    assert len(shown) <= last // min(100, max(1, allowed // 4)) + 2 + np.log2(max(1, last))


def test_pictures_every_0_writes_no_images(hand_made_run):
    hand_made_run.run(TensorBoard(every=1, pictures_every=0))
    assert "picture" not in events(hand_made_run.path).Tags()["tensors"]


def test_the_config_is_written_as_text(run):
    result, accumulator = run
    text = tensor_util.make_ndarray(accumulator.Tensors("config")[0].tensor_proto).item().decode()
    assert result.folder.config.read_text().strip() in text


def test_the_layout_has_a_chart_of_weighted_losses_and_one_of_layers_per_loss(run):
    """A chart has few lines of each run; the layers of a loss are one line in a band."""
    _, accumulator = run
    proto = tensor_util.make_ndarray(accumulator.Tensors("custom_scalars__config__")[0].tensor_proto).item()
    layout = layout_pb2.Layout.FromString(proto)
    charts = {chart.title: list(chart.multiline.tag) for chart in layout.category[0].chart}
    (band,) = layout.category[0].chart[2].margin.series
    charts["style: mean and range of 2 layers"] = [band.value, band.lower, band.upper]
    assert charts == {
        "total and weighted terms": ["loss/total", "weighted/content", "weighted/style"],
        "content: one layer": ["layers/content/conv1_1"],
        "style: mean and range of 2 layers": [f"layer_range/style/{name}" for name in ("mean", "lowest", "highest")],
    }
    tags = accumulator.Tags()["tensors"]
    assert all(tag in tags for chart in charts.values() for tag in chart)


def test_the_range_of_layers_is_their_mean_lowest_and_highest_value(run):
    _, accumulator = run
    layers = np.array([series(accumulator, f"layers/style/{layer}") for layer in ("conv1_1", "conv2_1")])[..., 1]
    for name, expected in {"mean": layers.mean(0), "lowest": layers.min(0), "highest": layers.max(0)}.items():
        values = [value for _, value in series(accumulator, f"layer_range/style/{name}")]
        np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert "layer_range/content/mean" not in accumulator.Tags()["tensors"]


def test_the_names_of_diagnostics_are_those_of_the_losses():
    loss = GramLoss(layers=["a"], diagnostics=True)
    assert [name.removeprefix("a/") for name in loss.diagnostic_names] == list(DIAGNOSTICS)


def hparams(accumulator, tag):
    content = accumulator.SummaryMetadata(tag).plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


def test_hparams_hold_the_settings_and_the_status(run):
    _, accumulator = run
    values = hparams(accumulator, "_hparams_/session_start_info").session_start_info.hparams
    assert values["losses.style.weight"].number_value == 10.0
    assert values["backbone.weights"].string_value == "random"
    assert values["optimizer.clamp"].bool_value is True
    assert values["losses.style.layers"].string_value == "[conv1_1,conv2_1]"
    end = hparams(accumulator, "_hparams_/session_end_info").session_end_info
    assert end.status == api_pb2.STATUS_SUCCESS


def test_hparams_show_a_diverged_run_as_a_failure(small_config, tmp_path):
    result = stylize(small_config(optimizer=SGD(learning_rate=1.0)), tmp_path / "run")
    assert result.status == "diverged"
    end = hparams(events(tmp_path / "run"), "_hparams_/session_end_info").session_end_info
    assert end.status == api_pb2.STATUS_FAILURE


def steps(accumulator, tag):
    return [event.step for event in accumulator.Tensors(tag)]


def texts(accumulator, tag):
    return [tensor_util.make_ndarray(event.tensor_proto).item().decode() for event in accumulator.Tensors(tag)]


@pytest.mark.parametrize(
    ("column", "tag"),
    [
        ("style", "weighted/style"),
        ("style/raw", "raw/style"),
        ("style/conv1_1", "layers/style/conv1_1"),
        ("style/conv1_1/entropy", "entropy/style/conv1_1"),
        ("style/sky/conv1_1", "layers/style/sky/conv1_1"),
    ],
)
def test_each_kind_of_column_has_its_tag(column, tag):
    assert scalar_tag(column) == tag


def test_a_new_run_removes_the_events_of_an_earlier_one(hand_made_run):
    """The first run is killed before its first checkpoint, so the second one starts at step 0."""
    for last in (7, 3):
        observer = hand_made_run.start(TensorBoard(every=1, pictures_every=0))
        for step in range(last):
            observer.progressed(hand_made_run.iterate(step))
    accumulator = events(hand_made_run.path)
    assert steps(accumulator, "loss/total") == [0, 1, 2]
    assert len(hand_made_run.files()) == 1


def test_a_resumed_run_shows_every_step_once_and_the_last_status(hand_made_run):
    """The run is killed at step 8 in the middle of an event, and resumed from the checkpoint of step 5."""
    settings = TensorBoard(every=1, pictures_every=4)
    hand_made_run.run(settings, last=8, status="interrupted")
    (path,) = hand_made_run.path.iterdir()
    path.with_name("events.out.tfevents.1000000000.host.1.0.v2").write_bytes(path.read_bytes()[:-7])
    path.unlink()  # readers sort files by the second in their names, and both runs take place within one
    hand_made_run.run(settings, resumed_at=5)

    accumulator = events(hand_made_run.path)
    assert steps(accumulator, "loss/total") == list(range(11))
    assert steps(accumulator, "picture") == [0, 1, 2, 4, 6, 8, 10]
    assert texts(accumulator, "config") == ["```yaml\nsteps: 10\n```"]
    assert texts(accumulator, "end") == ["completed: because"]
    assert steps(accumulator, "custom_scalars__config__") == [0]
    assert steps(accumulator, "cost/seconds") == [10]
    end = hparams(accumulator, "_hparams_/session_end_info").session_end_info
    assert end.status == api_pb2.STATUS_SUCCESS


def test_an_interrupted_run_that_is_resumed_drops_its_first_status(hand_made_run):
    settings = TensorBoard(every=1, pictures_every=0)
    hand_made_run.run(settings, last=8, status="interrupted")
    end = hparams(events(hand_made_run.path), "_hparams_/session_end_info").session_end_info
    assert end.status == api_pb2.STATUS_UNKNOWN
    observer = hand_made_run.start(settings, resumed_at=8)
    assert "end" not in events(hand_made_run.path).Tags()["tensors"]
    observer.finished(Finished("converged", "because", hand_made_run.iterate(9)))
    end = hparams(events(hand_made_run.path), "_hparams_/session_end_info").session_end_info
    assert end.status == api_pb2.STATUS_SUCCESS


def test_new_scores_replace_earlier_ones(hand_made_run):
    hand_made_run.run(TensorBoard(every=5, pictures_every=0))
    folder = hand_made_run.folder.tensorboard
    write_scores(folder, 10, {"judge": "first", "ssim": 0.25, "lpips": 0.75})
    write_scores(folder, 10, {"judge": "second", "ssim": 0.5, "lpips": None})
    accumulator = events(hand_made_run.path)
    assert series(accumulator, "judged/ssim") == [(10, 0.5)]
    assert "judged/lpips" not in accumulator.Tags()["tensors"]
    assert accumulator.SummaryMetadata("judged/ssim").summary_description == "Judge: second"
    assert steps(accumulator, "loss/total") == [0, 5, 10]


def test_a_run_folder_of_version_0_2_is_continued_and_scored_where_its_events_are(hand_made_run):
    earlier = hand_made_run.path / "tensorboard"
    earlier.mkdir(parents=True)
    hand_made_run.run(TensorBoard(every=1, pictures_every=0), last=8, status="interrupted")
    hand_made_run.run(TensorBoard(every=1, pictures_every=0), resumed_at=5)
    write_scores(hand_made_run.folder.tensorboard, 10, {"judge": "first", "ssim": 0.25})
    assert {path.parent for path in hand_made_run.path.rglob("events*")} == {earlier}
    accumulator = events(earlier)
    assert steps(accumulator, "loss/total") == list(range(11))
    assert texts(accumulator, "end") == ["completed: because"]
    assert series(accumulator, "judged/ssim") == [(10, 0.25)]


def columns(folder):
    experiment = hparams(events(folder), EXPERIMENT_TAG).experiment
    tags = [column.name.tag for column in experiment.metric_infos]
    return [column.name for column in experiment.hparam_infos], tags


COST_TAGS = ["cost/seconds", "cost/evaluations", "cost/peak_memory_mb"]


def test_the_columns_of_a_sweep_are_the_losses_and_scores_of_its_runs_with_the_scores_first(tmp_path):
    write_hparams_config(tmp_path, ["seed"], ["content", "style"], ["ssim", "style"])
    records = [
        {"final": {"total": 3.0, "style": 3.0, "style/raw": 1.5}},
        {"final": {"total": None, "style": None}, "scores": {"judge": "vgg19", "ssim": 0.5, "content": None}},
        {"status": "failed"},
    ]
    update_hparams_config(tmp_path, records)
    assert columns(tmp_path) == (
        ["seed"],
        ["judged/ssim", "loss/total", "weighted/style", "raw/style", *COST_TAGS],
    )
    update_hparams_config(tmp_path, [{"final": {"total": None}}])  # a sweep of forward passes
    assert columns(tmp_path) == (["seed"], COST_TAGS)


def test_folders_of_runs_that_are_no_sweep_get_no_columns(tmp_path):
    update_hparams_config(tmp_path, [{"final": {"total": 1.0}}])
    assert list(tmp_path.iterdir()) == []


def test_the_columns_of_a_sweep_replace_those_of_an_earlier_one(tmp_path):
    write_hparams_config(tmp_path / "tensorboard", ["content"], ["content"])  # where version 0.2 wrote them
    write_hparams_config(tmp_path, ["seed"], ["content"])
    write_hparams_config(tmp_path, ["steps"], ["style"], ["ssim"])
    assert len(list(tmp_path.iterdir())) == 1
    assert columns(tmp_path) == (["steps"], ["judged/ssim", "loss/total", "weighted/style", "raw/style", *COST_TAGS])
