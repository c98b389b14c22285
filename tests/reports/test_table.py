"""The table: numbers by hand, the best values of comparable runs, and escaped texts."""

import csv
import io
import math

import pandas
import pytest

from nst_tf.losses import ContentLoss, GramLoss
from nst_tf.optimizers import Adam
from nst_tf.reports.axes import build_layout
from nst_tf.reports.choosing import Choice, choose
from nst_tf.reports.documents import write_documents
from nst_tf.reports.reading import find_runs
from nst_tf.reports.table import build_table, formatter

TWO = [["seed=0"], ["seed=1"]]


@pytest.fixture
def table_of(made_up_sweep):
    def build(points, ends):
        runs = find_runs([made_up_sweep(points, ends)])
        return build_table(runs, build_layout(runs))

    return build


def judged(style_ratio, ssim=0.5, judge="vgg19, imagenet"):
    return {"record": {"scores": {"content": 0.9, "style_ratio": style_ratio, "ssim": ssim, "judge": judge}}}


def best_of(choice):
    return [column.name for column in choice.columns], choice.rows


def losses(weight):
    style = GramLoss(layers=["conv1_1"], weight=weight)
    return {"losses": {"content": ContentLoss(layers=["conv4_2"]), "style": style}}


def test_the_csv_has_the_numbers_of_the_runs(table_of, tmp_path):
    table = table_of(TWO, [{"totals": (4.0, 0.1)}, {"totals": (4.0, 2.0, 0.3), "status": "converged"}])
    write_documents(table, tmp_path)
    first, second = csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text()))
    texts = {"run": "1", "status": "converged", "seed": "1", "steps_taken": "2", "evaluations": "3", "seconds": "1.0"}
    numbers = {"loss/total": 0.3, "loss/content": 0.3 / 4, "loss/style": 0.75 * 0.3}
    numbers |= {"raw/content": 0.3 / 4, "raw/style": 0.3 / 100}
    numbers |= {"seconds_per_evaluation": 0.33333, "peak_memory_mb": 500, "height": 24, "width": 32}
    assert {key: second[key] for key in texts} == texts
    assert {key: float(second[key]) for key in numbers} == pytest.approx(numbers, rel=1e-12)
    assert (first["run"], float(first["loss/total"]), first["reason"]) == ("0", 0.1, "2 steps")
    assert not any("conv4_2" in name for name in first)
    assert first["command"] == "python scripts/stylize.py content=photo.jpg steps=3 name=grid_0 seed=0"


def test_the_lowest_total_is_best_for_runs_with_the_same_objective(table_of):
    diverged = {"totals": (0.1,), "status": "diverged"}
    ends = [{"totals": (2.0,)}, {"totals": (1.0,), "seed": 1, "optimizer": Adam()}, diverged]
    table = table_of([*TWO, ["seed=2"]], ends)
    assert best_of(choose(table)) == (["loss/total"], (1,))


def test_runs_with_different_weights_have_comparable_raw_losses_but_not_totals(table_of):
    table = table_of(TWO, [losses(1.0) | {"totals": (2.0,)}, losses(9.0) | {"totals": (1.0,)}])
    assert best_of(choose(table)) == (["raw/content", "raw/style"], (1,))
    marks = {column.name: table.best_rows(column) for column in table.columns}
    assert (marks["loss/total"], marks["raw/style"]) == (set(), {1})


def test_raw_losses_of_different_layers_are_not_comparable(table_of):
    other = losses(1.0)["losses"] | {"content": ContentLoss(layers=["conv3_1"])}
    table = table_of(TWO, [losses(1.0), {"losses": other, "totals": (2.0,)}])
    assert choose(table) == Choice()
    assert all(not table.best_rows(column) for column in table.columns if column.group.startswith("Losses"))


def test_the_best_values_of_judged_columns_are_marked_if_there_is_one_judge(table_of):
    ends = [{"totals": (1.0,)} | judged(0.3, 0.6), {"totals": (9.0,)} | losses(2.0) | judged(0.2, 0.4)]
    table = table_of(TWO, ends)
    assert (table.judge, "judged/judge" in [column.name for column in table.columns]) == ("vgg19, imagenet", False)
    marks = {column.name: table.best_rows(column) for column in table.columns}
    assert (marks["judged/ssim"], marks["judged/style_ratio"]) == ({0}, {1})
    assert marks["judged/content"] == set()  # the same in both


def test_runs_in_several_precisions_are_counted_and_their_totals_are_not_compared(table_of, tmp_path):
    ends = [{"record": {"precision": name}} for name in ("float32", "mixed_bfloat16", "mixed_bfloat16")]
    table = table_of([*TWO, ["seed=2"]], ends)
    assert table.precisions == {"mixed_bfloat16": 2, "float32": 1}
    assert choose(table) == Choice()
    write_documents(table, tmp_path)
    assert "several precisions: mixed\\_bfloat16 (2), float32 (1)." in (tmp_path / "table.md").read_text()
    assert [row["precision"] for row in csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text()))] == [
        *("float32", "mixed_bfloat16", "mixed_bfloat16")
    ]


def test_runs_in_one_precision_have_no_column_for_it(table_of):
    table = table_of(TWO, [{}, {}])
    assert table.precisions == {}
    assert "precision" not in [column.name for column in table.columns]


def test_scores_of_two_judges_are_not_comparable(table_of):
    table = table_of(TWO, [judged(0.3), judged(0.2, judge="vgg19_lite, embedded") | losses(2.0)])
    assert (choose(table), table.judge) == (Choice(), None)
    assert "judged/judge" in [column.name for column in table.columns]


def test_missing_and_infinite_numbers_are_empty(table_of, tmp_path):
    ends = [{"status": "running"}, {"totals": (1.0, math.inf), "status": "diverged"}]
    write_documents(table_of(TWO, ends), tmp_path)
    running, diverged = csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text()))
    assert (running["status"], float(running["loss/total"]), running["peak_memory_mb"]) == ("running", 1.0, "")
    assert (diverged["status"], diverged["loss/total"]) == ("diverged", "")


def test_markdown_and_latex_escape_texts_and_mark_the_best(table_of, tmp_path):
    points = [["content=a_b|c&d%.jpg"], ["content=plain.jpg"]]
    table = table_of(points, [{"totals": (2.0,)}, {"totals": (1.0,)}])
    write_documents(table, tmp_path)
    header, _, first, second = (tmp_path / "table.md").read_text().splitlines()
    assert r"a\_b\|c&d%.jpg" in first
    assert header.count("|") == second.count("|") == first.replace(r"\|", "").count("|")
    assert "**1.000**" in second
    tex = (tmp_path / "table.tex").read_text()
    assert r"a\_b|c\&d\%.jpg" in tex
    assert r"\textbf{1.000}" in tex
    assert r"peak\_memory\_mb" in tex


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.5, 0.0512, None], ["0.5000", "0.0512", ""]),
        ([12.345, 1.0], ["12.35", "1.00"]),
        ([1.0, 20000.0], ["1.000e+00", "2.000e+04"]),
        ([28341872640.0, 4929699840.0], ["2.834e+10", "4.930e+09"]),
        ([2e-5, 3e-5], ["2.000e-05", "3.000e-05"]),
        ([0.0, 0.0], ["0", "0"]),
        ([9.9996, 1.0], ["10.000", "1.000"]),
    ],
)
def test_all_numbers_of_a_column_have_the_same_format(values, texts):
    column = pandas.Series(values, dtype="float64")
    assert [formatter(column)(value) for value in column] == texts
