"""The report: its files, the contents of the page, and the errors of the command."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_tf.reports import write_report

GRID = [[f"losses.style.weight={w}", f"seed={s}"] for w in (1, 10) for s in (0, 1, 2)]
MARKUP = "<script>alert(1)</script>\"'&"


@pytest.fixture(scope="module")
def report(write_sweep, tmp_path_factory):
    """The page of six runs. The tests only read it."""
    ends = [{}, {"totals": (4.0, 0.5)}, {"status": "failed", "reason": MARKUP}, {"status": "running"}, {}, {}]
    return write_report([write_sweep(tmp_path_factory.mktemp("sweep") / "grid", GRID, ends)])


def data(page):
    return json.loads(page.find("script", type="application/json")[0]["text"])


def test_a_report_has_all_files_and_no_empty_picture(report):
    names = {path.name for path in report.parent.iterdir()}
    tables = {"table.csv", "table.md", "table.tex"}
    tables |= {"statistics.csv", "differences.csv", "statistics.md", "statistics.tex"}  # the runs have several seeds
    assert names == {"index.html", "pictures", "contact_sheet.png", "losses.png", "losses.pdf"} | tables
    assert report.parent.name == "report"
    assert (report.parent / "losses.pdf").read_bytes().startswith(b"%PDF")
    for name in ("contact_sheet.png", "losses.png"):
        with Image.open(report.parent / name) as image:
            assert np.asarray(image.convert("L")).std() > 5, f"{name} is empty"


def test_the_pictures_form_the_grid_with_its_values_as_headings(report, read_page):
    page = read_page(report)
    assert len(page.find("table", _class="sheet")) == 1
    headings = [(e["text"].strip(), e["scope"]) for e in page.find("th")][:7]
    across = [("seed", "colgroup"), ("style.weight", "col"), ("0", "col"), ("1", "col"), ("2", "col")]
    assert headings == [*across, ("1", "row"), ("10", "row")]
    order = [figure["id"] for figure in page.find("figure", _class="tile")]
    assert order == [f"run-{n}" for n in range(6)]


def test_the_page_says_that_the_runs_have_several_precisions(made_up_sweep, read_page):
    ends = [{"record": {"precision": name}} for name in ("float32", "mixed_bfloat16")]
    report = write_report([made_up_sweep([["seed=0"], ["seed=1"]], ends)])
    notes = [" ".join(note["text"].split()) for note in read_page(report).find("p", _class="note")]
    expected = "The runs computed in several precisions: float32 (1), mixed_bfloat16 (1)."
    assert any(expected in note for note in notes)


def test_best_and_failed_runs_are_marked_in_words(report, read_page):
    page = read_page(report)
    tiles = {figure["id"]: figure for figure in page.find("figure", _class="tile")}
    assert "is-chosen" in tiles["run-1"]["class"]
    assert [("best" in tile["text"].split()) for tile in tiles.values()] == [False, True, False, False, False, False]
    assert "failed" in tiles["run-2"]["text"]
    assert "is-failed" in tiles["run-2"]["class"]
    assert "running" in tiles["run-3"]["text"]
    assert "no picture" in tiles["run-3"]["text"]
    assert "The best run has the lowest total" in " ".join(page.find("p", _class="note")[0]["text"].split())


def test_markup_in_a_reason_is_escaped(report, read_page):
    page = read_page(report)
    assert MARKUP in next(f for f in page.find("figure") if f.get("id") == "run-2")["text"]
    assert data(page)["runs"][2]["status"] == f"failed: {MARKUP}"
    assert "alert(1)" not in "".join(e["text"] for e in page.find("script") if e.get("type") != "application/json")


def test_every_picture_has_a_description_and_every_file_is_in_the_report(report, read_page):
    page = read_page(report)
    pictures = [e for e in page.find("img") if not {"dialog", "details"} & set(e["within"])]
    assert len(pictures) == 5 + 2 + 1  # five of six runs, both inputs, and the curves for browsers without scripts
    assert all(e["alt"].strip() for e in pictures)
    files = [e["src"] for e in pictures]
    files += [run[key] for run in data(page)["runs"] for key in ("file", "thumbnail", "content") if run[key]]
    files += [file for run in data(page)["runs"] for _, _, file in run["styles"]]
    files += [e["href"] for e in page.find("a") if not e.get("href", "#").startswith("#")]
    for file in files:
        assert not re.match(r"\w+:|/", file)
        assert (report.parent / file).is_file()


def test_full_pictures_are_copies_and_the_photograph_has_their_size(report, read_page):
    runs = data(read_page(report))["runs"]
    original = next(report.parent.parent.glob("0_*")) / "stylized.png"
    assert (report.parent / runs[0]["file"]).read_bytes() == original.read_bytes()
    assert runs[0]["content"] == runs[5]["content"]
    with Image.open(report.parent / runs[0]["content"]) as content:
        assert content.size == (runs[0]["width"], runs[0]["height"]) == (32, 24)


def test_the_curves_have_the_logged_values(report, read_page):
    page = read_page(report)
    curves = json.loads(page.find("script", id="curve-data")[0]["text"])
    assert [curve["run"] for curve in curves] == list(range(6))
    assert curves[1]["name"] == "style.weight=1, seed=1"
    assert curves[1]["columns"]["total"] == [4.0, 0.5]
    assert curves[1]["columns"]["seconds"] == [0.0, 0.5]
    assert curves[1]["columns"]["evaluations"] == [1, 2]
    assert "content/conv4_2" not in curves[1]["columns"]
    assert data(page)["styles"]["axes"] == {"colour": 0, "dash": 1}


def test_a_changed_photograph_is_left_out(made_up_sweep, pictures, read_page, tmp_path, caplog):
    copy = Path(shutil.copy(pictures[0], tmp_path / "photo.png"))
    folder = made_up_sweep([["seed=0"], ["seed=1"]])
    for path in folder.glob("*/run.json"):
        path.write_text(path.read_text().replace(pictures[0], str(copy)))
    assert data(read_page(write_report([folder])))["runs"][0]["content"] is not None
    Image.new("RGB", (40, 32)).save(copy)
    page = read_page(write_report([folder]))
    assert data(page)["runs"][0]["content"] is None
    assert len(caplog.messages) == 1
    assert "photo.png (file missing or changed)" in page.find("section", _class="inputs")[0]["text"]


def test_runs_without_losses_and_pictures_make_a_report(made_up_sweep, read_page):
    folder = made_up_sweep([["seed=0"], ["seed=1"]])
    for path in [*folder.glob("*/metrics.csv"), *folder.glob("*/stylized.png")]:
        path.unlink()
    page = read_page(write_report([folder]))
    assert "No run has logged its losses" in page.find("section", id="losses")[0]["text"]
    assert len(page.find("span", _class="none")) == 2


def test_pictures_of_an_earlier_report_are_removed(made_up_sweep):
    folder = made_up_sweep([["seed=0"], ["seed=1"]])
    report = write_report([folder]).parent
    shutil.rmtree(folder / "1_seed=1")
    write_report([folder])
    assert sorted(path.name for path in (report / "pictures").glob("run_*")) == ["run_0.png"]


@pytest.mark.slow
def test_the_command_writes_the_given_folder_without_importing_tensorflow(made_up_sweep, tmp_path):
    folder = made_up_sweep(GRID)
    arguments = [str(folder), "--report", "elsewhere", "--best", "seconds"]
    code = (
        "import sys; from nst_tf.cli.commands import run_command\n"
        f"assert run_command('compare', {arguments!r}) == 0\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "  report       elsewhere/index.html\n"
    assert (tmp_path / "elsewhere" / "index.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "No such folder: 'nothing'"),
        (["empty"], "No run in 'empty'"),
        (["grid", "--best", "beauty"], "--best 'beauty'; available: steps_taken"),
        (["grid", "--report", "grid/0_seed=0/run.json"], "Cannot write the report"),
        ([], "the following arguments are required: FOLDER"),
    ],
)
def test_an_error_of_the_command_is_one_line(arguments, words, made_up_sweep, tmp_path, in_server):
    made_up_sweep([["seed=0"], ["seed=1"]])
    (tmp_path / "empty").mkdir()
    code, out, error = in_server("nst_tf.cli.commands:run_command", "compare", arguments)
    assert (code, out, words in error) == (2, "", True), error
    assert error.count("\n") == 1
