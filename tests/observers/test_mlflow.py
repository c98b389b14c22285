"""The record of a run in MLflow, read back from a local server."""

import importlib.util
import logging
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from nst_tf.observers import MLflow
from nst_tf.runs.events import Progressed, Started
from nst_tf.runs.observer_list import ObserverList

HAS_CLIENT = importlib.util.find_spec("mlflow") is not None
needs_client = pytest.mark.skipif(not HAS_CLIENT, reason="needs MLflow: pip install mlflow")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def limits(monkeypatch):
    """MLflow's limits, which the observer writes into the environment, are removed again."""
    for name in ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.setenv(name, "unset")
        monkeypatch.delenv(name)


def warning_of(settings, run, caplog):
    """The warning and the recorded error of a run whose observer cannot start."""
    caplog.set_level(logging.WARNING, "nst_tf")
    observers = ObserverList([settings], Started(run.folder, 10, None, ["content"], "", {}))
    observers.notify(Progressed(run.iterate(0)))  # the run continues
    (text,) = [record.getMessage() for record in caplog.records if record.name.startswith("nst_tf")]
    assert "\n" not in text
    assert observers.errors.keys() == {"MLflow"}
    return text


def test_without_mlflow_one_line_says_what_to_install(hand_made_run, caplog, monkeypatch, limits):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    text = warning_of(MLflow(), hand_made_run, caplog)
    assert text.startswith("Observer MLflow is switched off after an error: InputError: the extra mlflow is missing")
    assert text.endswith("pip install 'nst-tf[mlflow]'")


@pytest.mark.slow
@needs_client
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("listens", [False, True], ids=["no server", "a server that never answers"])
def test_a_server_that_does_not_answer_costs_seconds_and_one_line(listens, hand_made_run, caplog, limits):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if listens:
            listener.listen()
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
        MLflow(uri=uri)  # the time for the import of MLflow is not counted
        started = time.monotonic()
        text = warning_of(MLflow(uri=uri, timeout_seconds=1), hand_made_run, caplog)
        assert time.monotonic() - started < 30
    assert f"MLflow at '{uri}'" in text
    assert "Start `mlflow server`, or set the observer's uri" in text


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server with an SQLite database."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    words = ["server", f"--port={port}", "--host=127.0.0.1", "--workers=1"]
    words += [f"--backend-store-uri=sqlite:///{folder}/mlflow.db", f"--artifacts-destination={folder}/artifacts"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words],
        cwd=folder,
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "1"},
        **quiet,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, process)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def wait_for(address, process):
    for _ in range(400):
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert process.poll() is None, "the server has ended"
            time.sleep(0.3)
    raise AssertionError("MLflow's server did not answer within two minutes")


@pytest.mark.slow
@needs_client
@pytest.mark.filterwarnings("ignore")
def test_a_server_has_settings_metrics_status_and_picture_of_each_run(hand_made_runs, server, tmp_path, limits):
    from mlflow import MlflowClient
    from PIL import Image

    interrupted, whole = hand_made_runs
    settings = MLflow(every=5, uri=server, experiment="test")
    whole.run(settings)
    interrupted.run(settings, last=5, status="interrupted")
    interrupted.run(settings, resumed_at=5, status="diverged")

    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("test")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert runs.keys() == {"first", "second"}  # the resumed run has continued its own
    assert runs["second"].info.status == "FINISHED"
    assert runs["first"].info.status == "FAILED"
    for run in runs.values():
        assert run.data.params == {"steps": "10"}
        assert run.data.tags["nst_tf.reason"] == "because"
        history = client.get_metric_history(run.info.run_id, "loss/total")
        assert {(metric.step, metric.value) for metric in history} == {(step, 100 / (step + 1)) for step in (0, 5, 10)}
        assert run.data.metrics["weighted/content"] == 100 / 11
        picture = client.download_artifacts(run.info.run_id, "stylized.png", tmp_path)
        with Image.open(picture) as image:
            assert (image.size, image.getpixel((0, 0))) == ((20, 16), (255, 255, 255))
