"""The page of the benchmark: its tables, the ratios of the race, and its first lines."""

import math
from xml.etree import ElementTree

import markdown
import pandas
import pytest

from benchmarks.benchmark import Benchmark
from benchmarks.brief import brief_lines
from benchmarks.ledger import COLUMNS, Ledger, Measurement
from benchmarks.page import write_page
from benchmarks.peers import PEERS
from benchmarks.race_tables import RACE, median_and_range, race_ratios
from benchmarks.variants import PICTURE_VARIANTS, TIMED_VARIANTS

NEURAL_STYLE = [setting.name for setting in PEERS["neural_style"].settings]
DEFAULT, FROM_IMAGE, ADAM = NEURAL_STYLE


def _frame(entries):
    return pandas.DataFrame([[getattr(entry, name) for name in COLUMNS] for entry in entries], columns=COLUMNS)


def _race(pair, seconds, size=256, peer="neural_style"):
    """Return the measurements of one race; every picture has the loss 10 by one formula and 10.001 by the other."""
    entries = []
    for name, value in seconds.items():
        key = (f"{peer}: {name}", size)
        entries += [
            Measurement("target loss", *key, 10.0, "loss", pair),
            Measurement("target loss by nst_tf", *key, 10.001, "loss", pair),
            Measurement("target difference", *key, 1e-4, "1", pair),
            Measurement("target seconds", *key, value, "s", pair),
        ]
    return entries


FIRST = {DEFAULT: 300.0, FROM_IMAGE: 30.0, ADAM: 60.0, "nst_tf float32": 20.0, "nst_tf bfloat16": 6.0}
SECOND = {DEFAULT: 320.0, FROM_IMAGE: 50.0, ADAM: math.inf, "nst_tf float32": 20.0, "nst_tf bfloat16": math.inf}
THIRD = {DEFAULT: 310.0, FROM_IMAGE: 40.0, ADAM: 35.0, "nst_tf float32": 20.0, "nst_tf bfloat16": 7.0}


def test_the_best_of_a_program_is_its_setting_that_is_first():
    entries = _race("a + b", FIRST) + _race("c + d", SECOND) + _race("e + f", THIRD)
    ratios = race_ratios(_frame(entries)).set_index("pair")
    assert list(ratios["best setting"]) == [FROM_IMAGE, FROM_IMAGE, ADAM]
    assert list(ratios["its best, s"]) == [30, 50, 35]
    assert list(ratios["nst_tf float32: ratio to its best"]) == pytest.approx([1.5, 2.5, 1.75])
    assert list(ratios["nst_tf float32: ratio to its default"]) == pytest.approx([15, 16, 15.5])
    assert list(ratios["nst_tf bfloat16: ratio to its best"]) == pytest.approx([5, 0, 5])


def test_a_race_without_all_settings_of_the_program_has_no_best():
    """A best of some settings alone would flatter this program."""
    seconds = {name: value for name, value in FIRST.items() if name != ADAM}
    assert race_ratios(_frame(_race("a + b", seconds))).empty


def test_a_default_may_be_the_best():
    slow = FIRST | {FROM_IMAGE: math.inf, ADAM: math.inf}
    frame = _frame(_race("a + b", slow))
    (best,) = race_ratios(frame)["best setting"]
    assert best == DEFAULT
    _, line = brief_lines(frame, gpu="")
    assert f"it takes 300 s at its best ({DEFAULT}), which is its default. In float32" in line
    assert line.endswith("In bfloat16, nst_tf takes 6 s, which is 50.0 times as fast as its best.")


def test_a_cell_has_the_median_and_the_range():
    assert median_and_range(pandas.Series([3.0, 1.0, 1.5, 2.5]), ".1f") == "2.0 (1.0–3.0)"
    assert median_and_range(pandas.Series([1.46]), ".1f") == "1.5"
    assert median_and_range(pandas.Series([5.0, math.inf, 7.0]), ".0f") == "7 (5–7, not reached in 1 of 3)"
    assert median_and_range(pandas.Series([math.nan]), ".1f") == "–"
    assert median_and_range(pandas.Series([2.0, 0.0, 0.0]), ".1f") == "– (2.0–2.0, not reached in 2 of 3)"


def test_the_first_lines_lead_with_the_ratio_to_the_best_setting():
    lines = brief_lines(_frame(_race("a + b", FIRST) + _race("c + d", SECOND) + _race("e + f", THIRD)), gpu="")
    assert lines[0] == "No figure is from a GPU: nothing has been measured on one."
    (race,) = lines[1:]
    assert "neural-style-pt saves by default, 256 px, median (range) of 3 pairs" in race
    assert f"it takes 35 (30–50) s at its best ({FROM_IMAGE} or {ADAM}) and 310 (300–320) s by default" in race
    assert "In float32, nst_tf takes 20 (20–20) s, which is 1.8 (1.5–2.5) times as fast as its best" in race


def test_a_default_that_was_not_timed_has_no_seconds_and_no_ratio():
    frame = _frame(_race("a + b", FIRST | {DEFAULT: math.nan}))
    (row,) = race_ratios(frame).to_dict("records")
    assert (row["best setting"], row["its best, s"]) == (FROM_IMAGE, 30)
    assert math.isnan(row["its default, s"])
    assert math.isnan(row["nst_tf float32: ratio to its default"])
    _, line = brief_lines(frame, gpu="")
    assert f"it takes 30 s at its best ({FROM_IMAGE}). In float32" in line
    assert line.endswith("In bfloat16, nst_tf takes 6 s, which is 5.0 times as fast as its best.")


