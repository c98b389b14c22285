"""Tests of `stylize`: the run folder, the ways a run can end, and how a run is resumed."""

import csv
import hashlib
import json
import signal
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from nst_tf import stylize
from nst_tf.api import Result, build_problem
from nst_tf.backbones import VGG19
from nst_tf.config.composing import compose_config
from nst_tf.images import Canvas, read_picture, read_text, reading, resize
from nst_tf.losses import ContentLoss, GramLoss, TotalVariationLoss
from nst_tf.observers import OBSERVERS, Checkpoints, Metrics, Observer, Snapshots
from nst_tf.optimization.cache import RunCache
from nst_tf.optimization.footprint import SAFETY
from nst_tf.optimization.network_memory import FIXED_MB
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import OPTIMIZERS, SGD, Adam, ScipyLBFGS
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.observer_list import RunningObserver
from nst_tf.system.runtime import Runtime
from nst_tf.util.errors import InputError

pytestmark = pytest.mark.usefixtures("compiled_once")


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def loss_of(config, picture):
    """Return the total loss of a picture (1, H, W, 3) under a config."""
    problem = build_problem(config)
    return float(problem.objective(*problem.pictures()).values(tf.constant(picture))[0][0])


def test_a_completed_run_writes_picture_record_config_and_snapshots(small_config, tmp_path, pictures):
    result = stylize(small_config(), tmp_path / "run", overrides=["steps=4"])
    folder = tmp_path / "run"
    assert result.status == "completed"
    with Image.open(folder / "stylized.png") as picture:
        assert (picture.size, picture.mode) == ((32, 26), "RGB")
    record = json.loads((folder / "run.json").read_text())
    assert record == result.record
    assert (record["status"], record["steps"], record["evaluations"]) == ("completed", 4, 5)
    assert record["inputs"]["content"]["sha256"] == hashlib.sha256(Path(pictures[0]).read_bytes()).hexdigest()
    assert record["weights"]["name"] == "vgg19"
    assert record["versions"]["tensorflow"] == tf.__version__
    assert record["peak_memory_mb"] > 100
    assert record["final"]["total"] == rows(folder)[-1]["total"]
    assert (folder / ".hydra" / "overrides.yaml").read_text() == "- steps=4\n"
    assert (folder / ".hydra" / "config.yaml").read_text() == read_text(folder / "stylized.png")["nst_tf:config"]
    assert sorted(path.name for path in (folder / "snapshots").iterdir()) == [f"step_{n:06d}.png" for n in range(5)]


def test_metrics_have_the_named_columns_and_the_terms_add_up_to_the_total(small_config, tmp_path):
    stylize(small_config(), tmp_path / "run")
    table = rows(tmp_path / "run")
    assert list(table[0]) == [
        *["step", "evaluations", "seconds", "total"],
        *["content", "content/raw", "content/conv2_1"],
        *["style", "style/raw", "style/conv1_1", "style/conv2_1"],
        *["total_variation", "total_variation/raw"],
    ]
    assert [row["step"] for row in table] == [0, 1, 2, 3, 4]
    for row in table:
        assert row["total"] == pytest.approx(row["content"] + row["style"] + row["total_variation"], rel=1e-5)
        assert row["style"] == pytest.approx(10 * row["style/raw"], rel=1e-5)
        assert row["style/raw"] == pytest.approx(row["style/conv1_1"] + row["style/conv2_1"], rel=1e-5)


