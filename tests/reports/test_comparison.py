"""Printed and measured figures: values by hand, missing values, and the section of the page."""

import csv

import numpy as np
import pytest
from PIL import Image

from nst_tf.reports import write_report
from nst_tf.reports.comparison import compare_figures, figure_text, measured_value, pictured_steps
from nst_tf.reports.reading import find_runs
from nst_tf.runs.published import Measure, PublishedFigure
from nst_tf.util.errors import InputError

TOTALS = (8.0, 4.0, 1.0)  # after steps 0, 1 and 2, at 0, 0.5 and 1 second


def paper(loss, seconds):
    return {
        "first_loss": PublishedFigure(loss, step=1),
        "step_seconds": PublishedFigure(seconds, Measure.seconds_per_step, relative=True),
    }


@pytest.fixture
def sweep(made_up_sweep):
    """A sweep over two networks of a paper and a run without figures."""
    ends = [
        {"totals": TOTALS, "printed": paper(50.0, 100.0)},
        {"totals": (16.0, 2.0), "printed": paper(20.0, 25.0)},
        {"totals": TOTALS},
    ]
    return made_up_sweep([["seed=0"], ["seed=1"], ["seed=2"]], ends)


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        (PublishedFigure(step=0), 8.0),
        (PublishedFigure(step=2), 1.0),
        (PublishedFigure(step=3), None),
        (PublishedFigure(measure="seconds", step=2), 1.0),
        (PublishedFigure(measure="seconds_per_step"), 0.5),
        (PublishedFigure(measure="seconds_per_step", step=1), 0.5),
        (PublishedFigure(measure="seconds_per_step", step=2), None),
    ],
)
def test_measured_values_are_read_from_the_metrics(figure, value, made_up_run, tmp_path):
    made_up_run(tmp_path / "run", [], totals=TOTALS)
    assert measured_value(find_runs([tmp_path])[0].metrics, figure) == value


def test_seconds_include_tracing_and_seconds_per_step_do_not(made_up_run, tmp_path):
    run = made_up_run(tmp_path / "run", [], totals=TOTALS)
    header = run.metrics.read_text().splitlines()[0]
    rows = [["0", "1", "7.0"], ["1", "21", "17.0"], ["2", "41", "25.0"], ["3", "61", "33.0"]]
    rest = ["1"] * (len(header.split(",")) - 3)
    run.metrics.write_text("\n".join([header, *(",".join(row + rest) for row in rows)]) + "\n")
    metrics = find_runs([tmp_path])[0].metrics
    assert measured_value(metrics, PublishedFigure(measure="seconds", step=1)) == 17.0
    assert measured_value(metrics, PublishedFigure(measure="seconds_per_step", step=1)) == 8.0
    assert measured_value(metrics, PublishedFigure(measure="seconds_per_step")) == pytest.approx(26 / 3)


def test_ratios_are_relative_to_the_first_run_and_only_for_relative_figures(sweep):
    losses, seconds = (compare_figures(find_runs([sweep]))[part] for part in (slice(0, 2), slice(2, 4)))
    assert [one.figure for one in (*losses, *seconds)] == ["first loss"] * 2 + ["step seconds"] * 2
    assert [one.numbers for one in losses] == [[50.0, 4.0, None, None], [20.0, 2.0, None, None]]
    assert [one.numbers for one in seconds] == [[100.0, 0.5, 1.0, 1.0], [25.0, 0.5, 0.25, 1.0]]


def test_there_is_no_ratio_without_a_value_of_the_first_run(made_up_sweep):
    ends = [{"totals": (8.0,), "printed": paper(None, None)}, {"totals": TOTALS, "printed": paper(3.0, 25.0)}]
    comparisons = compare_figures(find_runs([made_up_sweep([["seed=0"], ["seed=1"]], ends)]))
    assert [one.numbers for one in comparisons[2:]] == [[None] * 4, [25.0, 0.5, None, None]]


def test_an_infinite_loss_is_no_measured_value(made_up_run, tmp_path):
    made_up_run(tmp_path / "run", [], totals=(8.0, np.inf, 1.0), status="diverged")
    assert measured_value(find_runs([tmp_path])[0].metrics, PublishedFigure(step=1)) is None


def test_the_first_step_with_a_figure_is_pictured(sweep):
    assert pictured_steps(compare_figures(find_runs([sweep]))) == [(0, 1), (1, 1)]


def test_a_report_with_figures_has_a_section_files_and_pictures(sweep, read_page):
    snapshot = next(sweep.glob("0_*")) / "snapshots" / "step_000001.png"
    snapshot.parent.mkdir()
    Image.new("RGB", (32, 24), "teal").save(snapshot)
    report = write_report([sweep])
    section = read_page(report).find("section", id="printed")[0]["text"]
    assert "Comparison with the papers" in section
    with (report.parent / "printed.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    keys = ("figure", "run", "printed", "measured", "measured_ratio")
    assert [tuple(row[key] for key in keys) for row in rows[1:3]] == [
        ("first loss", "seed=1", "20.0", "2.0", ""),
        ("step seconds", "seed=0", "100.0", "0.5", "1.0"),
    ]
    table = (report.parent / "printed.md").read_text().splitlines()
    assert [cell.strip() for cell in table[5].split("|")[1:-1]] == ["step seconds", "seed=1", "25", "0.5", "0.25", "1"]
    copy = report.parent / "pictures" / "run_0_step_1.png"
    assert copy.read_bytes() == snapshot.read_bytes()
    links = [link["href"] for link in read_page(report).find("a", target="_blank") if "href" in link]
    assert links == ["pictures/run_0_step_1.png"]


def test_a_report_without_figures_has_neither_section_nor_files(made_up_sweep, read_page):
    folder = made_up_sweep([["seed=0"], ["seed=1"]])
    (folder / "report").mkdir()
    (folder / "report" / "printed.csv").write_text("of an earlier report")
    report = write_report([folder])
    assert read_page(report).find("section", id="printed") == []
    assert not list(report.parent.glob("printed.*"))


def test_invalid_figures_in_a_config_are_left_out(sweep):
    run = next(sweep.glob("0_*"))
    config = run / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("measure: total", "measure: beauty"))
    assert list(find_runs([sweep])[0].printed) == ["step_seconds"]
    config.write_text("printed: [1, 2]\n")
    assert find_runs([sweep])[0].printed == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [(8079787520.0, "8079787520"), (369.4181, "369.4"), (115, "115"), (0.86957, "0.8696"), (None, ""), (1e-9, "1e-09")],
)
def test_figures_have_four_significant_digits(value, text):
    assert figure_text(value) == text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"measure": "beauty"}, "measure='beauty': must be one of total, seconds, seconds_per_step"),
        ({"step": -1}, "step=-1: must be at least 0"),
        ({"value": 0.0}, "value=0.0: must be above 0"),
    ],
)
def test_an_invalid_figure_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        PublishedFigure(**settings)
