"""Which pictures `evaluate` scores: run folders, sweeps, and what a shell's `*` gives beside them."""

import json
import logging

import pytest
from PIL import Image

from nst_tf.cli import scoring
from nst_tf.util.errors import InputError


@pytest.fixture
def sweep(tmp_path):
    """A sweep of two finished runs, with one that is running, one without a picture, a report and plain files."""
    folder = tmp_path / "sweep"
    for number, status in enumerate(["completed", "diverged", "running", "failed"]):
        run = folder / f"{number}_seed={number}"
        (run / ".hydra").mkdir(parents=True)
        config = {"content": "sample:chelsea", "style": ["sample:brick"], "style_weights": None}
        (run / ".hydra" / "config.yaml").write_text(json.dumps(config))
        (run / "run.json").write_text(json.dumps({"status": status, "fingerprint": "0", "steps": 1}))
        if status != "failed":
            Image.new("RGB", (40, 30)).save(run / "stylized.png")
    (folder / "report").mkdir()
    (folder / "multirun.yaml").touch()
    return folder


def found(*paths):
    arguments = scoring.make_parser("evaluate").parse_args([str(path) for path in paths])
    return [scored.run.path.name for scored in scoring._find_pictures(arguments)]


FINISHED = ["0_seed=0", "1_seed=1"]


def test_a_sweep_means_its_finished_runs(sweep):
    assert found(sweep) == FINISHED


def test_a_folder_of_sweeps_means_all_their_runs(sweep):
    assert found(sweep.parent) == FINISHED


def test_what_a_shell_finds_beside_the_runs_is_left_out_with_one_line_each(sweep, caplog):
    caplog.set_level(logging.WARNING)
    assert found(*sorted(sweep.iterdir())) == FINISHED
    reasons = [record.getMessage() for record in caplog.records]
    for start, text in zip(reasons, ("not over", "without a picture", "no run folder", "No run in"), strict=True):
        assert text in start
        assert start.endswith("It is left out.")


def test_a_run_that_is_named_twice_is_scored_once(sweep):
    assert found(sweep / FINISHED[1], sweep, f"{sweep}/{FINISHED[0]}/") == [FINISHED[1], FINISHED[0]]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("report", "No run in '.*report'"),
        ("2_seed=2", "not over"),
        ("3_seed=3", "without a picture"),
        ("multirun.yaml", "no run folder"),
        ("nowhere", "does not exist"),
    ],
)
def test_an_argument_with_nothing_to_score_is_refused(name, message, sweep):
    with pytest.raises(InputError, match=message):
        found(sweep / name)


def test_a_misspelt_path_is_refused_although_others_exist(sweep):
    with pytest.raises(InputError, match="swep' does not exist"):
        found(sweep, sweep.with_name("swep"))


def test_a_failure_leaves_the_scores_of_the_other_runs(sweep, monkeypatch, capsys):
    from nst_tf.evaluation import EvaluationConfig, Scores

    class Strict:
        measures = ()

        def scores(self, *pictures):
            if pictures[0] == FINISHED[0]:
                raise InputError("the photograph has changed")
            return Scores(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, "strict")

    monkeypatch.setattr(EvaluationConfig, "judge", lambda self: Strict())
    monkeypatch.setattr(scoring, "_read_pixels", lambda scored: (scored.run.path.name, None, []))
    arguments = scoring.make_parser("evaluate").parse_args([str(sweep), "--write"])
    with pytest.raises(InputError, match=r"the photograph has changed \(1 of 2 pictures could not be scored\)"):
        scoring.evaluate(arguments)
    assert capsys.readouterr().out.splitlines()[1].endswith("0.1,0.2,0.3,0.4,0.5,0.6,strict")
    records = [json.loads((sweep / name / "run.json").read_text()) for name in FINISHED]
    assert ["scores" in record for record in records] == [False, True]