def test_the_metrics_of_a_step_are_those_of_its_snapshot(small_config, tmp_path):
    """The total variation in the metrics equals that of the snapshot's pixels."""
    stylize(small_config(optimizer=Adam(learning_rate=0.02, clamp=True)), tmp_path / "run")
    for row in rows(tmp_path / "run"):
        x = read_picture(str(tmp_path / "run" / "snapshots" / f"step_{int(row['step']):06d}.png")).pixels
        variation = (np.diff(x, axis=0) ** 2).sum() + (np.diff(x, axis=1) ** 2).sum()
        assert row["total_variation/raw"] == pytest.approx(variation, rel=1e-2)  # snapshots are rounded to 8 bits


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "steps"), [(Adam(learning_rate=0.02), 30), (ScipyLBFGS(), 2)], ids=["adam", "scipy_lbfgs"]
)
def test_the_loss_falls_below_half_of_its_start(optimizer, steps, small_config, tmp_path):
    config = small_config(optimizer=optimizer, steps=steps, image=Canvas(margin=0, size=32, start="noise"))
    stylize(config, tmp_path / "run")
    table = rows(tmp_path / "run")
    assert table[-1]["total"] < 0.5 * table[0]["total"]


@pytest.mark.slow
def test_two_runs_of_one_config_give_the_same_bits(small_config, tmp_path):
    for name in ("one", "two"):
        stylize(small_config(image=Canvas(margin=0, size=32, start="noise")), tmp_path / name, cache=RunCache())
    assert (tmp_path / "one" / "stylized.png").read_bytes() == (tmp_path / "two" / "stylized.png").read_bytes()


def test_another_seed_gives_another_picture(small_config, tmp_path):
    for seed in (1, 2):
        stylize(small_config(image=Canvas(margin=0, size=32, start="noise"), seed=seed), tmp_path / str(seed))
    one, two = (read_picture(str(tmp_path / name / "stylized.png")).pixels for name in "12")
    assert np.abs(one - two).mean() > 0.05


def test_the_period_of_an_observer_does_not_change_the_picture(small_config, tmp_path):
    stylize(small_config(steps=7), tmp_path / "often")
    stylize(small_config(steps=7, tracking={"metrics": Metrics(every=3)}), tmp_path / "seldom")
    assert [row["step"] for row in rows(tmp_path / "seldom")] == [0, 3, 6, 7]
    assert rows(tmp_path / "often")[-1]["total"] == rows(tmp_path / "seldom")[-1]["total"]


def test_a_finished_run_is_returned_without_running_again(small_config, tmp_path):
    first = stylize(small_config(), tmp_path / "run")
    stamp = (tmp_path / "run" / "stylized.png").stat().st_mtime_ns
    again = stylize(small_config(), tmp_path / "run")
    assert again.reason.startswith("already done")
    assert again.record == first.record
    assert (tmp_path / "run" / "stylized.png").stat().st_mtime_ns == stamp


def test_more_steps_continue_a_completed_run_as_one_long_run(small_config, tmp_path):
    stylize(small_config(steps=4), tmp_path / "run")
    longer = stylize(small_config(steps=9), tmp_path / "run")
    whole = stylize(small_config(steps=9), tmp_path / "whole")
    assert longer.record["evaluations"] == whole.record["evaluations"] == 10
    assert longer.record["final"] == whole.record["final"]


def test_a_folder_with_a_run_of_other_settings_is_refused(small_config, tmp_path):
    stylize(small_config(), tmp_path / "run")
    with pytest.raises(InputError, match="other settings"):
        stylize(small_config(optimizer=Adam(learning_rate=0.5)), tmp_path / "run")


def test_a_folder_locked_by_another_process_is_refused(small_config, tmp_path):
    from filelock import FileLock

    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / ".lock"), pytest.raises(InputError, match="Another process"):
        stylize(small_config(), tmp_path / "run")


def test_a_diverged_run_ends_with_the_picture_of_the_lowest_loss_and_its_record(small_config, tmp_path):
    """The learning rate is a little too large: the total variation falls, then grows without bound."""
    losses = {"smooth": TotalVariationLoss()}
    config = small_config(losses=losses, optimizer=SGD(learning_rate=0.26, momentum=0.9), steps=200)
    result = stylize(config, tmp_path / "run")
    assert result.status == "diverged"
    assert "kept the picture of the lowest" in result.reason
    lowest = min(rows(tmp_path / "run"), key=lambda row: row["total"])
    record = result.record
    assert 0 < record["steps"] == lowest["step"] < rows(tmp_path / "run")[-1]["step"]
    assert record["final"]["total"] == lowest["total"]
    snapshot = tmp_path / "run" / "snapshots" / f"step_{record['steps']:06d}.png"
    np.testing.assert_array_equal(*(read_picture(str(p)).pixels for p in (snapshot, tmp_path / "run" / "stylized.png")))


