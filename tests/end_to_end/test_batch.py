"""`runtime.batch` on the command line: the runs of a sweep in one compiled step, each with its own folder."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

SWEEP = ("steps=4", "image.start=noise", "backbone.seed=0", "seed=1,2", "losses.style.weight=20,30")


def runs(folder):
    """Return record, table and picture of each run of a sweep."""
    found = {}
    for path in sorted(folder.glob("[0-9]_*")):
        with (path / "metrics.csv").open(newline="") as file, Image.open(path / "stylized.png") as image:
            found[path.name] = json.loads((path / "run.json").read_text()), list(csv.DictReader(file)), np.array(image)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_sweep_in_batches_equals_the_sweep_run_by_run(command_line, optimizer):
    chosen = (*SWEEP, f"optimizer={optimizer}")
    code, out, error = command_line(*chosen, "runtime.batch=3", "hydra.sweep.dir=together", "-m")
    assert code == 0, error
    assert "computes 3 runs at once" in out
    assert out.count("completed:") == 4
    code, _, error = command_line(*chosen, "hydra.sweep.dir=alone", "-m")
    assert code == 0, error
    together, alone = runs(command_line.folder / "together"), runs(command_line.folder / "alone")
    assert list(together) == list(alone)
    assert [record.get("batch") for record, _, _ in together.values()] == [3, 3, 3, None]
    for name, (record, table, picture) in together.items():
        assert record["fingerprint"] == alone[name][0]["fingerprint"]
        assert [row["step"] for row in table] == [row["step"] for row in alone[name][1]]
        totals = [[float(row["total"]) for row in rows] for rows in (table, alone[name][1])]
        np.testing.assert_allclose(*totals, rtol=1e-3)
        assert np.abs(picture.astype(int) - alone[name][2]).max() <= 2  # of 255


@pytest.mark.slow
def test_a_refused_run_and_equal_runs_of_a_batch_are_those_of_the_sweep(command_line):
    code, out, error = command_line("steps=2,-1", "seed=1,2", "runtime.batch=4", "hydra.sweep.dir=sweep", "-m")
    assert code != 0
    assert "steps=-1" in error
    assert "at once" not in out  # from the content, two seeds are equal runs
