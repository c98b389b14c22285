"""The reproduction page from runs with invented losses: figures by hand, missing values, and private paths."""

import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nst_tf.config.composing import compose_config, configs_folder
from nst_tf.reports.reproduction import write_reproduction
from nst_tf.reports.systems import read_systems
from nst_tf.runs.published import Measure, PublishedFigure
from nst_tf.util.errors import InputError

SHARED = ("content=/home/ann/photo.jpg", "style=[/home/ann/a.jpg,/home/ann/b.jpg]", "evaluation=on", "name=papers")
SCORES = {"content": 0.5, "style": 0.1, "style_ratio": 0.25, "ssim": None, "judge": "vgg19, a_judge.h5 12345678"}
VGG19 = {"name": "vgg19", "weights": "/home/ann/my_vgg19.h5", "path": "/home/ann/my_vgg19.h5", "sha256": "0"}
VGG16 = VGG19 | {"name": "vgg16", "weights": "random", "path": None}


def paper(loss, seconds):
    return {
        "first_loss": PublishedFigure(loss, step=1),
        "step_seconds": PublishedFigure(seconds, Measure.seconds_per_step, relative=True),
    }


@pytest.fixture
def write(made_up_run, tmp_path):
    """Return a function that writes a run with losses 4, 2 and 1 after steps 0, 1 and 2, at 0, 0.5 and 1 second."""

    def run(name, experiment, *overrides, record=None, **arguments):
        recorded = {"weights": VGG19, "machine": "8 cores, Abacus, 16 GiB", "scores": SCORES} | (record or {})
        typed = [*SHARED, f"experiment={experiment}", *overrides]
        return made_up_run(tmp_path / "runs" / name, typed, record=recorded, **arguments)

    return run


@pytest.fixture
def page(tmp_path):
    """Return a function that writes the page and returns its text."""

    def made():
        path = tmp_path / "docs" / "reproduction.md"
        write_reproduction([tmp_path / "runs"], path, "python scripts/reproduction.py runs")
        return path.read_text(encoding="utf-8")

    return made


COLUMNS = ("system", "printed", "measured", "picture", "differs")
SYSTEM = re.compile(r"\*\*(?P<number>\w+)\*\* (?P<title>.+?)<br>`(?P<command>.+?)`(<br><sub>(?P<run>.+)</sub>)?")


def rows(text):
    """Return the cells of each row by column; the parts of the first and third column have their own names."""
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    found = [dict(zip(COLUMNS, (cell.strip() for cell in row), strict=True)) for row in cells]
    for row in found:
        row |= SYSTEM.fullmatch(row["system"]).groupdict()
        row["measured"], _, row["judged"] = row["measured"].partition("<br>judged: ")
    return found


def row_of(text, experiment):
    found = [row for row in rows(text) if f"experiment={experiment}" in row["command"].split()]
    assert len(found) == 1
    return found[0]


def test_there_is_a_row_for_every_system_in_the_order_of_the_papers(write, page):
    write("one", "malathi")
    systems = read_systems().systems
    text = page()
    assert [row["number"] for row in rows(text)] == [system.number for system in systems]
    for row, system in zip(rows(text), systems, strict=True):
        assert row["command"].split()[0] == f"experiment={system.experiment}"
        assert row["title"] == system.title
        assert row["differs"].startswith(system.differs)
        assert row["printed"].endswith(system.says)
    assert "```\npython scripts/reproduction.py runs\n```" in text


def test_a_row_has_losses_iterations_seconds_and_scores_of_its_run(write, page):
    write("one", "malathi", "steps=2")
    row = row_of(page(), "malathi")
    assert row["measured"] == "total 4 → 1<br>2 iterations, 3 evaluations<br>0.5 s an iteration"
    assert row["judged"] == "content 0.5, style ratio 0.25"
    assert row["run"].startswith("vgg19, weights my\\_vgg19.h5<br>24x32<br>")


def test_a_system_without_a_run_has_a_row_without_figures(write, page):
    write("one", "malathi")
    row = row_of(page(), "chandra2019")
    assert row["command"] == "experiment=chandra2019"
    assert row["measured"] == "no run yet"
    assert (row["judged"], row["picture"]) == ("–", "–")