def test_the_stop_rule_ends_a_run_as_converged(small_config, tmp_path):
    schedule = Schedule(stop_change=50.0, stop_window=10)
    result = stylize(small_config(steps=500, schedule=schedule), tmp_path / "run")
    assert result.status == "converged"
    assert "50 % over 10 steps" in result.reason
    assert 10 <= result.record["steps"] < 500
    table = rows(tmp_path / "run")
    assert abs(table[-1]["total"] / table[-11]["total"] - 1) <= 0.5


def test_a_stalled_solver_ends_a_run_as_converged(small_config, tmp_path):
    """The start equals the content, so the loss is 0 from the start."""
    losses = {"content": ContentLoss(layers=["conv1_1"])}
    result = stylize(small_config(losses=losses, optimizer=ScipyLBFGS(), steps=50), tmp_path / "run")
    assert result.status == "converged"
    assert result.record["steps"] < 50


def test_a_schedule_of_two_scales_runs_through_both_sizes(small_config, tmp_path):
    schedule = Schedule(scales=[0.5, 1.0], step_shares=[3.0, 1.0])
    config = small_config(image=Canvas(margin=0, size=64), schedule=schedule, steps=8)
    result = stylize(config, tmp_path / "run")
    sizes = [read_picture(str(path)).pixels.shape[1] for path in sorted((tmp_path / "run" / "snapshots").iterdir())]
    assert sizes == [32] * 7 + [64] * 2
    assert result.record["evaluations"] == 8 + 2  # each scale evaluates its start
    assert (result.record["width"], result.record["height"]) == (64, 51)


@pytest.mark.slow
def test_metrics_snapshots_and_picture_are_those_of_the_average(small_config, tmp_path):
    """The total variation is that of each snapshot's pixels, the final loss that of the checkpoint's average."""
    schedule = Schedule(scales=[0.5, 1.0], average=0.9)
    config = small_config(image=Canvas(margin=0, size=64), schedule=schedule, optimizer=Adam(clamp=True), steps=20)
    result = stylize(config, tmp_path / "run")
    for row in rows(tmp_path / "run"):
        x = read_picture(str(tmp_path / "run" / "snapshots" / f"step_{int(row['step']):06d}.png")).pixels
        variation = (np.diff(x, axis=0) ** 2).sum() + (np.diff(x, axis=1) ** 2).sum()
        assert row["total_variation/raw"] == pytest.approx(variation, rel=1e-2)
    state = np.load(tmp_path / "run" / "checkpoints" / "latest.npz")
    mean, last = state["loop/mean_image"], state["solver/pixels"]
    assert np.abs(mean - last).max() > 0.01
    saved = read_picture(str(tmp_path / "run" / "stylized.png")).pixels
    np.testing.assert_allclose(saved, mean[0], atol=0.6 / 255)
    assert result.record["final"]["total"] == pytest.approx(loss_of(config, mean), rel=1e-5)
    assert result.record["evaluations"] == 20 + 2


@pytest.mark.slow
def test_the_next_scale_starts_from_the_average(small_config, tmp_path):
    """A step of Adam moves a pixel by the learning rate at most, and the average by about half of that."""
    pictures = {}
    for average in (0.95, 0.0):
        schedule = Schedule(scales=[0.5, 1.0], step_shares=[9.0, 1.0], average=average)
        config = small_config(image=Canvas(margin=0, size=64), schedule=schedule, optimizer=Adam(clamp=True), steps=20)
        stylize(config, tmp_path / str(average))
        snapshots = tmp_path / str(average) / "snapshots"
        pictures[average] = [read_picture(str(snapshots / f"step_{step:06d}.png")).pixels for step in (18, 19)]
    mean, after = pictures[0.95]
    assert np.abs(after - resize(mean, *after.shape[:2])).max() < 0.02
    last = pictures[0.0][0]
    assert np.abs(after - resize(last, *after.shape[:2])).max() > 0.05


