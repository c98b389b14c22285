"""Runs with evaluation=on: the saved picture is scored after the run, and a failing judge does not fail the run."""

import json
import math

import pandas
import pytest
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups

from nst_tf import stylize
from nst_tf.evaluation import EvaluationConfig, Judge
from nst_tf.evaluation.measures import total_variation
from nst_tf.images import read_picture
from nst_tf.losses import GramLoss
from nst_tf.observers import Metrics
from nst_tf.optimizers import SGD, Adam
from nst_tf.reports import write_report
from nst_tf.system.signals import Interrupted
from nst_tf.util.errors import InputError

ON = EvaluationConfig(enabled=True, weights="random")
pytestmark = pytest.mark.usefixtures("compiled_once")
NUMBERS = ("content", "style", "style_ratio", "ssim", "histogram_distance", "total_variation")


def record_of(folder):
    return json.loads((folder / "run.json").read_text())


class HParams:
    """TensorBoard's HParams table of a folder of runs, read through its own backend."""

    def __init__(self, folder):
        multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"scalars": 0})
        multiplexer.AddRunsFromDirectory(str(folder))
        multiplexer.Reload()
        provider = data_provider.MultiplexerDataProvider(multiplexer, str(folder))
        self._backend = backend_context.Context(base_plugin.TBContext(data_provider=provider))

    def columns(self):
        request = api_pb2.GetExperimentRequest(include_metrics=True)
        experiment = get_experiment.Handler(RequestContext(), self._backend, "", request).run()
        return {info.name.tag for info in experiment.metric_infos}

    def rows(self, tags):
        request = api_pb2.ListSessionGroupsRequest(
            start_index=0,
            slice_size=10,
            include_metrics=True,
            allowed_statuses=[api_pb2.STATUS_SUCCESS],
            col_params=[api_pb2.ColParams(metric=api_pb2.MetricName(tag=tag)) for tag in tags],
        )
        groups = list_session_groups.Handler(RequestContext(), self._backend, "", request).run().session_groups
        return [{value.name.tag: value.value for value in group.metric_values} for group in groups]


def test_the_scores_of_the_saved_picture_are_in_the_record_and_in_hparams(small_config, tmp_path, pictures):
    result = stylize(small_config(evaluation=ON), tmp_path / "runs" / "one")
    content, style = (read_picture(path) for path in pictures)
    saved = read_picture(str(result.folder.picture)).pixels
    expected = Judge(ON.backbone()).scores(saved, content, [style])
    scores = record_of(tmp_path / "runs" / "one")["scores"]
    assert list(scores) == [*NUMBERS, "judge"]
    assert scores["judge"] == expected.judge == "vgg19, random"
    assert {n: scores[n] for n in NUMBERS} == pytest.approx({n: getattr(expected, n) for n in NUMBERS}, rel=1e-5)
    assert result.record["scores"] == scores

    table = HParams(tmp_path / "runs")
    tags = [f"judged/{name}" for name in NUMBERS]
    assert {*tags, "loss/total"} <= table.columns()
    (row,) = table.rows(tags)
    assert {tag: row[tag] for tag in tags} == pytest.approx({f"judged/{n}": scores[n] for n in NUMBERS}, rel=1e-6)


def test_evaluation_does_not_change_the_optimisation(small_config, tmp_path):
    plain = stylize(small_config(), tmp_path / "plain").record
    judged = stylize(small_config(evaluation=ON), tmp_path / "judged").record
    assert "scores" not in plain
    for key in ("status", "steps", "evaluations", "final", "fingerprint"):
        assert judged[key] == plain[key]
    plain, judged = (read_picture(str(tmp_path / name / "stylized.png")).pixels for name in ("plain", "judged"))
    assert (plain == judged).all()


def test_the_record_is_complete_before_the_evaluation_and_its_seconds_exclude_it(small_config, tmp_path, monkeypatch):
    recorded = {}

    def scores(self, *_):
        recorded.update(record_of(tmp_path / "run"))
        assert (tmp_path / "run" / "stylized.png").exists()
        raise RuntimeError("stop here")

    monkeypatch.setattr(Judge, "scores", scores)
    record = stylize(small_config(evaluation=ON), tmp_path / "run").record
    assert recorded["status"] == "completed"
    assert recorded["seconds"] == record["seconds"] > 0