def test_printed_and_measured_figures_have_ratios_where_the_figure_is_relative(write, page):
    write("a", "gupta2019_vgg19", printed=paper(50.0, 100.0))
    write("b", "gupta2019_resnet50", printed=paper(None, 25.0), totals=(4.0, 3.0))
    text = page()
    vgg, resnet = row_of(text, "gupta2019_vgg19"), row_of(text, "gupta2019_resnet50")
    assert vgg["printed"].startswith("first loss 50<br>step seconds 100 (ratio 1)<br>")
    ours = "first loss 2<br>step seconds 0.5 (ratio 1)"
    assert vgg["measured"] == f"total 4 → 1<br>2 iterations, 3 evaluations<br>{ours}"
    assert resnet["printed"].startswith("step seconds 25 (ratio 0.25)<br>")
    assert resnet["measured"] == "total 4 → 3<br>one iteration<br>first loss 3<br>step seconds 0.5 (ratio 1)"


def test_the_printed_figures_of_the_experiments_are_on_the_page(write, page):
    write("a", "gupta2019_vgg19", printed=compose_config("experiment=gupta2019_vgg19").printed)
    assert "loss after the first iteration 8079787520" in row_of(page(), "gupta2019_vgg19")["printed"]


def test_a_feedforward_run_has_seconds_and_no_loss(write, page):
    weights = {"name": "magenta", "weights": "hub"}
    run = write("one", "library_one_style", totals=(1.0, 1.0), record={"weights": weights}, method="feedforward")
    run.metrics.unlink()
    record = run.read_record()
    run.write_record(record | {"steps": 1, "evaluations": 1, "seconds": 0.39, "final": {"total": None}})
    row = row_of(page(), "library_one_style")
    assert row["measured"] == "one iteration<br>0.39 s an iteration"
    assert row["run"] == "magenta, weights hub<br>24x32"


def test_the_latest_run_that_ended_is_used(write, page):
    at = [{"started_at": f"2026-01-0{day}T00:00:00+00:00"} for day in (1, 2, 3)]
    write("a", "malathi", record=at[1], totals=(8.0, 2.0))
    write("b", "malathi", record=at[0], totals=(8.0, 5.0))
    write("c", "malathi", record=at[2], totals=(8.0, 7.0), status="failed")
    assert row_of(page(), "malathi")["measured"].startswith("total 8 → 2<br>")


def test_each_network_of_a_system_has_a_row(write, page):
    write("a", "aradwad_gauri", record={"weights": VGG16})
    write("b", "aradwad_gauri", "backbone=vgg19")
    found = [row for row in rows(page()) if row["number"] == "1a"]
    assert [row["run"].partition(",")[0] for row in found] == ["vgg16", "vgg19"]
    assert len({row["picture"] for row in found}) == 2
    assert "`backbone`: another network" in found[1]["differs"]
    assert "`backbone`" not in found[0]["differs"]


def test_a_run_that_diverged_has_its_reason(write, page):
    write("a", "malathi", status="diverged", reason="the loss | grew")
    assert row_of(page(), "malathi")["measured"].startswith("**diverged**: the loss \\| grew<br>total 4 → 1<br>")