@pytest.mark.slow
def test_keep_state_takes_the_moments_to_the_next_scale(small_config, tmp_path):
    counts, pixels = [], []
    for keep in (True, False):
        schedule = Schedule(scales=[0.5, 1.0], keep_state=keep)
        config = small_config(image=Canvas(margin=0, size=64), schedule=schedule, optimizer=Adam(clamp=True), steps=20)
        stylize(config, tmp_path / str(keep))
        state = np.load(tmp_path / str(keep) / "checkpoints" / "latest.npz")
        counts.append(int(state["solver/optimizer/0"]))
        pixels.append(state["solver/pixels"])
    assert counts == [20, 10]  # the step counts of Adam
    assert np.abs(pixels[0] - pixels[1]).max() > 0.01


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_keep_state_is_refused_for_optimizers_without_warm_start(name, small_config):
    settings = {"optimizer": OPTIMIZERS[name](), "schedule": Schedule(keep_state=True)}
    if OPTIMIZERS[name].supports_warm_start:
        small_config(**settings)
        return
    with pytest.raises(InputError, match=r"^schedule.keep_state=true: .*optimizer= out of adam, rmsprop, sgd"):
        small_config(**settings)


def test_a_run_that_fails_with_an_error_writes_its_picture(small_config, tmp_path, monkeypatch):
    def broken(self, objective):
        raise RuntimeError("a bug\nin two lines")

    monkeypatch.setattr("nst_tf.optimizers.scipy_lbfgs.ScipyLBFGSSolver.step", broken)
    result = stylize(small_config(optimizer=ScipyLBFGS()), tmp_path / "run")
    assert (result.status, result.reason) == ("failed", "RuntimeError: a bug")
    assert (tmp_path / "run" / "stylized.png").exists()


def test_a_run_that_is_out_of_memory_names_the_remedy_and_writes_its_picture(small_config, tmp_path, monkeypatch):
    def full(self, objective):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nwith shape [1, 9]")

    monkeypatch.setattr("nst_tf.optimizers.scipy_lbfgs.ScipyLBFGSSolver.step", full)
    result = stylize(small_config(optimizer=ScipyLBFGS()), tmp_path / "run")
    assert result.status == "failed"
    assert result.reason == "out of memory: choose a smaller image.size"
    assert (tmp_path / "run" / "stylized.png").exists()


