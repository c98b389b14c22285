"""The measures of a film, and the comparison of films, from folders that are written by hand."""

import argparse
import json
import re
from fractions import Fraction

import numpy as np
import pandas
import pytest
from PIL import Image

from nst_tf.cli.video import compare_films
from nst_tf.images import write_picture
from nst_tf.reports.finding import find_films
from nst_tf.util.errors import InputError
from nst_tf.video import Consistency, Flow
from nst_tf.video.comparison import write_comparison
from nst_tf.video.consistency import warp
from nst_tf.video.films import write_film
from nst_tf.video.folder import VideoFolder
from nst_tf.video.measures import _mean_scores, measure_film
from nst_tf.video.neighbours import Flows
from nst_tf.video.page import write_page
from nst_tf.video.scenes import translation

pytest.importorskip("av")

SHAPE = (24, 32)
COUNT = 7
SCENE = translation(*SHAPE, COUNT)
JUDGE = "vgg19_lite, embedded"


def write_frames(path, noise, count=COUNT, judged=True, rate=12):
    """Write the folder of a film whose frames are those of the source with noise, and return it."""
    folder, random = VideoFolder(path), np.random.default_rng(0)
    frames = []
    for number in range(1, count + 1):
        picture = SCENE.picture(number - 1)
        result = np.clip(picture + noise * random.normal(size=picture.shape), 0, 1).astype(np.float32)
        frames.append([np.rint(255 * pixels).astype(np.uint8) for pixels in (picture, result)])
        write_picture(folder.source_frame(number), picture)
        write_picture(folder.frame_run(number).picture, result)
        scores = {"scores": {"content": 0.1 * number, "style_ratio": noise, "judge": JUDGE}} if judged else {}
        numbers = {"steps": 10 - number, "evaluations": 20, "seconds": 0.5 * number, "final": {"total": 2.0}}
        folder.frame_run(number).write_record({"status": "completed", "fingerprint": "0"} | numbers | scores)
        folder.publish(number, 1)
    for name, index in (("source", 0), ("stylized", 1)):
        write_film(folder.film(".mp4", name), (pair[index] for pair in frames), Fraction(rate))
    flows = Flows(Flow(method="exact"), Consistency(), folder, SCENE)
    measures = measure_film(folder, flows, count)
    record = {"fingerprint": "0", "name": path.name, "video": "sample:translation", "frames": count, "rate": str(rate)}
    folder.write_record(record | {"status": "completed", "measures": measures})
    return folder


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Two films of one source in the folder of a sweep."""
    sweep = tmp_path_factory.mktemp("sweep")
    return [write_frames(sweep / name, noise) for name, noise in (("0_temporal=a", 0.02), ("1_temporal=b", 0.1))]


def paths(folders):
    return [folder.path for folder in folders]


def read(path):
    return pandas.read_csv(path)


def test_the_table_has_the_errors_the_costs_and_the_scores_of_each_frame(films):
    table = read(films[1].table)
    assert table["frame"].tolist() == list(range(1, COUNT + 1))
    assert table["error_long"].isna().tolist() == [True] * 5 + [False] * 2
    pictures = [np.asarray(Image.open(films[1].frame(n)).convert("RGB"), np.float64) / 255 for n in (6, 7)]
    flow, visible = SCENE.flow(6, 5), SCENE.visible(6, 5)
    squares = np.square(pictures[1] - warp(pictures[0], flow))[visible]
    assert table["error_short"].iloc[6] == pytest.approx(np.sqrt(squares.mean()), rel=1e-4)
    assert table["judged/content"].tolist() == pytest.approx([0.1 * n for n in range(1, COUNT + 1)])
    assert set(table["judged/judge"]) == {JUDGE}


def test_the_record_has_means_over_the_frames(films):
    measures, table = films[0].read_record()["measures"], read(films[0].table)
    assert measures["error_short"] == pytest.approx(np.sqrt(np.mean(table["error_short"][1:] ** 2)), abs=1e-6)
    assert (measures["first_steps"], measures["steps"]) == (9, 5.5)
    assert (measures["first_seconds"], measures["seconds"]) == (0.5, pytest.approx(2.25))
    assert (measures["judge"], measures["judged/content"]) == (JUDGE, pytest.approx(0.4))
    assert "judged/judge" not in measures


def test_a_film_without_scores_has_no_columns_for_them(tmp_path):
    folder = write_frames(tmp_path / "film", 0.0, count=2, judged=False)
    assert not [name for name in read(folder.table) if name.startswith("judged")]
    assert "judge" not in folder.read_record()["measures"]
    write_page(folder, folder.read_record())
    assert "Scores" not in folder.page.read_text()


def test_scores_of_several_judges_have_no_mean(films):
    table = read(films[0].table)
    assert _mean_scores(table)["judge"] == JUDGE
    table.loc[2, "judged/judge"] = "another"
    assert _mean_scores(table) == {}
    table.loc[2, "judged/judge"] = None
    assert _mean_scores(table) == {}


def test_the_page_of_a_film_shows_its_scores_and_plays_its_films(films):
    write_page(films[0], films[0].read_record())
    page = films[0].page.read_text()
    assert re.findall(r'<video src="([^"]+)"', page) == ["source.mp4", "stylized.mp4"]
    assert f"by {JUDGE}" in page
    assert "<th>style_ratio</th>" in page
    assert 'data-rate="12"' in page


def test_a_comparison_has_a_row_for_each_film_below_its_source(films):
    page = write_comparison([films[0].path.parent])
    assert page == films[0].path.parent / "report" / "index.html"
    table = read(page.with_name("films.csv")).set_index("film")
    assert table.index.tolist() == ["source", "temporal=a", "temporal=b"]
    measures = [folder.read_record()["measures"] for folder in films]
    assert table["error_short"].tolist() == [measures[0]["source_short"], *(each["error_short"] for each in measures)]
    assert table["error_short"].is_monotonic_increasing
    assert table.loc["temporal=b", ["total_seconds", "steps", "judged/content"]].tolist() == [14.0, 5.5, 0.4]
    assert table.loc["temporal=a", "judge"] == JUDGE
    assert page.with_name("errors.png").read_bytes().startswith(b"\x89PNG")
    assert page.with_name("films.md").read_text().count("\n") == 5


def test_the_page_of_a_comparison_plays_copies_that_move_with_it(films, tmp_path):
    page = write_comparison(paths(films), tmp_path / "one")
    moved = page.parent.rename(tmp_path / "other") / "index.html"
    text = moved.read_text()
    files = re.findall(r'<video src="([^"]+)"', text)
    assert files == ["films/source_1.mp4", "films/film_1.mp4", "films/film_2.mp4"]
    originals = [films[0].film(".mp4", "source"), *(folder.film(".mp4") for folder in films)]
    for file, original in zip(files, originals, strict=True):
        assert (moved.parent / file).read_bytes() == original.read_bytes()
    assert "do not compare" not in text
    write_comparison([films[0].path], moved.parent)
    assert sorted(path.name for path in (moved.parent / "films").iterdir()) == ["film_1.mp4", "source_1.mp4"]


def test_films_of_other_sources_are_shown_apart(films, tmp_path):
    other = write_frames(tmp_path / "short", 0.0, count=3)
    page = write_comparison([*paths(films), other.path], tmp_path / "report")
    names = read(page.with_name("films.csv"))["film"].tolist()
    assert names == ["source 1", "temporal=a", "temporal=b", "source 2", "short"]
    assert "do not compare" in page.read_text()


def test_films_of_one_source_compare_whatever_their_files_of_the_source_are(films, tmp_path):
    """An encoder with several threads may write other bytes for the same frames."""
    other = write_frames(tmp_path / "other", 0.05)
    other.film(".mp4", "source").write_bytes(b"other bytes")
    page = write_comparison([films[0].path, other.path], tmp_path / "report")
    assert read(page.with_name("films.csv"))["film"].tolist()[0] == "source"


def test_names_in_a_page_are_text(films, tmp_path):
    folder = write_frames(tmp_path / "<b>x=$y$", 0.0, count=2)
    page = write_comparison([folder.path], tmp_path / "report").read_text()
    assert "<b>x" not in page
    assert "&lt;b&gt;x=$y$" in page


def test_an_unfinished_or_damaged_film_is_left_out_with_a_warning(films, tmp_path, caplog):
    unfinished = VideoFolder(tmp_path / "unfinished")
    unfinished.path.mkdir()
    unfinished.write_record({"fingerprint": "0", "status": "interrupted"})
    damaged = write_frames(tmp_path / "damaged", 0.0, count=2)
    damaged.table.write_text("frame,steps\n1,2\n")
    page = write_comparison([films[0].path, unfinished.path, damaged.path], tmp_path / "report")
    assert read(page.with_name("films.csv"))["film"].tolist() == ["source", films[0].path.name.partition("_")[2]]
    assert "unfinished' is not finished. It is left out." in caplog.text
    assert "has no column error_short. It is left out." in caplog.text
    with pytest.raises(InputError, match=r"unfinished' is finished: the command that began it continues it$"):
        write_comparison([unfinished.path])


def arguments(*folders, **options):
    defaults = {"report": None, "best": None, "at_most": None, "at_least": None, "spread": False}
    return argparse.Namespace(folders=[str(folder) for folder in folders], **(defaults | options))


def test_the_command_compares_films_where_the_folders_hold_films(films, tmp_path):
    assert compare_films(arguments(films[0].path, report=tmp_path)) == tmp_path / "index.html"
    assert compare_films(arguments(films[0].frame_run(1).path)) is None
    assert find_films(films[0].path.parent) == (paths(films), [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"best": "error_short"}, "^--best: concerns runs"),
        ({"at_most": "x=1"}, "^--at-most: concerns runs"),
        ({"spread": True}, "^--spread: concerns runs"),
    ],
)
def test_options_of_runs_are_refused_for_films(films, options, message):
    with pytest.raises(InputError, match=message):
        compare_films(arguments(films[0].path, **options))


def test_runs_and_films_are_not_compared_with_each_other(films, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"status": "completed"}))
    with pytest.raises(InputError, match=r"run' is a run, and other folders are films: compare runs and films in two"):
        compare_films(arguments(films[0].path, run))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"No film in '.*empty': compare"):
        compare_films(arguments(films[0].path, tmp_path / "empty"))
