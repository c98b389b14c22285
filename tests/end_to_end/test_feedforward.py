"""The feedforward method on the command line, alone and beside the optimisation."""

import csv
import json

import pytest


def test_a_feedforward_run_ignores_settings_of_the_optimisation(command_line, saved_model, in_server):
    words = [*command_line.small[:2], "image.size=32", f"feedforward.weights={saved_model}"]
    code, out, error = in_server(
        "nst_tf.cli.main:main", words=[*words, "experiment=library_one_style", "steps=300", "name=one"]
    )
    assert (code, error) == (0, "")
    assert "\nWithout effect (method=feedforward): steps=300\n" in out
    assert "completed: one forward pass\n  picture " in out
    assert "outputs/runs/one/stylized.png\n" in out
    record = json.loads((command_line.folder / "outputs" / "runs" / "one" / "run.json").read_text())
    assert (record["height"], record["width"], record["steps"]) == (32, 32, 1)


@pytest.mark.slow
def test_both_methods_with_one_and_three_styles_are_in_one_report(command_line, saved_model, pictures):
    command_line.small = [
        *(f"content={pictures[0]}", f"style=[{pictures[1]},{pictures[0]},sample:grass]"),
        *("style_weights=[0.5,0.3,0.2]", "image.size=32", "steps=1", "runtime.precision=float32"),
        *("backbone.weights=random", "losses.content.layers=[conv1_1]", "losses.style.layers=[conv1_1]"),
        *(f"feedforward.weights={saved_model}", "hydra.sweep.dir=sweep"),
    ]
    code, _, error = command_line("sweep=aradwad_gauri")
    assert code == 0, error
    with (command_line.folder / "sweep" / "report" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["aradwad_gauri", "library_one_style", "aradwad_gauri_three_styles", "library_three_styles"]
    assert [row["experiment"] for row in rows] == names
    assert {row["status"] for row in rows} == {"completed"}
    assert [bool(row["loss/total"]) for row in rows] == [True, False, True, False]
    records = [json.loads((command_line.folder / row["folder"] / "run.json").read_text()) for row in rows]
    assert [len(record["inputs"]) for record in records] == [2, 2, 4, 4]
    assert [record["weights"]["name"] for record in records] == ["vgg16", "magenta", "vgg16", "magenta"]
    assert len(list((command_line.folder / "sweep" / "report" / "pictures").glob("run_*.png"))) == 4
