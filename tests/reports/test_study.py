"""A study over seeds and pairs: its groups, its tables and files, and the spread of its pictures."""

import csv
import io
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image
from scipy import stats

from nst_tf.reports import write_report
from nst_tf.reports.axes import build_layout
from nst_tf.reports.reading import Run
from nst_tf.reports.study.bands import seed_bands
from nst_tf.reports.study.grouping import build_study, compute_statistics
from nst_tf.reports.study.spread import standard_deviation, write_spread
from nst_tf.reports.study.tables import notes, text_tables
from nst_tf.reports.table import build_table
from nst_tf.runs.folder import RunFolder
from nst_tf.util.errors import InputError

WEIGHTS, CONTENTS, STYLES, SEEDS = (10, 50), "abc", "xy", (0, 1)


def ratio(weight, content, style, seed):
    """Return an invented score: settings, pairs and seeds have their own effects."""
    return 0.5 - weight / 1000 + 0.05 * "abc".index(content) + 0.02 * "xy".index(style) + 0.01 * seed


def run_of(weight, content, style, seed, status="completed", folder="photos", **record):
    """Return an invented run, whose pictures are known by their hashes alone."""
    inputs = {
        "content": {"source": f"{folder}/{content}.jpg", "sha256": content * 64},
        "style:1": {"source": f"paintings/{style}.jpg", "sha256": style * 64},
    }
    score = ratio(weight, content, style, seed)
    losses = {"total": score, "content/raw": score / 3, "style/raw": score / 2}
    facts = {"status": status, "scores": {"style_ratio": score, "judge": "vgg19, imagenet"}, "final": losses}
    overrides = [f"content={folder}/{content}.jpg", f"style=paintings/{style}.jpg", f"losses.style.weight={weight}"]
    settings = {"losses.style.weight": str(weight), "losses.style.layers": "[conv1_1]", "seed": str(seed)}
    return Run(
        label=f"{weight}{content}{style}{seed}",
        folder=RunFolder(Path(f"{weight}{content}{style}{seed}")),
        record=facts | {"seconds": 2.0 + score, "inputs": inputs} | record,
        overrides=[*overrides, f"seed={seed}"],
        settings=settings,
        printed={},
        metrics=pandas.DataFrame(),
    )


def study_of(runs):
    """Return the study and the statistics of some runs."""
    layout = build_layout(runs)
    study = build_study(runs, layout)
    return study, compute_statistics(study, runs, build_table(runs, layout))


GRID = [run_of(*point) for point in product(WEIGHTS, CONTENTS, STYLES, SEEDS)]
"""Two settings on six pairs with two seeds each."""


def test_runs_are_grouped_by_what_varies_besides_seed_and_pictures():
    study, statistics = study_of(GRID)
    assert [setting.name for setting in study.settings] == ["style.weight=10", "style.weight=50"]
    assert study.pairs == tuple(f"{content}.jpg × {style}.jpg" for content, style in product(CONTENTS, STYLES))
    assert [len(runs) for runs in study.cells.values()] == [2] * 12
    seeds = statistics.cell_means["judged/style_ratio"][1, 3]  # weight 50, content b, style y
    scores = [ratio(50, "b", "y", seed) for seed in SEEDS]
    assert (seeds.value, seeds.deviation, seeds.count) == pytest.approx((np.mean(scores), np.std(scores, ddof=1), 2))


def test_seeds_are_averaged_before_pairs_and_settings_are_compared_on_equal_pairs():
    _, statistics = study_of(GRID)
    pairs = [np.mean([ratio(10, *pair, seed) for seed in SEEDS]) for pair in product(CONTENTS, STYLES)]
    mean = statistics.setting_means["judged/style_ratio"][0]
    bounds = stats.bootstrap((np.array(pairs),), np.mean, rng=np.random.default_rng(0)).confidence_interval
    assert (mean.value, mean.count) == (pytest.approx(np.mean(pairs)), 6)
    assert mean.interval == pytest.approx((bounds.low, bounds.high))
    comparison = next(one for one in statistics.comparisons if one.measure.name == "judged/style_ratio")
    (difference,) = comparison.differences
    assert difference.mean.value == pytest.approx(0.04)  # (50 - 10) / 1000 on each pair
    assert (difference.first_wins, difference.second_wins, difference.ties) == (0, 6, 0)
    assert difference.p_value == difference.adjusted == pytest.approx(2 / 2**6)


def test_totals_under_other_weights_are_not_compared_but_raw_losses_are():
    compared = {comparison.measure.name for comparison in study_of(GRID)[1].comparisons}
    assert {"raw/style", "raw/content", "judged/style_ratio", "seconds"} <= compared
    assert not compared & {"loss/total", "loss/style", "peak_memory_mb"}


def test_holms_correction_counts_all_comparisons_of_a_measure():
    _, statistics = study_of([run_of(*point, 0) for point in product((10, 50, 90), CONTENTS, STYLES)])
    comparison = next(one for one in statistics.comparisons if one.measure.name == "judged/style_ratio")
    assert [(one.first, one.second) for one in comparison.differences] == [(0, 1), (0, 2), (1, 2)]
    assert [one.adjusted for one in comparison.differences] == pytest.approx([3 * 2 / 2**6] * 3)
    assert "p (Holm)" in next(table for table in text_tables(statistics) if table.words == 3).header