def test_a_failed_run_is_run_again(small_config, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("nst_tf.optimizers.scipy_lbfgs.ScipyLBFGSSolver.step", lambda *_: 1 / 0)
        assert stylize(small_config(optimizer=ScipyLBFGS()), tmp_path / "run").status == "failed"
    assert stylize(small_config(optimizer=ScipyLBFGS()), tmp_path / "run").status in ("completed", "converged")


def test_the_transparency_of_the_content_is_restored(small_config, tmp_path):
    pixels = np.full((32, 32, 4), 200, np.uint8)
    pixels[:, :16, 3], pixels[:, 16:, 3] = 0, 255
    Image.fromarray(pixels).save(tmp_path / "content.png")
    stylize(small_config(content=str(tmp_path / "content.png")), tmp_path / "run")
    alpha = read_picture(str(tmp_path / "run" / "stylized.png")).alpha
    np.testing.assert_array_equal(alpha[:, :16], 0)
    np.testing.assert_array_equal(alpha[:, 16:], 1)


def test_snapshots_have_the_transparency_of_the_content_at_their_own_size(small_config, tmp_path):
    pixels = np.full((64, 64, 4), 255, np.uint8)
    pixels[:, :32, 3] = 0
    config = small_config(
        content=pixels, image=Canvas(margin=0, size=64), schedule=Schedule(scales=[0.5, 1.0]), steps=2
    )
    stylize(config, tmp_path / "run")
    sizes = []
    for path in sorted((tmp_path / "run" / "snapshots").iterdir()):
        alpha = read_picture(str(path)).alpha
        half = alpha.shape[1] // 2
        np.testing.assert_allclose(alpha[:, : half - 3], 0, atol=0.01)
        np.testing.assert_allclose(alpha[:, half + 3 :], 1, atol=0.01)
        sizes.append(alpha.shape[1])
    assert sizes == [32, 32, 64]


def test_pictures_from_python_give_the_same_run_as_their_files(small_config, pictures, tmp_path):
    content, style = (np.array(Image.open(path)) for path in pictures)
    config = small_config(
        content=content, style=[Image.fromarray(style)], image=Canvas(margin=0, size=32, start=["content", style])
    )
    result = stylize(config, tmp_path / "arrays")
    start = Canvas(margin=0, size=32, start=["content", pictures[1]])
    expected = stylize(small_config(style=[pictures[1]], image=start), tmp_path / "files")
    assert result.record["final"] == expected.record["final"]
    np.testing.assert_array_equal(np.array(result.picture), np.array(expected.picture))
    inputs = result.record["inputs"]
    assert [inputs[role]["source"] for role in ("content", "style:1", "start:1")] == ["<array 40x32>"] * 3
    assert inputs["style:1"]["sha256"] == inputs["start:1"]["sha256"] != inputs["content"]["sha256"]
    assert stylize(config, tmp_path / "arrays").reason.startswith("already done")


def test_a_run_of_pictures_from_python_is_not_repeated_and_says_which_picture_is_missing(small_config, tmp_path):
    pixels = np.full((32, 32, 3), 99, np.uint8)
    stylize(small_config(content=pixels, steps=1), tmp_path / "run")
    with pytest.raises(InputError, match=r"its content '<array 32x32>' cannot be read here.*content=NEWPATH") as caught:
        compose_config(f"rerun={tmp_path / 'run'}")
    assert "\n" not in str(caught.value)


def test_each_picture_is_read_once(small_config, pictures, tmp_path, monkeypatch):
    read = []

    def counted(source, *arguments):
        read.append(source)
        return reading.read_bytes(source, *arguments)

    monkeypatch.setattr("nst_tf.images.picture.read_bytes", counted)
    Image.open(pictures[0]).save(tmp_path / "start.png")
    losses = {"style": GramLoss(layers=["conv1_1"], balance="gradient"), "content": ContentLoss(layers=["conv1_1"])}
    start = Canvas(margin=0, size=32, start=str(tmp_path / "start.png"))
    stylize(small_config(losses=losses, image=start, steps=1), tmp_path / "run")
    assert sorted(read) == sorted([*pictures, str(tmp_path / "start.png")])


def test_a_result_has_its_picture_its_losses_and_their_curves(small_config, tmp_path):
    result = stylize(small_config(), tmp_path / "run")
    assert (result.picture.size, result.picture.mode) == ((32, 26), "RGB")
    assert result._repr_png_() == (tmp_path / "run" / "stylized.png").read_bytes()
    table = result.metrics
    assert table.step.tolist() == [0, 1, 2, 3, 4]
    assert table.total.iloc[-1] == result.record["final"]["total"]
    with mpl.rc_context({"backend": "agg"}):
        axes = result.plot()
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert list(lines) == ["total", "content", "style", "total_variation"]
    np.testing.assert_array_equal(lines["style"], table["style"])
    assert table["content"][0] == 0
    assert np.ma.getmaskarray(lines["content"]).tolist() == [True] + [False] * 4  # 0 has no place on the scale
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("step", "loss", "log")
    assert result.plot(axes) is axes
    plt.close(axes.figure)


def test_a_result_without_picture_or_losses_says_so(tmp_path):
    result = Result("failed", "", RunFolder(tmp_path), {})
    assert result._repr_png_() is None
    assert result.metrics.empty
    with pytest.raises(InputError, match=r"has no picture stylized\.png"):
        _ = result.picture
    with pytest.raises(InputError, match="has no losses to plot"):
        result.plot()


def test_the_transparency_of_a_run_interrupted_at_a_coarse_scale_has_the_size_of_its_picture(
    small_config, tmp_path, monkeypatch
):
    pixels = np.full((32, 32, 4), 128, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "content.png")
    prepare = Objective.prepare

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return prepare(*arguments)

    monkeypatch.setattr("nst_tf.optimization.objective.Objective.prepare", interrupted)
    schedule = Schedule(scales=[0.5, 1.0])
    config = small_config(content=str(tmp_path / "content.png"), schedule=schedule, image=Canvas(margin=0, size=64))
    assert stylize(config, tmp_path / "run").status == "interrupted"
    assert read_picture(str(tmp_path / "run" / "stylized.png")).alpha.shape == (32, 32)


@pytest.mark.slow
@pytest.mark.parametrize("half", ["mixed_bfloat16", "mixed_float16"])
def test_a_run_in_half_precision_ends_at_the_loss_of_a_float32_run(half, small_config, tmp_path):
    """The losses of the two pictures, evaluated in float32, differ by less than 2 percent."""
    runs, losses = {}, {}
    for precision in ("float32", half):
        config = small_config(steps=30, runtime=Runtime(precision=precision), optimizer=Adam(clamp=True))
        runs[precision] = stylize(config, tmp_path / precision)
        picture = read_picture(str(tmp_path / precision / "stylized.png")).pixels[None]
        losses[precision] = loss_of(small_config(), picture)
    assert runs[half].record["precision"] == half
    assert runs[half].record["final"] != runs["float32"].record["final"]
    assert losses[half] == pytest.approx(losses["float32"], rel=0.02)


@pytest.mark.slow
def test_recompute_gives_the_same_picture(small_config, tmp_path):
    pictures = []
    for recompute in (False, True):
        config = small_config(runtime=Runtime(precision="float32", recompute=recompute))
        result = stylize(config, tmp_path / str(recompute))
        pictures.append(read_picture(str(result.folder.picture)).pixels)
    np.testing.assert_allclose(*pictures, atol=1.5 / 255)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", [("mixed_bfloat16", False), ("mixed_float16", False), ("float32", True)])
def test_smoothed_and_balanced_losses_agree_in_every_precision_and_with_recompute(runtime, small_config):
    """The losses of the mean of content and style, balanced at noise, differ by the rounding of half precision."""

    def terms(precision, recompute=False):
        problem = build_problem(
            small_config(
                losses={
                    "content": ContentLoss(layers=["conv2_1"], **settings),
                    "style": GramLoss(layers=["conv1_1", "conv2_1"], **settings),
                },
                image=Canvas(margin=0, size=32, start="noise"),
                runtime=Runtime(precision=precision, recompute=recompute),
            )
        )
        content, styles = problem.pictures()
        return problem.objective(content, styles).values(tf.constant((content + styles[0]) / 2))[1]

    settings = {"smoothing": "softmax", "temperature": 0.3, "balance": "gradient", "diagnostics": True}
    exact, other = terms("float32"), terms(*runtime)
    assert list(exact) == list(other)
    for name, value in exact.items():
        assert float(other[name][0]) == pytest.approx(float(value[0]), rel=0.1), name
    assert 0.5 < float(exact["content/conv2_1/entropy"][0]) < 1


def test_another_precision_is_another_run_but_recompute_is_not(small_config, tmp_path):
    stylize(small_config(), tmp_path / "run")
    again = stylize(small_config(runtime=Runtime(precision="float32", recompute=True)), tmp_path / "run")
    assert again.reason.startswith("already done")
    with pytest.raises(InputError, match="holds a run of other settings"):
        stylize(small_config(runtime=Runtime(precision="mixed_bfloat16")), tmp_path / "run")


@pytest.mark.slow
def test_a_picture_too_large_for_memory_is_refused_or_made_smaller(small_config, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("nst_tf.optimization.footprint.available_mb", lambda device: SAFETY * FIXED_MB + 8)
    with pytest.raises(InputError, match=r"image\.size=\d+ is about the largest.*image\.fit_memory=true"):
        stylize(small_config(image=Canvas(margin=0, size=400)), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    config = small_config(image=Canvas(margin=0, size=400, fit_memory=True))
    result = stylize(config, tmp_path / "run")
    assert 30 < result.record["width"] < 200
    assert result.record["width"] == int(result.record["size_factor"] * 400)
    monkeypatch.setattr("nst_tf.optimization.footprint.available_mb", lambda device: 1e6)
    config.steps += 2
    assert stylize(config, tmp_path / "run").record["width"] == result.record["width"]  # a resumed run keeps its size


def test_texture_synthesis_needs_no_content(small_config, tmp_path, pictures):
    losses = {"style": GramLoss(layers=["conv1_1"])}
    result = stylize(
        small_config(content=None, losses=losses, image=Canvas(margin=0, size=32, start="noise")), tmp_path / "run"
    )
    assert (result.record["width"], result.record["height"]) == (32, 26)
    assert set(result.record["inputs"]) == {"style:1"}


def test_content_reconstruction_needs_no_style(small_config, tmp_path):
    losses = {"content": ContentLoss(layers=["conv1_1"])}
    result = stylize(
        small_config(style=None, losses=losses, image=Canvas(margin=0, size=32, start="noise")), tmp_path / "run"
    )
    assert result.status == "completed"


def test_a_run_continues_without_an_observer_that_fails(small_config, tmp_path, caplog, monkeypatch):
    def fail(*arguments, **named):
        raise ValueError("a bug")

    monkeypatch.setattr("nst_tf.observers.snapshots.write_picture", fail)
    tracking = {"metrics": Metrics(every=1), "snapshots": Snapshots(every=1), "checkpoints": Checkpoints(every=1)}
    result = stylize(small_config(tracking=tracking), tmp_path / "run")
    assert result.status == "completed"
    assert len(rows(tmp_path / "run")) == 5
    assert caplog.text.count("Observer Snapshots is switched off after an error") == 1


@pytest.mark.parametrize("damage", ["short", "flipped", "not a checkpoint", "an array missing"])
def test_a_damaged_checkpoint_is_refused_with_its_remedy(damage, small_config, tmp_path):
    stylize(small_config(), tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "latest.npz"
    content = path.read_bytes()
    if damage == "short":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        path.write_bytes(content[:200] + bytes(byte ^ 255 for byte in content[200:400]) + content[400:])
    elif damage == "not a checkpoint":
        path.write_bytes(b"torn")
    else:
        np.savez(path, **{name: value for name, value in np.load(path).items() if name != "solver/pixels"})
    record = (tmp_path / "run" / "run.json").read_text()
    with pytest.raises(InputError, match=r"checkpoint.*delete it") as error:
        stylize(small_config(steps=9), tmp_path / "run")
    assert "\n" not in str(error.value)
    assert (tmp_path / "run" / "run.json").read_text() == record


@pytest.mark.parametrize("content", ["[1]", '"abc"', "{", "{}", "\x80"])
def test_a_damaged_record_is_refused_with_its_remedy(content, small_config, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"run\.json.*delete it"):
        stylize(small_config(), tmp_path / "run")


def test_out_of_memory_before_the_first_loss_is_an_input_error(small_config, tmp_path, monkeypatch):
    def full(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nwith shape [1, 9]")

    monkeypatch.setattr("nst_tf.optimization.objective.Objective.prepare", full)
    with pytest.raises(InputError, match=r"^out of memory: choose a smaller image\.size$"):
        stylize(small_config(), tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0, 1])
@pytest.mark.parametrize("name", ["adam", "scipy_lbfgs"])
def test_a_run_interrupted_while_a_scale_is_prepared_resumes_to_the_same_result(
    name, scale, small_config, tmp_path, monkeypatch
):
    config = {
        "schedule": Schedule(scales=[0.5, 1.0]),
        "image": Canvas(margin=0, size=64),
        "optimizer": OPTIMIZERS[name](),
        "steps": 4,
    }
    prepare, calls = Objective.prepare, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == scale + 1:
            signal.raise_signal(signal.SIGINT)
        return prepare(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("nst_tf.optimization.objective.Objective.prepare", interrupted)
        first = stylize(small_config(**config), tmp_path / "run")
    assert first.status == "interrupted"
    assert first.record["steps"] == 2 * scale
    assert (tmp_path / "run" / "stylized.png").exists()
    second = stylize(small_config(**config), tmp_path / "run")
    whole = stylize(small_config(**config), tmp_path / "whole")
    assert second.status == whole.status == "completed"
    assert second.record["final"] == whole.record["final"]
    assert second.record["evaluations"] == whole.record["evaluations"]


@pytest.mark.slow
def test_changed_weights_in_a_file_of_the_same_name_are_another_run(small_config, tmp_path):
    import h5py

    files = []
    for seed in (0, 1):
        model = VGG19(weights="random", seed=seed).extractor(["conv5_4"]).model
        files.append(tmp_path / f"{seed}.h5")
        with h5py.File(files[-1], "w") as file:
            layers = [layer for layer in model.layers if layer.weights]
            file.attrs["layer_names"] = [layer.name for layer in layers]
            for layer in layers:
                group = file.create_group(layer.name)
                group.attrs["weight_names"] = ["kernel", "bias"]
                group["kernel"], group["bias"] = layer.get_weights()
    weights = tmp_path / "weights.h5"
    weights.write_bytes(files[0].read_bytes())
    stylize(small_config(backbone=VGG19(weights=str(weights))), tmp_path / "run")
    weights.write_bytes(files[1].read_bytes())
    with pytest.raises(InputError, match="other settings"):
        stylize(small_config(backbone=VGG19(weights=str(weights)), steps=9), tmp_path / "run")


def test_a_changed_start_picture_is_another_run(small_config, tmp_path):
    start = tmp_path / "start.png"
    for colour in (0, 200):
        Image.fromarray(np.full((32, 32, 3), colour, np.uint8)).save(start)
        config = small_config(image=Canvas(margin=0, size=32, start=str(start)), steps=4 + colour)
        if colour == 0:
            record = stylize(config, tmp_path / "run").record
            assert record["inputs"]["start:1"]["source"] == str(start)
        else:
            with pytest.raises(InputError, match="other settings"):
                stylize(config, tmp_path / "run")


def test_a_custom_observer_receives_a_step_before_its_checkpoint_is_written(small_config, tmp_path):
    seen = []

    class Recorder(RunningObserver):
        def progressed(self, iterate):
            seen.append((iterate.step, (tmp_path / "run" / "checkpoints").exists()))

    @dataclass
    class Mine(Observer):
        def start(self, event):
            return Recorder()

    stylize(
        small_config(tracking={"checkpoints": Checkpoints(every=1), "mine": Mine(every=2)}, steps=2), tmp_path / "run"
    )
    assert seen == [(0, False), (1, False), (2, True)]


def test_a_run_of_total_variation_alone_needs_no_weights(small_config, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nowhere"))
    losses = {"smooth": TotalVariationLoss()}
    result = stylize(small_config(losses=losses, backbone=VGG19()), tmp_path / "run")
    assert result.status == "completed"
    assert result.record["weights"] is None


def test_checkpoints_are_last_in_the_table_of_observers():
    assert list(OBSERVERS)[-1] == "checkpoints"
