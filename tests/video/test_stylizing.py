"""The run of a film: its files, its resumption with the same bits, its starts and passes, and its errors."""

import csv
import dataclasses
import errno
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_tf import stylize
from nst_tf.evaluation import EvaluationConfig
from nst_tf.images import Canvas, Regions, read_picture, resize, write_picture
from nst_tf.optimization.cache import RunCache
from nst_tf.optimization.loop import CompiledLoop
from nst_tf.optimization.references import References, extract_features
from nst_tf.system.signals import Interrupted
from nst_tf.util.errors import InputError
from nst_tf.video import Flow, Frames, Temporal
from nst_tf.video.consistency import warp
from nst_tf.video.folder import VideoFolder
from nst_tf.video.neighbours import Neighbour, blended_start
from nst_tf.video.stylizing import _visits, stylize_video

pytest.importorskip("av")
pytest.importorskip("cv2")
pytestmark = [pytest.mark.usefixtures("one_cache"), pytest.mark.slow]


def pixels(path):
    return np.asarray(Image.open(path))


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def all_frames(folder, count=3):
    return np.stack([pixels(folder.frame(n)) for n in range(1, count + 1)])


@pytest.fixture(scope="module")
def film(video_config, one_cache, tmp_path_factory):
    """A film of three frames."""
    return stylize_video(video_config(), tmp_path_factory.mktemp("videos") / "film")


def test_a_film_leaves_films_frames_runs_a_table_and_a_page(film):
    folder = film.folder
    assert (film.status, film.reason) == ("completed", "3 frames")
    assert all_frames(folder).shape == (3, 24, 32, 3)
    for path in (folder.film(".mp4"), folder.film(".mkv"), folder.film(".mp4", "source"), folder.plot, folder.page):
        assert path.stat().st_size > 0
    assert [pixels(folder.frame(2)).tolist()] == [pixels(folder.frame_run(2).picture)[..., :3].tolist()]
    rows = table(folder.table)
    assert [row["steps"] for row in rows] == ["5", "3", "3"]
    assert [bool(row["error_short"]) for row in rows] == [False, True, True]
    record = json.loads(folder.record.read_text())
    assert (record["status"], record["frames"], record["rate"]) == ("completed", 3, "12")
    assert 0 < record["measures"]["error_short"] < 0.5
    assert not list(folder.path.glob("runs/*/*/checkpoints"))
    assert 'src="stylized.mp4"' in folder.page.read_text()


def test_no_frame_after_the_first_compiles_anything(film, video_config, tmp_path, monkeypatch):
    traces, passes = [], []
    for module in ("references", "objective"):  # features are extracted where a function is traced, and nowhere else
        monkeypatch.setattr(f"nst_tf.optimization.{module}.extract_features", counting(traces, extract_features))
    monkeypatch.setattr(References, "_pass_key", counting(passes, References._pass_key))
    stylize_video(video_config(steps=2), tmp_path / "film")
    assert passes
    assert traces == []


def counting(calls, function):
    """Return a function that notes the name of another one before it calls it."""

    def counted(*arguments, **options):
        calls.append(function.__name__)
        return function(*arguments, **options)

    return counted


def test_a_frame_starts_from_the_warped_result_and_is_compared_with_it(film):
    folder = film.folder
    rows = table(folder.frame_run(3).metrics)
    assert float(rows[0]["temporal"]) < 1e-3  # at the start, the picture is the target
    first = table(folder.frame_run(1).metrics)
    assert {float(row["temporal"]) for row in first} == {0.0}


def test_a_film_that_was_interrupted_in_a_frame_continues_with_the_same_bits(video_config, film, tmp_path, monkeypatch):
    original, steps = CompiledLoop.advance, []

    def interrupted(self, count):
        steps.append(count)
        if len(steps) == 8:  # after five steps of the first frame and two of the second
            raise Interrupted
        return original(self, count)

    monkeypatch.setattr(CompiledLoop, "advance", interrupted)
    first = stylize_video(video_config(), tmp_path / "again")
    assert (first.status, first.reason) == ("interrupted", "frame 2: asked to stop")
    assert first.folder.frame_run(2).read_record()["steps"] == 2
    monkeypatch.undo()
    monkeypatch.setattr("nst_tf.video.stylizing.RunCache", RunCache)
    second = stylize_video(video_config(), tmp_path / "again")
    assert second.status == "completed"
    np.testing.assert_array_equal(all_frames(second.folder), all_frames(film.folder))
    assert second.folder.film(".mkv").read_bytes() == film.folder.film(".mkv").read_bytes()


@pytest.mark.slow
def test_a_film_is_prolonged_by_a_later_stop(video_config, film, tmp_path):
    stylize_video(video_config(frames=Frames(stop=2)), tmp_path / "longer")
    result = stylize_video(video_config(), tmp_path / "longer")
    np.testing.assert_array_equal(all_frames(result.folder), all_frames(film.folder))