def test_two_pairs_give_neither_interval_nor_test():
    _, statistics = study_of([run_of(weight, content, "x", 0) for weight, content in product(WEIGHTS, "ab")])
    (difference,) = statistics.comparisons[0].differences
    assert (difference.mean.interval, difference.p_value, difference.adjusted) == (None, None, None)
    means, differences = text_tables(statistics)
    assert means.title == "Means over 2 pairs"
    assert all("[" not in text for row in (*means.rows, *differences.rows) for text in row)
    assert all(row[-1] == "–" for row in differences.rows)


def test_copies_of_equal_runs_and_runs_that_failed_are_left_out_and_counted():
    first, other = run_of(50, "a", "x", 0), run_of(50, "b", "x", 0)
    copy, failed = run_of(50, "a", "x", 1, equals="50ax0"), run_of(50, "a", "x", 2, status="failed")
    study, statistics = study_of([first, copy, other, failed])
    assert (dict(study.cells), study.copies, study.left_out) == ({(0, 0): (0,), (0, 1): (2,)}, 1, 1)
    assert [sentence.partition(",")[0] for sentence in notes(statistics)] == [
        "1 run did not succeed and is left out.",
        "1 run is left out: copies of another run of the same setting and pair",
    ]


def test_one_run_of_each_setting_has_no_statistics():
    study, _ = study_of([run_of(10, "a", "x", 0), run_of(50, "a", "x", 0)])
    assert not study.has_statistics


def test_a_pair_is_known_by_its_pictures_and_not_by_their_paths():
    study, _ = study_of([run_of(10, "a", "x", 0), run_of(10, "a", "x", 1, folder="elsewhere")])
    assert (study.pairs, dict(study.cells)) == (("a.jpg × x.jpg",), {(0, 0): (0, 1)})


def test_a_band_is_the_mean_and_deviation_over_the_steps_that_all_seeds_have():
    tables = [{"step": [0, 1, 2], "total": [4.0, 2.0, 1.0]}, {"step": [0, 1], "total": [8.0, 3.0]}]
    runs = [replace(run_of(10, "a", "x", seed), metrics=pandas.DataFrame(tables[seed])) for seed in SEEDS]
    (band,) = seed_bands(build_study(runs, build_layout(runs)), runs)
    assert (band.name, band.runs) == ("all runs", (0, 1))
    assert list(band.mean.total) == [6.0, 2.5]
    assert list(band.deviation.total) == pytest.approx([np.sqrt(8), np.sqrt(0.5)])


def test_the_report_has_the_statistics_as_page_and_files(made_up_run, read_page, tmp_path):
    invented = [run_of(weight, content, "x", seed) for weight, content, seed in product(WEIGHTS, "ab", SEEDS)]
    for number, run in enumerate(invented):
        record = {key: run.record[key] for key in ("scores", "inputs")}
        made_up_run(tmp_path / f"{number}_run", run.overrides, record=record)
    path = write_report([tmp_path], tmp_path / "report", spread=True)
    page = read_page(path)
    assert page.find("section", _id="statistics")
    assert page.find("input", name="bands")
    rows = list(csv.DictReader(io.StringIO((path.parent / "differences.csv").read_text())))
    ratio_row = next(row for row in rows if row["measure"] == "judged/style_ratio")
    assert (ratio_row["first"], ratio_row["second_wins"], ratio_row["p"]) == ("style.weight=10", "2", "")
    means = list(csv.DictReader(io.StringIO((path.parent / "statistics.csv").read_text())))
    assert {row["over"]: row["n"] for row in means} == {"seeds": "2", "pairs": "2"}
    assert "## Means over 2 pairs" in (path.parent / "statistics.md").read_text()
    assert (path.parent / "statistics.tex").read_text().count(r"\begin{tabular}") == 3
    assert len(list((path.parent / "pictures").glob("spread_*.png"))) == 4
    write_report([tmp_path / "0_run"], path.parent)
    assert not list(path.parent.glob("statistics.*")) + list((path.parent / "pictures").glob("spread_*.png"))


def test_the_spread_is_numpys_standard_deviation_over_the_pictures(tmp_path):
    pictures = np.random.default_rng(0).uniform(size=(4, 5, 6, 3))
    expected = np.sqrt(pictures.var(axis=0, ddof=1).mean(axis=-1))
    np.testing.assert_allclose(standard_deviation(pictures), expected, rtol=1e-12)
    files = [tmp_path / "black.png", tmp_path / "white.png"]
    for path, value in zip(files, (0, 255), strict=True):
        Image.new("RGB", (6, 5), (value,) * 3).save(path)
    assert write_spread(tmp_path / "spread.png", files) == pytest.approx(np.sqrt(0.5))
    assert np.asarray(Image.open(tmp_path / "spread.png")).min() == 255


def test_a_spread_needs_two_pictures_of_one_size():
    with pytest.raises(InputError, match="6×5 and 5×6 pixels differ in size"):
        standard_deviation([np.zeros((6, 5, 3)), np.zeros((5, 6, 3))])
    with pytest.raises(InputError, match="two pictures or more; there are 1"):
        standard_deviation([np.zeros((6, 5, 3))])