def test_pictures_are_small_jpegs_beside_the_page_and_earlier_ones_are_removed(write, page, tmp_path):
    gallery = tmp_path / "docs" / "gallery" / "reproduction"
    run = write("a", "malathi")
    Image.fromarray(np.full((300, 600, 3), (200, 40, 90), np.uint8)).save(run.picture)
    gallery.mkdir(parents=True)
    for name in ("malathi-resnet50.jpg", "of_somebody.jpg"):
        (gallery / name).write_bytes(b"")
    title = "Malathi, A Neural Approach for Image Styling"
    assert row_of(page(), "malathi")["picture"] == f"![{title}](gallery/reproduction/malathi-vgg19.jpg)"
    assert sorted(path.name for path in gallery.iterdir()) == ["malathi-vgg19.jpg", "of_somebody.jpg"]
    with Image.open(gallery / "malathi-vgg19.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (256, 128))
        assert np.abs(np.asarray(image, float) - (200, 40, 90)).max() < 4


def test_a_run_without_a_picture_has_a_dash(write, page):
    write("a", "malathi").picture.unlink()
    assert row_of(page(), "malathi")["picture"] == "–"


def test_commands_have_file_names_and_the_shared_overrides_appear_once(write, page, tmp_path):
    judge = "evaluation.weights='/home/ann/my j/j.h5'"
    write("a", "malathi", "backbone.weights=/home/ann/my_vgg19.h5", "steps=2", judge)
    write("b", "nguyen_le", "backbone.weights=random", "steps=3", judge, record={"weights": VGG16})
    text = page()
    words = "content=photo.jpg 'style=[a.jpg,b.jpg]' evaluation=on"
    assert f"\npython scripts/stylize.py {words} 'evaluation.weights='\"'\"'j.h5'\"'\"'' …\n" in text
    assert row_of(text, "malathi")["command"] == "experiment=malathi backbone.weights=FILE steps=2"
    assert row_of(text, "nguyen_le")["command"] == "experiment=nguyen_le backbone.weights=random steps=3"
    assert "/home" not in text
    assert str(tmp_path) not in text
    assert "name=papers" not in text


def test_a_list_has_spaces_after_its_commas(write, page):
    layers = ["losses.style.layers=[conv1_1,conv2_1]", "image.start='/a/b,c.png'"]
    write("a", "malathi", *layers)
    write("b", "nguyen_le")
    words = shlex.split(row_of(page(), "malathi")["command"])
    assert words[1:] == ["losses.style.layers=[conv1_1, conv2_1]", "image.start='b,c.png'"]
    assert compose_config(words[1]).losses["style"].layers == compose_config(layers[0]).losses["style"].layers


def test_overrides_that_depart_from_the_experiment_have_their_reasons(write, page):
    write("a", "malathi", "runtime.precision=mixed_float16", "image.fit=exact", "steps=2")
    write("b", "nguyen_le", "runtime.precision=mixed_float16")
    text = page()
    assert "- Every run: `runtime.precision=mixed_float16`: features in float16, for speed.\n" in text
    assert row_of(text, "malathi")["differs"].endswith(
        "<br>`image.fit=exact`<br>`steps`: another number of steps than the experiment's"
    )
    assert "runtime.precision" not in row_of(text, "nguyen_le")["differs"]


def test_machine_versions_and_judge_come_from_the_runs(write, page):
    write("a", "malathi")
    write(
        "b", "nguyen_le", record={"machine": "2 cores, Slide Rule, 4 GiB", "scores": SCORES | {"judge": "vgg19_lite"}}
    )
    text = page()
    assert "Machine: 2 cores, Slide Rule, 4 GiB; or 8 cores, Abacus, 16 GiB." in text
    assert "Judged by: vgg19\\_lite; or vgg19, a\\_judge.h5 12345678;" in text
    assert re.search(r"Versions: nst\\_tf \S+, python 3\.\d+\.\d+, tensorflow 2", text)


def test_runs_of_no_system_are_left_out_with_a_warning(write, page, caplog):
    write("a", "malathi")
    write("b", "crowsonkb")
    assert "experiment=crowsonkb" not in page()
    assert caplog.messages == ["Runs of no paper's system are left out: experiment=crowsonkb"]


def test_folders_without_a_run_of_a_system_are_refused(write, page, made_up_run, tmp_path):
    made_up_run(tmp_path / "runs" / "plain", ["content=photo.jpg"])
    with pytest.raises(InputError, match=r"No run of a paper's system in .*sweep=papers"):
        page()


@pytest.mark.slow
def test_the_command_writes_the_page_without_importing_tensorflow(write, tmp_path):
    write("a", "malathi")
    code = (
        "import sys; from nst_tf.cli.commands import run_command\n"
        f"assert run_command('reproduction', [{str(tmp_path / 'runs')!r}, '--output', 'page.md']) == 0\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "  page         page.md\n"), done.stderr
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "\npython scripts/reproduction.py runs --output page.md\n" in text
    assert (tmp_path / "gallery" / "page" / "malathi-vgg19.jpg").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "No such folder: 'nothing'"),
        (["empty"], "No run in 'empty'"),
        (["other"], "No run of a paper's system in 'other'"),
        (["runs", "--output", "runs/a/run.json/page.md"], "Cannot write 'runs/a/run.json/page.md'"),
        ([], "the following arguments are required: FOLDER"),
    ],
)
def test_an_error_of_the_command_is_one_line(arguments, words, write, made_up_run, tmp_path, in_server):
    write("a", "malathi")
    made_up_run(tmp_path / "other", ["experiment=gatys2016"])
    (tmp_path / "empty").mkdir()
    code, out, error = in_server("nst_tf.cli.commands:run_command", "reproduction", arguments)
    assert (code, out, words in error) == (2, "", True), error
    assert [line for line in error.splitlines() if line.startswith("error") or "arguments" in line]
    assert len(error.splitlines()) <= 2  # a run that is left out has another line


def test_docs_reproduction_has_a_row_for_every_system():
    """The rows of docs/reproduction.md are the systems of systems.yaml, and its pictures lie beside it."""
    path = configs_folder().parent / "docs" / "reproduction.md"
    found = rows(path.read_text(encoding="utf-8"))
    assert list(dict.fromkeys(row["title"] for row in found)) == [system.title for system in read_systems().systems]
    for row in found:
        for file in re.findall(r"\]\((gallery/\S+)\)", row["picture"]):
            with Image.open(path.parent / file) as image:
                assert max(image.size) <= 256
