"""Gupta et al.'s comparison in one command: whole networks of random filters, a report beside the printed numbers."""

import csv

import pytest

NETWORKS = ("vgg19", "vgg16", "resnet50", "resnet50_12", "inception_v3")
OVERRIDES = (
    *("sweep=gupta2019", "content=sample:astronaut", "style=sample:wedges", "backbone.weights=random"),
    *("image.size=80", "steps=2", "optimizer.max_evaluations=2", "hydra.sweep.dir=sweep"),
)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_sweep_reports_every_measured_figure_beside_the_printed_one(command_line):
    command_line.small = []
    code, out, error = command_line(*OVERRIDES, seconds=600)
    assert (code, out.count("completed: 2 steps\n")) == (0, 5), error
    sweep = command_line.folder / "sweep"
    metrics = {
        name: rows(sweep / f"{number}_experiment=gupta2019_{name}" / "metrics.csv")
        for number, name in enumerate(NETWORKS)
    }
    beside = {
        (row["figure"], row["run"].removeprefix("experiment=gupta2019_")): row
        for row in rows(sweep / "report" / "printed.csv")
    }
    assert len(beside) == 3 * 5
    for name in NETWORKS:
        start, first, last = ({key: float(row[key]) for key in ("seconds", "total")} for row in metrics[name])
        assert float(beside["loss after the first iteration", name]["measured"]) == first["total"] < start["total"]
        assert float(beside["seconds of the first iteration", name]["measured"]) == first["seconds"]
        later = float(beside["seconds of a later iteration", name]["measured"])
        assert later == pytest.approx(last["seconds"] - first["seconds"])
        vgg19 = float(beside["seconds of a later iteration", "vgg19"]["measured"])
        assert float(beside["seconds of a later iteration", name]["measured_ratio"]) == pytest.approx(later / vgg19)
    ratios = [beside["seconds of the first iteration", name]["printed_ratio"] for name in NETWORKS]
    assert [round(float(ratio), 2) if ratio else None for ratio in ratios] == [1, 0.87, 0.56, None, 0.41]
    pictures = {path.name for path in (sweep / "report" / "pictures").glob("run_*")}
    assert pictures == {f"run_{n}{end}.png" for n in range(5) for end in ("", "_step_1")}