@pytest.mark.slow
def test_frames_that_do_not_depend_on_each_other_are_stylised_as_photographs(video_config, tmp_path):
    config = video_config(temporal=Temporal(start="image"), frames=Frames(stop=2))
    config.losses["temporal"].weight = 0.0
    result = stylize_video(config, tmp_path / "film")
    content = str(result.folder.source_frame(2))
    alone = stylize(config.frame_config(content=content), tmp_path / "alone")
    np.testing.assert_array_equal(pixels(alone.folder.picture), pixels(result.folder.frame(2)))


def test_passes_go_forwards_and_backwards_and_start_from_a_blend(video_config, tmp_path):
    assert [(v.number, v.turn, v.before) for v in _visits(3, 2)] == [
        *((1, 1, None), (2, 1, 1), (3, 1, 2)),
        *((3, 2, None), (2, 2, 3), (1, 2, 2)),
    ]
    temporal = Temporal(start="image", passes=2, loss_from_pass=2)
    result = stylize_video(video_config(temporal=temporal, frames=Frames(stop=2), steps=2), tmp_path / "film")
    folder = result.folder
    for turn, number, is_zero in ((1, 2, True), (2, 1, False)):
        rows = table(folder.frame_run(number, turn).metrics)
        assert all(float(row["temporal"]) == 0 for row in rows) is is_zero
    np.testing.assert_array_equal(pixels(folder.frame(1)), pixels(folder.frame_run(1, 2).picture)[..., :3])


def test_a_blend_is_the_mean_weighted_by_the_consistency():
    own, other = np.full((1, 2, 3), 0.2, np.float32), np.full((1, 2, 3), 0.8, np.float32)
    weights = np.array([[1.0, 0.0]], np.float32)
    blend = blended_start(own, Neighbour(other, weights), 2.0)
    np.testing.assert_allclose(blend[0, :, 0], [(0.2 + 2 * 0.8) / 3, 0.2], rtol=1e-6)


@pytest.mark.slow
def test_long_term_consistency_takes_what_the_frame_before_hides_from_earlier_frames(video_config, tmp_path):
    config = video_config(video="sample:occlusion", temporal=Temporal(offsets=[1, 2]), frames=Frames(stop=3))
    result = stylize_video(config, tmp_path / "film")
    assert (result.folder.path / "flow" / "000003_000001.flo").exists()
    assert result.status == "completed"


@pytest.mark.slow
def test_the_known_flow_of_a_scene_takes_the_place_of_an_estimate(video_config, tmp_path):
    result = stylize_video(video_config(flow=Flow(method="exact")), tmp_path / "film")
    assert result.status == "completed"
    assert not (result.folder.path / "flow").exists()


def test_the_judge_scores_each_frame_of_the_last_pass_also_when_it_is_asked_for_later(video_config, tmp_path):
    temporal = Temporal(start="image", passes=2, loss_from_pass=2)
    image = Canvas(size=48, margin=0)  # the judge needs 32 pixels
    config = video_config(image=image, temporal=temporal, frames=Frames(stop=2), steps=2)
    folder = stylize_video(config, tmp_path / "film").folder
    before = all_frames(folder, 2)
    judged = dataclasses.replace(config, evaluation=EvaluationConfig(enabled=True, weights="embedded"))
    measures = stylize_video(judged, tmp_path / "film").record["measures"]
    scores = [float(row["judged/style_ratio"]) for row in table(folder.table)]
    assert scores == [folder.frame_run(n, 2).read_record()["scores"]["style_ratio"] for n in (1, 2)]
    assert measures["judged/style_ratio"] == pytest.approx(np.mean(scores), abs=1e-5)
    assert measures["judge"] == "vgg19_lite, embedded"
    assert not any("scores" in folder.frame_run(n, 1).read_record() for n in (1, 2))
    assert "style_ratio" in folder.page.read_text()
    np.testing.assert_array_equal(all_frames(folder, 2), before)


def test_a_coarse_first_frame_has_a_phase_at_half_size_and_later_frames_have_none(video_config, tmp_path):
    config = video_config(image=Canvas(size=96, margin=0), frames=Frames(stop=2))
    config.temporal = Temporal(first_steps=4, first_scales=[0.5, 1.0])
    folder = stylize_video(config, tmp_path / "film").folder
    scales = [folder.frame_run(n).read_config()["schedule"]["scales"] for n in (1, 2)]
    assert scales == [[0.5, 1.0], [1.0]]
    assert all_frames(folder, 2).shape == (2, 72, 96, 3)


def test_a_frame_after_a_cut_is_stylised_as_the_first_one(video_config, tmp_path):
    """Two frames of wedges and two of a cat: the third shows nothing of the second."""
    for number, sample in enumerate(("wedges", "wedges", "cat", "cat"), start=1):
        write_picture(tmp_path / f"{number}.png", resize(read_picture(f"sample:{sample}").pixels, 96, 128))
    changes = {"video": str(tmp_path), "image": Canvas(size=128, margin=0), "frames": Frames()}
    result = stylize_video(video_config(**changes), tmp_path / "film")
    assert result.record["scenes"] == [1, 3]
    assert [row["steps"] for row in table(result.folder.table)] == ["5", "3", "5", "3"]
    metrics = [table(result.folder.frame_run(number).metrics) for number in (1, 2, 3, 4)]
    assert [float(rows[0]["content"]) > 1e-6 for rows in metrics] == [False, True, False, True], (
        "starts from the source"
    )
    assert [float(rows[-1]["temporal"]) > 0 for rows in metrics] == [False, True, False, True]
    uncut = Temporal(first_steps=5, scene_cut=0)
    assert stylize_video(video_config(temporal=uncut, **changes), tmp_path / "uncut").record["scenes"] == [1]


