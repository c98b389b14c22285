"""The comparison of methods from runs with invented scores: means by hand, equal conditions, and missing methods."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst_tf.config.composing import compose_config, configs_folder
from nst_tf.reports.methods.catalog import read_methods
from nst_tf.reports.methods.grid import MOST_COLUMNS, shown_pairs
from nst_tf.reports.methods.grouping import compare_methods, method_overrides
from nst_tf.reports.methods.page import write_comparison
from nst_tf.reports.methods.table import front, means_over_pairs
from nst_tf.reports.reading import find_runs
from nst_tf.reports.study.statistics import bootstrap_interval
from nst_tf.util.errors import InputError

JUDGE = "vgg19, a_judge.h5 12345678"
MACHINE = "8 cores, Abacus, 16 GiB"


@pytest.fixture
def write(made_up_run, tmp_path):
    """Return a function that writes the run of a method on the n-th pair, with invented scores."""

    def run(method, number, overrides, content, style_ratio=0.1, record=None, **arguments):
        scores = {"content": content, "style_ratio": style_ratio, "cfsd_vgg19_keras": 0.2, "histogan": 0.3, "ssim": 0.4}
        source = f"/home/ann/{number}.png"
        recorded = {
            "scores": scores | {"judge": JUDGE},
            "inputs": {role: {"source": source, "sha256": f"{role}{number}"} for role in ("content", "style:1")},
            "machine": MACHINE,
            "precision": "float32",
            "peak_memory_mb": 500 + number,
        }
        typed = ["sweep=styleid_small", "name=x", f"content={source}", f"style={source}", *overrides]
        folder = tmp_path / "runs" / method / str(number)
        return made_up_run(folder, typed, record=recorded | (record or {}), **arguments)

    return run


@pytest.fixture
def compared(tmp_path):
    """Return a function that groups the runs that were written."""
    return lambda: compare_methods(find_runs([tmp_path / "runs"]), read_methods())


GATYS, ADAM = ["experiment=gatys2016"], ["experiment=gatys2016", "optimizer=adam", "steps=500"]


def test_conditions_do_not_make_a_method():
    typed = ["sweep=styleid_small", "content=a", "style=b", "image.size=256", "seed=3", "name=n", "launcher=joblib"]
    typed += [
        "evaluation=on",
        "evaluation.weights=w.h5",
        "backbone.weights=w.h5",
        "runtime=standard",
        "runtime.threads=1",
    ]
    typed += ["tracking=quiet", "hydra.launcher.n_jobs=2", "output=x.jpg", "pairs=p.csv"]
    assert method_overrides([*typed, *ADAM]) == tuple(ADAM)


def test_a_run_belongs_to_the_method_with_the_most_of_its_overrides():
    catalog = read_methods()
    titles = [catalog.method_of(overrides).title for overrides in (GATYS, ADAM, [*GATYS, "optimizer=adam"])]
    assert titles == ["Gatys et al. 2016, L-BFGS", "Gatys et al. 2016, Adam", "Gatys et al. 2016, L-BFGS"]
    assert catalog.method_of(["loss=gatys"]) is None


def test_means_and_intervals_are_those_of_the_pairs(write, compared):
    for number, content in enumerate((0.5, 0.7, 0.9, 0.3)):
        write("gatys", number, GATYS, content)
    write("again", 0, [*GATYS, "seed=1"], 0.7)
    comparison = compared()
    (mean,) = means_over_pairs(comparison, lambda run: run.record["scores"]["content"]).values()
    values = [0.6, 0.7, 0.9, 0.3]  # the seeds of the first pair are averaged first
    assert mean.value == pytest.approx(np.mean(values))
    assert mean.interval == pytest.approx(bootstrap_interval(values))
    assert mean.count == 4


def test_only_pairs_of_every_method_are_compared_and_other_overrides_are_another_row(write, compared):
    for number in range(3):
        write("gatys", number, GATYS, 0.5)
    for number in (1, 2):
        write("adam", number, ADAM, 0.6)
        write("short", number, [*ADAM[:2], "steps=50"], 0.7)
    comparison = compared()
    assert list(comparison.pairs.values()) == ["1.png × 1.png", "2.png × 2.png"]
    assert [method.title for method in comparison.methods] == [
        "Gatys et al. 2016, L-BFGS",
        "Gatys et al. 2016, L-BFGS `optimizer=adam steps=50`",
        "Gatys et al. 2016, Adam",
    ]
    assert len(comparison.missing) == len(read_methods().methods) - 2


def test_copies_of_equal_runs_are_no_observations(write, compared):
    write("gatys", 0, GATYS, 0.5)
    write("again", 0, [*GATYS, "seed=1"], 0.9, record={"equals": "0"})
    (method,) = compared().methods
    assert [run.record["scores"]["content"] for run in method.on(method.runs)] == [0.5]


def test_the_front_has_the_methods_that_no_other_beats_in_both_scores(write, compared):
    for name, overrides, scores in (
        ("a", GATYS, (0.5, 0.3)),
        ("b", ADAM, (0.4, 0.4)),
        ("c", ["loss=gatys"], (0.5, 0.31)),
        ("d", ["loss=moments"], (0.9, 0.1)),
    ):
        write(name, 0, overrides, *scores)
    titles = [method.title for method in front(compared())]
    assert titles == ["Gatys et al. 2016, Adam", "Gatys et al. 2016, L-BFGS", "`loss=moments`"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            {"height": 48},
            "The pictures of 0.png × 0.png have several sizes: 24x32 (first Gatys et al. 2016, L-BFGS), 48x32 (first "
            "Gatys et al. 2016, Adam). Run every method at one size",
        ),
        (
            {"scores": {"content": 0.1, "judge": "vgg19_lite, embedded"}},
            f"Several judges gave the scores: {JUDGE} (first Gatys et al. 2016, L-BFGS); vgg19_lite, embedded (first "
            "Gatys et al. 2016, Adam). Judge all runs alike: nst-tf evaluate --write",
        ),
        (
            {"inputs": {"content": {"source": "else.png", "sha256": "else"}}},
            "No pair of content and style has a judged run of every method: Gatys et al. 2016, L-BFGS (1), Gatys et "
            "al. 2016, Adam (1). Leave folders out",
        ),
    ],
)
def test_unequal_conditions_are_refused_in_one_line(write, compared, record, message):
    write("gatys", 0, GATYS, 0.5)
    write("x", 0, ADAM, 0.5, record=record)
    with pytest.raises(InputError) as error:
        compared()
    assert str(error.value) == message


def test_runs_without_scores_are_refused(made_up_run, tmp_path, compared):
    made_up_run(tmp_path / "runs" / "a", GATYS)
    with pytest.raises(InputError, match=r"No run has scores\. Add them: nst-tf evaluate --write FOLDER"):
        compared()


@pytest.fixture
def page(tmp_path):
    """Return a function that writes the page and returns its text."""

    def made():
        path = tmp_path / "docs" / "comparison.md"
        write_comparison([tmp_path / "runs"], path, "nst-tf comparison runs")
        return path.read_text(encoding="utf-8")

    return made


def cells(text, heading):
    """Return the rows of the first table below a heading, by the text of their first cell."""
    table = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines() if line.startswith("|")]
    names, _, *rows = ([cell.strip() for cell in row] for row in rows)
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows}


def test_the_page_has_means_costs_and_claims_of_every_method(write, page):
    for number, content in enumerate((0.5, 0.6, 0.7)):
        write("gatys", number, GATYS, content)
        write("adam", number, ADAM, content + 0.1, 0.05, status="diverged" if number else "completed")
    write("adam", 4, ADAM, 0.5)
    text = page()
    scores, costs = cells(text, "Scores"), cells(text, "Cost")
    low, high = (f"{bound:.4f}" for bound in bootstrap_interval([0.5, 0.6, 0.7]))
    assert scores["Gatys et al. 2016, L-BFGS"]["content ↓"] == f"**0.6000 [{low}, {high}]**"
    assert scores["Gatys et al. 2016, L-BFGS"]["cfsd vgg19 keras ↓"] == "0.2000 [0.2000, 0.2000]"  # all are equal
    assert scores["Gatys et al. 2016, Adam"]["style ratio ↓"] == "**0.0500 [0.0500, 0.0500]**"
    assert scores["Gatys et al. 2016, Adam"]["pairs"] == "3 (2 diverged)"
    assert costs["Gatys et al. 2016, L-BFGS"] | {"method": ""} == {
        "method": "",
        "seconds": "1.000 [1.000, 1.000]",
        "seconds a step": "0.5000 [0.5000, 0.5000]",
        "steps": "2",
        "evaluations": "3",
        "memory, MB": "500",
        "precision": "float32",
    }
    claims = cells(text, "Claims and settings")
    assert claims["Gatys et al. 2016, Adam"]["overrides"] == "`experiment=gatys2016 optimizer=adam steps=500`"
    assert "Gatys et al. 2016, Adam has 4 pairs, of which those that every method has are compared." in text
    assert "No run of these methods was given: neural_style" in text
    assert cells(text, "Published values on these pictures")["StyleID"]["ArtFID"] == "28.801"
    assert f"- Machine: {MACHINE}.\n" in text


def test_the_page_has_a_grid_of_all_methods_and_no_private_path(write, page, tmp_path):
    for number in range(2):
        write("gatys", number, GATYS, 0.5)
        write("colours", number, ["method=recolour"], 0.2)
    text = page()
    assert "](gallery/comparison.jpg)" in text
    assert "ann" not in text
    with Image.open(tmp_path / "docs" / "gallery" / "comparison.jpg") as image:
        assert image.width > 2 * 100
        assert image.height > 2 * 100


def test_a_grid_of_many_pairs_shows_evenly_spaced_ones():
    pairs = [(str(number),) for number in range(40)]
    assert shown_pairs(pairs) == pairs[::5]
    assert len(shown_pairs(pairs)) == MOST_COLUMNS
    assert shown_pairs(pairs[:3]) == pairs[:3]


def test_the_printed_artfid_is_made_of_the_printed_fid_and_lpips():
    for artfid, fid, lpips in read_methods().published.rows.values():
        assert artfid == pytest.approx((1 + lpips) * (1 + fid), abs=2e-3)


@pytest.mark.slow
def test_every_listed_method_with_an_experiment_composes():
    options = {path.stem for path in (configs_folder() / "experiment").glob("*.yaml")}
    for method in read_methods().methods:
        experiments = [text.partition("=")[2] for text in method.overrides if text.startswith("experiment=")]
        if set(experiments) <= options:
            compose_config(*method.overrides)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("claims: a baseline", "claim: a baseline", "unexpected keyword argument 'claim'"),
        ("a baseline without", "a baseline | without", "must be text of one line without |"),
        ("[method=recolour]", "[experiment=gatys2016]", "two are experiment=gatys2016"),
        ("[28.801, 18.131, 0.5055]", "[28.801, 18.131]", "StyleID: has 2 numbers for 3 columns"),
    ],
)
def test_a_damaged_list_of_methods_is_refused(tmp_path, old, new, message):
    text = (Path("nst_tf") / "reports" / "methods" / "methods.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "methods.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(message)):
        read_methods(tmp_path / "methods.yaml")