def test_the_first_lines_say_what_has_been_measured():
    entries = [
        Measurement("picture", "the default network vgg19_lite", 512, 39.0, "s"),
        Measurement("picture", "VGG-19 in float32", 512, 260.0, "s"),
        Measurement("area", "nst_tf float32", 256, 0.3, "s"),
        Measurement("area", "nst_tf float32", 1024, 5.1, "s"),
        Measurement("evaluation", "nst_tf float32", 512, 1.3, "s"),
        Measurement("evaluation", "nst_tf float32", 512, 1.5, "s"),
        Measurement("evaluation", "PyTorch float32", 512, 1.7, "s"),
        Measurement("memory", "PyTorch float32", 1024, 3104.0, "MiB"),
    ]
    assert brief_lines(_frame(entries), gpu="NVIDIA X") == [
        "A picture of 512 px takes 39 s with the default network vgg19_lite and 260 s with VGG-19 in float32 on this "
        "machine, with 200 steps.",
        "The figures are from a machine with a GPU, NVIDIA X, on which both sides compute.",
        "From 256 to 1024 px, which is 16 times the pixels, the time of an evaluation grows 17 times in float32.",
        "An evaluation of the same objective at 512 px, forward and backward, takes 1.30 s in float32 (1.70 s in "
        "PyTorch).",
        "A process at 1024 px needs 3104 MiB by PyTorch float32.",
    ]


def test_nothing_is_invented_for_an_empty_ledger():
    assert brief_lines(_frame([]), gpu="") == ["No figure is from a GPU: nothing has been measured on one."]


@pytest.mark.bench
def test_the_page_has_the_measurements_and_their_ratios(tmp_path):
    ledger = Ledger(tmp_path / "figures.csv")
    for name, seconds in {"nst_tf float32": 0.9, "PyTorch float32": 1.0}.items():
        ledger.add(
            Measurement("evaluation", name, 512, seconds, "s"), Measurement("evaluation", name, 512, 2 * seconds, "s")
        )
        ledger.add(
            Measurement("memory", name, 512, 1000 * seconds, "MiB"), Measurement("area", name, 512, seconds, "s")
        )
    ledger.add(Measurement("peak", "convolution float32", 0, 500.0, "GFLOP/s"))
    ledger.add(*_race("a + b", FIRST))
    ledger.add(Measurement("target curve", f"neural_style: {DEFAULT}, 50", 256, 30.0, "loss", "a + b"))
    write_page(ledger, tmp_path / "page.md", tmp_path / "page.png", "the command", "photograph + painting")
    page = (tmp_path / "page.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("|    512 | nst_tf float32"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    gflops = 4 * 361152 * 512**2 / 0.9e9
    assert cells == ["512", "nst_tf float32", "0.900", "1.350", "0.90", f"{gflops:.0f}", f"{gflops / 500:.2f}"]
    assert "the command" in page
    assert "![" in page
    assert (tmp_path / "page.png").stat().st_size > 5000
    row = next(line for line in page.splitlines() if line.startswith("| neural-style-pt"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["neural-style-pt", "256", "1"]
    assert cells[3:] == [FROM_IMAGE, "300.0", "30.0", "20.0", "6.0", "1.5", "5.0", "15.0", "50.0"]
    assert page.index("## In brief") < page.index("## Time to the loss") < page.index("## Evaluation")
    assert "differs from nst_tf's by at most 1.0e-04 of the loss" in page
    assert "NNST is\nleft out" in page


def test_the_settings_of_a_program_are_a_list_below_its_objective():
    """Python-Markdown, which renders the documentation, takes four spaces for a list within a list."""
    lists = ElementTree.fromstring(f"<page>{markdown.markdown(RACE)}</page>").findall("ul")
    programs = [item for each in lists for item in each.findall("li")]
    assert [item.text.partition(":")[0] for item in programs] == [peer.name for peer in PEERS.values()]
    settings = ["".join(nested.itertext()) for item in programs for nested in item.findall("ul/li")]
    for peer, text in zip(PEERS.values(), settings, strict=True):
        assert text.startswith(f"{peer.default.name} ({peer.default.steps} steps)")


@pytest.mark.bench
def test_a_precision_that_is_not_measured_has_no_columns(tmp_path):
    ledger = Ledger(tmp_path / "figures.csv")
    ledger.add(*_race("a + b", {name: value for name, value in FIRST.items() if "bfloat16" not in name}))
    arguments = (ledger, tmp_path / "page.md", tmp_path / "page.png", "the command", "photograph + painting")
    write_page(*arguments, precisions=("float32",))
    page = (tmp_path / "page.md").read_text()
    assert "It has no instructions for bfloat16, not measured here." in page
    assert page.count("bfloat16") == 1
    write_page(*arguments)
    assert "instructions" not in (tmp_path / "page.md").read_text()


def test_variants_in_a_precision_that_is_not_measured_are_left_out(tmp_path):
    benchmark = Benchmark((), "random", tmp_path, Ledger(tmp_path / "figures.csv"), precisions=("float32",))
    assert benchmark.in_precisions(TIMED_VARIANTS) == ["nst_tf float32", "PyTorch float32"]
    assert benchmark.in_precisions(PICTURE_VARIANTS) == ["the default network vgg19_lite", "VGG-19 in float32"]
    both = Benchmark((), "random", tmp_path, Ledger(tmp_path / "figures.csv"))
    assert both.in_precisions(TIMED_VARIANTS) == list(TIMED_VARIANTS)
