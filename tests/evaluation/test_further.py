"""Further measures of a judge: their settings, their names, and their scores in records and tables."""

import csv
import io
import json

import numpy as np
import pytest

from nst_tf import stylize
from nst_tf.backbones import VGG19
from nst_tf.cli.commands import run_command
from nst_tf.evaluation import EvaluationConfig, Judge
from nst_tf.evaluation import settings as settings_module
from nst_tf.evaluation.cfsd import CFSD
from nst_tf.evaluation.further import MEASURES
from nst_tf.evaluation.judge import Scores, score_names
from nst_tf.evaluation.lpips import LPIPS, locate_files
from nst_tf.images import Canvas, read_picture
from nst_tf.util.errors import InputError

pytestmark = pytest.mark.usefixtures("compiled_once")


@pytest.fixture
def all_measures(lpips_files):
    network, linear = lpips_files
    return EvaluationConfig(
        enabled=True, weights="random", measures=list(MEASURES), lpips_network=network, lpips_linear=linear
    )


def test_a_default_judge_has_no_further_measures():
    assert EvaluationConfig().measures == []
    assert Judge(VGG19(weights="random")).measures == ()
    assert score_names() == ["content", "style", "style_ratio", "ssim", "histogram_distance", "total_variation"]


def test_scores_are_in_the_order_of_the_table_with_the_judge_last():
    scores = Scores(0.5, None, None, 0.25, None, 0.125, "vgg19", {"histogan": 0.75}, {"a": "0"})
    assert list(scores.as_dict()) == [*score_names(["histogan"]), "judge"]
    assert str(scores) == "vgg19: content 0.5, ssim 0.25, total_variation 0.125, histogan 0.75"


def test_an_unknown_or_repeated_measure_is_refused():
    with pytest.raises(InputError, match=r"^evaluation\.measures: 'nima' is no measure\. Choose some of cfsd"):
        EvaluationConfig(measures=["nima"])
    with pytest.raises(InputError, match=r"^evaluation\.measures: cfsd stands twice"):
        EvaluationConfig(measures=["cfsd", "cfsd"])


def test_missing_files_are_refused_before_the_run_starts(small_config, tmp_path, lpips_files):
    with pytest.raises(InputError, match=r"^evaluation\.lpips_network is not set"):
        stylize(small_config(evaluation=EvaluationConfig(enabled=True, measures=["lpips"])), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    other = EvaluationConfig(
        enabled=True, measures=["lpips"], lpips_network=lpips_files[1], lpips_linear=lpips_files[1]
    )
    with pytest.raises(InputError, match=r"^evaluation\.lpips_network: Weights file .* has no tensor features"):
        other.check()
    EvaluationConfig(enabled=True, lpips_network="nowhere.pth").check()  # no measure reads it


def test_the_judge_is_kept_until_its_measures_change(all_measures):
    judge = all_measures.judge()
    assert all_measures.judge() is judge
    all_measures.measures = ["histogan"]
    assert [measure.name for measure in all_measures.judge().measures] == ["histogan"]
    settings_module._cached_judge.cache_clear()


@pytest.mark.slow
def test_a_run_records_the_further_scores_under_the_names_of_their_weights(
    small_config, all_measures, tmp_path, pictures
):
    result = stylize(small_config(evaluation=all_measures, image=Canvas(size=40, margin=0)), tmp_path / "run")
    record = json.loads(result.folder.record.read_text())
    network, linear = locate_files(all_measures.lpips_network, all_measures.lpips_linear)
    lpips_name = f"lpips_alexnet_{network.sha256[:8]}_{linear.sha256[:8]}"
    names = ["cfsd_vgg19_random", "histogan", lpips_name]
    assert list(record["scores"]) == [*score_names(names), "judge"]
    assert record["score_files"] == {file.setting: file.sha256 for file in (network, linear)}
    saved, content = (read_picture(str(path)).pixels for path in (result.folder.picture, pictures[0]))
    assert record["scores"][lpips_name] == pytest.approx(LPIPS(network, linear).distance(saved, content), rel=1e-6)
    cfsd = CFSD(VGG19(weights="random"), "vgg19_random").score(saved, content, [], [])
    assert record["scores"]["cfsd_vgg19_random"] == pytest.approx(cfsd, rel=1e-6)
    assert 0 < record["scores"]["histogan"] < 1


def run_evaluate(capsys, *arguments):
    code = run_command("evaluate", [*map(str, arguments), "--weights", "random"])
    captured = capsys.readouterr()
    return code, list(csv.DictReader(io.StringIO(captured.out))), captured.err


@pytest.mark.slow
def test_the_command_adds_further_measures_to_a_finished_run(small_config, tmp_path, capsys):
    folder = stylize(small_config(), tmp_path / "run").folder
    code, (row,), _ = run_evaluate(capsys, folder.path, "--measures", "histogan,cfsd", "--write")
    assert code == 0
    assert list(row) == ["picture", *score_names(["histogan", "cfsd_vgg19_random"]), "judge"]
    scores = json.loads(folder.record.read_text())["scores"]
    assert round(scores["cfsd_vgg19_random"], 5) == float(row["cfsd_vgg19_random"])
    assert "score_files" not in json.loads(folder.record.read_text())
    code, rows, error = run_evaluate(capsys, folder.path, "--measures", "lpips")
    assert (code, rows) == (2, [])
    assert error.count("\n") == 1
    assert "--lpips-network" in error


class TinyInception:
    """A network with the interface of `ArtInception` whose features are the mean colours."""

    def __init__(self, file):
        self.label = f"art_inception_{file.sha256[:8]}"

    def features(self, picture):
        return picture.mean((0, 1)).astype(np.float64)


@pytest.mark.slow
def test_the_command_scores_the_runs_of_a_sweep_as_one_set(
    small_config, tmp_path, pictures, lpips_files, capsys, monkeypatch
):
    monkeypatch.setattr("nst_tf.evaluation.art_inception.ArtInception", TinyInception)
    for seed in (0, 1):
        stylize(small_config(seed=seed, steps=1 + seed), tmp_path / "sweep" / str(seed))
    given = ("--artfid", lpips_files[1], "--lpips-network", lpips_files[0], "--lpips-linear", lpips_files[1])
    code, (row,), error = run_evaluate(capsys, tmp_path / "sweep", *given)
    assert code == 0, error
    pictures_, lpips, fid, artfid = (float(value) for value in row.values())
    assert pictures_ == 2
    assert artfid == pytest.approx((1 + lpips) * (1 + fid), rel=1e-4)
    _, lpips_name, fid_name, name = row
    assert name == f"artfid_{fid_name.removeprefix('fid_')}_{lpips_name}"
    code, _, error = run_evaluate(capsys, tmp_path / "sweep", *given, "--write")
    assert (code, error.count("\n")) == (2, 1)
    stylize(small_config(style=[pictures[1], pictures[0]]), tmp_path / "sweep" / "two")
    code, _, error = run_evaluate(capsys, tmp_path / "sweep" / "two", *given)
    assert code == 2
    assert "not one painting" in error
