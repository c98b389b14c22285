"""`scripts/evaluate.py`: scores of run folders and pictures, printed and written into the run folders."""

import csv
import io
import json
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image

from nst_tf import stylize
from nst_tf.evaluation import EvaluationConfig
from nst_tf.losses import ContentLoss
from nst_tf.optimizers import SGD

SCRIPT = Path(__file__).parents[2] / "scripts" / "evaluate.py"
NUMBERS = ("content", "style", "style_ratio", "ssim", "histogram_distance", "total_variation")


@pytest.fixture
def run(forked_scripts, tmp_path):
    """Function that runs the script; it returns exit code, stdout and stderr."""
    return lambda *arguments: forked_scripts(SCRIPT, *arguments, folder=tmp_path)


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.slow
def test_a_run_folder_and_its_picture_have_equal_scores_which_write_records(run, small_config, tmp_path, pictures):
    folder = tmp_path / "run"
    stylize(small_config(), folder)
    before = (folder / "run.json").read_text()
    given = ("--content", pictures[0], "--style", pictures[1], "--weights", "random")
    code, out, error = run(folder, folder / "stylized.png", *given)
    assert code == 0, error
    first, second = table(out)
    assert first == second
    assert first["judge"] == "vgg19, random"
    assert all(float(first[name]) > 0 for name in NUMBERS)
    assert (folder / "run.json").read_text() == before

    code, again, error = run(folder, folder / "stylized.png", *given, "--write")
    assert (code, again) == (0, out), error
    record = json.loads((folder / "run.json").read_text())
    scores = record.pop("scores")
    assert record == json.loads(before)
    assert {name: round(scores[name], 5) for name in NUMBERS} == {name: float(first[name]) for name in NUMBERS}
    judging = EvaluationConfig(enabled=True, weights="random")
    judged = stylize(small_config(evaluation=judging), tmp_path / "judged").record["scores"]
    assert judged.pop("judge") == scores.pop("judge")
    assert judged == pytest.approx(scores, rel=1e-4)


@pytest.mark.slow
def test_a_run_without_a_painting_has_no_style_scores(run, small_config, tmp_path):
    losses = {"content": ContentLoss(layers=["conv1_1"])}
    stylize(small_config(style=None, losses=losses, optimizer=SGD(learning_rate=1e-9)), tmp_path / "run")
    code, out, error = run(tmp_path / "run", "--weights", "random")
    assert code == 0, error
    (row,) = table(out)
    assert (row["style"], row["style_ratio"], row["histogram_distance"]) == ("", "", "")
    assert float(row["ssim"]) > 0.99


@pytest.mark.slow
def test_a_run_whose_photograph_has_changed_is_refused(run, small_config, tmp_path, pictures):
    mine = tmp_path / "mine.png"
    mine.write_bytes(Path(pictures[0]).read_bytes())
    stylize(small_config(content=str(mine)), tmp_path / "run")
    Image.new("RGB", (40, 32)).save(mine)
    code, _, error = run(tmp_path / "run", "--weights", "random", "--write")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "(content) is no longer the picture" in error


@pytest.mark.slow
def test_a_running_or_locked_run_is_refused(run, small_config, tmp_path):
    stylize(small_config(), tmp_path / "run")
    with FileLock(tmp_path / "run" / ".lock"):
        code, _, error = run(tmp_path / "run", "--weights", "random", "--write")
        assert code == 2
        assert "Another process" in error
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "running"}))
    code, _, error = run(tmp_path / "run", "--weights", "random")
    assert code == 2
    assert "not over" in error


@pytest.mark.parametrize("arguments", [["nowhere.png"], ["."], ["nowhere.png", "--content", "x", "--style", "y"]])
def test_an_error_is_one_line(arguments, in_server):
    words = [*arguments, "--weights", "random"]
    code, _, error = in_server("nst_tf.cli.commands:run_command", "evaluate", words)
    assert code == 2
    assert len(error.splitlines()) == 1
    assert error.startswith("error: ")


def test_an_unknown_argument_is_one_line(run):
    code, out, error = run("picture.png", "--bogus")
    assert (code, out, error) == (2, "", "evaluate: unrecognized arguments: --bogus\n")