@pytest.mark.parametrize("error", [RuntimeError("an error\nof two lines"), MemoryError()])
def test_a_failing_judge_gives_one_warning_and_a_completed_run(error, small_config, tmp_path, monkeypatch, caplog):
    def fail(self, *_):
        raise error

    monkeypatch.setattr(Judge, "scores", fail)
    result = stylize(small_config(evaluation=ON), tmp_path / "run")
    assert result.status == "completed"
    assert result.folder.picture.exists()
    assert "scores" not in record_of(tmp_path / "run")
    (warning,) = [r.getMessage() for r in caplog.records if "not judged" in r.getMessage()]
    assert "\n" not in warning

    monkeypatch.undo()
    again = stylize(small_config(evaluation=ON), tmp_path / "run")
    assert again.reason.startswith("already done")
    assert again.record["scores"]["judge"] == "vgg19, random"


@pytest.mark.slow
def test_a_resumed_run_is_scored_again(small_config, tmp_path):
    first = stylize(small_config(evaluation=ON), tmp_path / "run").record["scores"]
    second = stylize(small_config(evaluation=ON, steps=9), tmp_path / "run").record["scores"]
    whole = stylize(small_config(evaluation=ON, steps=9), tmp_path / "whole").record["scores"]
    assert second == whole != first
    (row, *_) = HParams(tmp_path).rows(["judged/style"])
    assert row["judged/style"] == pytest.approx(second["style"], rel=1e-6)


@pytest.mark.slow
def test_several_styles_are_averaged_by_their_shares(small_config, tmp_path, pictures):
    config = small_config(style=[pictures[1], pictures[0]], style_weights=[3.0, 1.0], evaluation=ON)
    record = stylize(config, tmp_path / "run").record
    saved = read_picture(str(tmp_path / "run" / "stylized.png")).pixels
    content, style = (read_picture(path) for path in pictures)
    alone = [Judge(ON.backbone()).scores(saved, content, [one]).style for one in (style, content)]
    assert record["scores"]["style"] == pytest.approx(0.75 * alone[0] + 0.25 * alone[1], rel=1e-5)


def test_a_run_without_content_has_no_content_scores(small_config, tmp_path):
    losses = {"style": GramLoss(layers=["conv1_1"])}
    scores = stylize(small_config(content=None, losses=losses, evaluation=ON), tmp_path / "run").record["scores"]
    assert (scores["content"], scores["ssim"]) == (None, None)
    assert scores["style"] > 0
    assert "judged/ssim" not in HParams(tmp_path).columns()


def test_without_tensorboard_only_the_record_has_the_scores(small_config, tmp_path):
    config = small_config(tracking={"metrics": Metrics(every=1)}, evaluation=ON)
    assert "scores" in stylize(config, tmp_path / "run").record
    assert not list((tmp_path / "run").glob("events*"))


def test_an_interrupted_run_is_not_scored(small_config, tmp_path, monkeypatch):
    def stop(self, *_):
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr("nst_tf.optimization.engine.Engine._advance", stop)
        result = stylize(small_config(evaluation=ON), tmp_path / "run")
    assert result.status == "interrupted"
    assert "scores" not in result.record


def test_a_diverged_run_is_scored_by_its_saved_picture(small_config, tmp_path):
    result = stylize(small_config(optimizer=SGD(learning_rate=1.0), evaluation=ON), tmp_path / "run")
    assert result.status == "diverged"
    saved = read_picture(str(result.folder.picture)).pixels
    assert result.record["scores"]["total_variation"] == pytest.approx(total_variation(saved))


def test_missing_weights_are_refused_before_the_run_starts(small_config, tmp_path):
    with pytest.raises(InputError, match=r"^evaluation\.weights="):
        stylize(small_config(evaluation=EvaluationConfig(enabled=True, weights="nowhere.h5")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_report_has_the_scores_of_every_run(small_config, tmp_path):
    for name, rate in {"1": 0.001, "2": 0.1}.items():
        stylize(small_config(optimizer=Adam(learning_rate=rate), evaluation=ON), tmp_path / "runs" / name)
    ratios = [record_of(tmp_path / "runs" / name)["scores"]["style_ratio"] for name in ("1", "2")]
    page = write_report([tmp_path / "runs"], tmp_path / "report")
    text = page.read_text(encoding="utf-8")
    assert "judged by vgg19, random" in text
    table = pandas.read_csv(tmp_path / "report" / "table.csv")
    assert table["judged/style_ratio"].tolist() == pytest.approx(ratios)
    assert not math.isclose(*ratios, rel_tol=1e-3)
