"""The small StyleID benchmark as a user types it, with pictures of the tests, and the page about two methods."""

import csv
import shutil

import pytest

from nst_tf.reports.methods.page import write_comparison


@pytest.mark.slow
def test_two_methods_run_on_the_benchmark_and_become_a_page(command_line, pictures):
    for folder, count in {"cnt": 2, "sty": 3}.items():
        (command_line.folder / "mine" / folder).mkdir(parents=True)
        for number in range(count):
            shutil.copy(pictures[number % 2], command_line.folder / "mine" / folder / f"{number:02}.png")
    command_line.small = []
    shared = ("sweep=styleid_small", "styleid.path=mine", "styleid.contents=1", "styleid.styles=2", "image.size=64")
    for name, method in {"colours": ["method=recolour"], "moments": ["loss=moments", "steps=1"]}.items():
        words = (*shared, f"name={name}", "evaluation.weights=embedded", *method)
        code, out, error = command_line(*words)
        assert (code, out.count("completed: ")) == (0, 2), error
    assert command_line(*words)[1].count("completed: already done") == 2
    sweeps = command_line.folder / "outputs" / "sweeps"
    with (sweeps / "colours" / "report" / "table.csv").open(newline="") as file:
        assert [row["judged/histogan"] != "" for row in csv.DictReader(file)] == [True, True]
    page = write_comparison([sweeps], command_line.folder / "page.md", "nst-tf comparison outputs/sweeps")
    text = page.read_text(encoding="utf-8")
    assert "| Colours alone " in text
    assert "| `loss=moments steps=1` " in text
    assert "Every method stylised the same 2 pairs" in text
