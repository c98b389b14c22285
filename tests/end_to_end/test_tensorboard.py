"""A sweep as TensorBoard's pages show it, read over their HTTP interface."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from nst_tf.runs.folder import RunFolder

pytestmark = pytest.mark.slow

WEIGHTS = ("1.0", "2.0")
RATES = ("1e-12", "1.0")  # runs with the second one diverge


class Server:
    """A TensorBoard server of one log directory."""

    def __init__(self, folder):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{listener.getsockname()[1]}/data/"
        port = self.address.split(":")[2].partition("/")[0]
        command = [sys.executable, "-m", "tensorboard.main", f"--logdir={folder}", f"--port={port}"]
        options = ["--host=127.0.0.1", "--load_fast=false", "--samples_per_plugin=images=100"]
        quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
        self.process = subprocess.Popen(
            [*command, *options], env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def get(self, path, **query):
        return self._ask(f"{path}?{urllib.parse.urlencode(query)}")

    def post(self, path, **body):
        return self._ask(path, json.dumps(body).encode())

    def _ask(self, path, body=None):
        request = urllib.request.Request(self.address + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def wait_for(self, runs):
        for _ in range(300):
            try:
                if len(self.get("runs")) >= runs:
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            assert self.process.poll() is None
            time.sleep(0.2)
        raise AssertionError(f"TensorBoard did not show {runs} runs within 60 seconds")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, command_lines):
    """A server of four runs, two of which diverge, and their folder."""
    command_line = command_lines(tmp_path_factory.mktemp("tensorboard"))
    grid = [f"losses.style.weight={','.join(WEIGHTS)}", f"optimizer.learning_rate={','.join(RATES)}"]
    code, _, error = command_line("optimizer=sgd", "steps=4", *grid, "hydra.sweep.dir=sweep", "-m")
    assert code == 0, error
    server = Server(command_line.folder / "sweep")
    try:
        server.wait_for(runs=5)  # four runs, and the columns of the sweep
        yield server, command_line.folder / "sweep"
    finally:
        server.process.terminate()
        server.process.wait(timeout=30)


def records(folder):
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/run.json")}


def test_the_table_has_columns_of_varied_settings_losses_and_costs(sweep):
    server, _ = sweep
    experiment = server.post("plugin/hparams/experiment", experimentName="")
    assert [column["name"] for column in experiment["hparamInfos"]] == [
        "losses.style.weight",
        "optimizer.learning_rate",
    ]
    tags = [column["name"]["tag"] for column in experiment["metricInfos"]]
    assert tags == [
        "loss/total",
        *("weighted/content", "weighted/style", "weighted/total_variation"),
        *("raw/content", "raw/style", "raw/total_variation"),
        *("cost/seconds", "cost/evaluations", "cost/peak_memory_mb"),
    ]


def test_each_row_has_its_settings_losses_costs_and_status(sweep):
    server, folder = sweep
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    answer = server.post(
        "plugin/hparams/session_groups", experimentName="", allowedStatuses=statuses, startIndex=0, sliceSize=100
    )
    rows = {}
    for group in answer["sessionGroups"]:
        (session,) = group["sessions"]
        values = {metric["name"]["tag"]: metric["value"] for metric in session["metricValues"]}
        rows[session["name"]] = group["hparams"], session["status"], values
    expected = records(folder)
    assert rows.keys() == expected.keys()
    for name, (settings, status, values) in rows.items():
        record = expected[name]
        typed = dict(text.split("=", 1) for text in RunFolder(folder / name).read_overrides())
        for varied in ("losses.style.weight", "optimizer.learning_rate"):
            assert settings[varied] == float(typed[varied])
        assert settings["backbone"] == "vgg19"
        assert settings["optimizer"] == "sgd"
        diverges = settings["optimizer.learning_rate"] == 1.0
        assert record["status"] == ("diverged" if diverges else "completed")
        assert status == ("STATUS_FAILURE" if diverges else "STATUS_SUCCESS")
        if not diverges:
            assert values["loss/total"] == pytest.approx(record["final"]["total"], rel=1e-6)
            assert values["weighted/style"] == pytest.approx(record["final"]["style"], rel=1e-6)
        assert values["cost/seconds"] == pytest.approx(record["seconds"], abs=1e-3)
        assert values["cost/evaluations"] == record["evaluations"]
        assert values["cost/peak_memory_mb"] == pytest.approx(record["peak_memory_mb"], rel=0.05)


def test_custom_charts_draw_the_losses_of_all_runs(sweep):
    server, folder = sweep
    (category,) = server.get("plugin/custom_scalars/layout")["category"]
    charts = {chart["title"]: chart.get("multiline", {}).get("tag") for chart in category["chart"]}
    assert charts["total and weighted terms"] == [
        "loss/total",
        *(f"weighted/{name}" for name in ("content", "style", "total_variation")),
    ]
    assert "style: mean and range of 2 layers" in charts
    for name, record in records(folder).items():
        for tag in charts["total and weighted terms"]:
            answer = server.get("plugin/custom_scalars/scalars", run=name, tag=tag)
            assert answer["regex_valid"]
            (points,) = answer["tag_to_events"].values()
            assert [step for _, step, _ in points][-1] >= (4 if record["status"] == "completed" else 0)


def test_the_picture_of_every_step_is_shown(sweep):
    server, folder = sweep
    completed = [name for name, record in records(folder).items() if record["status"] == "completed"]
    assert len(completed) == 2
    for name in completed:
        images = server.get("plugin/images/images", run=name, tag="picture", sample=0)
        assert [image["step"] for image in images] == [0, 1, 2, 3, 4]