def test_a_sweep_over_films_compares_them_when_it_ends(forked_scripts, tmp_path):
    words = ["-m", "temporal=warped,independent", "video=sample:translation", "style=sample:night_swirls"]
    words += ["frames.stop=2", "image.size=32", "temporal.first_steps=2", "name=trial", "flow=exact", "optimizer=adam"]
    words += ["backbone=vgg19", "backbone.weights=random", "losses.content.layers=[conv1_2]", "runtime=float32"]
    words += ["losses.style.layers=[conv1_1]", "loss=gatys", "weights=gatys", "steps=2"]
    script = Path(__file__).parents[2] / "scripts" / "stylize_video.py"
    code, out, error = forked_scripts(script, *words, folder=tmp_path)
    assert code == 0, error
    assert "report       outputs/sweeps/trial/report/index.html" in out
    names = [row["film"] for row in table(tmp_path / "outputs/sweeps/trial/report/films.csv")]
    assert names == ["source", "temporal=warped", "temporal=independent"]


def test_a_folder_of_other_settings_is_refused_and_kept(video_config, film):
    before = all_frames(film.folder)
    with pytest.raises(InputError, match="holds a film of other settings"):
        stylize_video(video_config(steps=4), film.folder.path)
    np.testing.assert_array_equal(all_frames(film.folder), before)


@pytest.mark.slow
def test_a_frame_of_another_size_ends_the_film_and_the_frames_before_are_kept(video_config, tmp_path):
    source = tmp_path / "frames"
    source.mkdir()
    for n, width in enumerate((40, 40, 44)):
        Image.new("RGB", (width, 30), (40 * n, 90, 20)).save(source / f"{n}.png")
    with pytest.raises(InputError, match=r"2\.png' has 44x30 pixels, and the first frame 40x30"):
        stylize_video(video_config(video=str(source)), tmp_path / "film")
    result = stylize_video(video_config(video=str(source), frames=Frames(stop=2)), tmp_path / "film")
    assert result.reason == "2 frames"


def test_a_command_without_frames_leaves_no_record(video_config, tmp_path):
    with pytest.raises(InputError, match="no frames in the range"):
        stylize_video(video_config(frames=Frames(start=50)), tmp_path / "film")
    assert not VideoFolder(tmp_path / "film").record.exists()


@pytest.mark.slow
def test_the_result_is_more_consistent_than_independent_frames(video_config, film, tmp_path):
    config = video_config(temporal=Temporal(start="image"), steps=5)
    config.losses["temporal"].weight = 0.0
    config.image.start = "noise"
    alone = stylize_video(config, tmp_path / "alone")
    still, moving = film.record["measures"]["error_short"], alone.record["measures"]["error_short"]
    assert still < moving


def test_warped_results_are_read_back_from_eight_bits(film):
    folder = film.folder
    picture = read_picture(str(folder.frame(1))).pixels
    assert np.allclose(picture * 255, np.rint(picture * 255), atol=1e-4)
    assert warp(picture, np.zeros((24, 32, 2), np.float32)).dtype == np.float32


@pytest.mark.slow
def test_a_full_disk_ends_the_film_and_the_same_command_finishes_it(video_config, film, tmp_path, monkeypatch):
    def fail(path, *arguments):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("nst_tf.video.stylizing.write_film", fail)
    with pytest.raises(OSError, match="No space left"):
        stylize_video(video_config(), tmp_path / "film")
    folder = VideoFolder(tmp_path / "film")
    assert folder.read_record()["status"] == "failed"
    np.testing.assert_array_equal(all_frames(folder), all_frames(film.folder))
    monkeypatch.undo()
    monkeypatch.setattr("nst_tf.video.stylizing.RunCache", RunCache)
    assert stylize_video(video_config(), tmp_path / "film").status == "completed"


@pytest.mark.slow
def test_a_region_of_the_first_frame_stays_the_photograph_in_all_frames(video_config, tmp_path):
    mask = np.zeros((24, 32, 3), np.uint8)
    mask[8:18, 10:24] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    regions = Regions(masks={"figure": str(tmp_path / "mask.png")}, style_of={"figure": "none"}, blend="hard")
    config = video_config(regions=regions, temporal=Temporal(start="image"), flow=Flow(method="exact"))
    folder = stylize_video(config, tmp_path / "film").folder
    moved = pixels(folder.path / "masks" / "masks.figure" / "000003.png")[..., 0] > 200
    inner = moved & (pixels(folder.frame(3)) == pixels(folder.source_frame(3))).all(axis=-1)
    assert 60 < moved.sum() < 220
    assert inner.sum() > 0.9 * moved.sum()
