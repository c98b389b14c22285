"""A run as an MLflow server shows it. The extra ``mlflow`` installs MLflow's client."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nst_tf.images import to_bytes
from nst_tf.observers.observer import Observer, RunningObserver, is_due
from nst_tf.observers.tags import scalars
from nst_tf.runs.events import Finished, Iterate, Started, with_alpha
from nst_tf.util.checks import above
from nst_tf.util.errors import InputError, message_of
from nst_tf.util.paths import printable

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOCAL_SERVER = "http://127.0.0.1:5000"
"""Address at which ``mlflow server`` listens by default."""

LARGEST_BATCH = 100
"""Largest number of settings in one request to an MLflow server."""

STATUSES = {"completed": "FINISHED", "converged": "FINISHED", "interrupted": "KILLED"}
"""MLflow's statuses by the status of a run; the others are ``FAILED``."""

FOLDER_TAG = "nst_tf.folder_sha256"
"""Tag by which a resumed run finds its earlier part: SHA-256 of the absolute path of the run folder."""


@dataclass
class MLflow(Observer):
    """Settings of the record in MLflow: parameters, metrics, status and the picture.

    The metrics have the tags of TensorBoard's scalars, for example ``loss/total`` and ``layers/style/conv1_1``. The
    parameters are the settings that TensorBoard's HParams have. The artifact is ``stylized.png``. A resumed run
    continues its MLflow run, where steps after the checkpoint may appear twice.

    Attributes:
        every: Number of steps between two records of metrics; 0 for none. Default 10.
        uri: Address of the server, or another tracking URI of MLflow. Default: the environment variable
            ``MLFLOW_TRACKING_URI``, or else `LOCAL_SERVER`.
        experiment: Name of the MLflow experiment. It is created if it is missing. Default ``nst_tf``.
        timeout_seconds: Time after which a request fails; it is repeated once. Default 10. MLflow's own environment
            variables ``MLFLOW_HTTP_REQUEST_TIMEOUT`` and ``MLFLOW_HTTP_REQUEST_MAX_RETRIES`` come first.
    """

    is_standard: ClassVar[bool] = False

    uri: str | None = None
    experiment: str = "nst_tf"
    timeout_seconds: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        above("timeout_seconds", self.timeout_seconds, 0)

    def start(self, event: Started) -> RunningObserver:
        """Return the writer of one MLflow run.

        Raises:
            InputError: MLflow is not installed, or the server does not answer.
        """
        uri = self.uri or os.environ.get("MLFLOW_TRACKING_URI") or LOCAL_SERVER
        with _clear_errors(uri):
            return RunningMLflow(event, self, _client(uri, self.timeout_seconds), uri)


class RunningMLflow(RunningObserver):
    """Writer of one MLflow run.

    Args:
        event: Start of the run.
        settings: See `MLflow`.
        client: Client of the server.
        uri: Address of the server, for messages.
    """

    def __init__(self, event: Started, settings: MLflow, client: MlflowClient, uri: str) -> None:
        self._client, self._uri, self._every, self._alpha = client, uri, settings.every, event.alpha
        self._run = self._earlier_run(event, settings.experiment) or self._new_run(event, settings.experiment)

    def progressed(self, iterate: Iterate) -> None:
        """Write the metrics if they are due."""
        if is_due(iterate, self._every) and iterate.terms:
            self._log_metrics(iterate)

    def finished(self, event: Finished) -> None:
        """Write the last metrics, the picture and the status."""
        pixels = to_bytes(with_alpha(event.iterate.picture(), self._alpha))
        with _clear_errors(self._uri):
            if self._every and event.iterate.terms:
                self._log_metrics(event.iterate)
            self._client.log_image(self._run, pixels, "stylized.png")
            self._client.set_tag(self._run, "nst_tf.reason", event.reason)
            self._client.set_terminated(self._run, STATUSES.get(event.status, "FAILED"))

    def _earlier_run(self, event: Started, experiment: str) -> str | None:
        """Return the latest MLflow run of this run folder, which a resumed run continues; None if there is none."""
        known = self._client.get_experiment_by_name(experiment)
        if event.resumed_at is None or known is None:
            return None
        same_folder = f"tags.`{FOLDER_TAG}` = '{_folder_id(event)}'"
        order = ["attributes.start_time DESC"]
        runs = self._client.search_runs([known.experiment_id], same_folder, max_results=1, order_by=order)
        for run in runs:
            self._client.update_run(run.info.run_id, status="RUNNING")
        return runs[0].info.run_id if runs else None

    def _new_run(self, event: Started, experiment: str) -> str:
        """Create an MLflow run with the settings as its parameters."""
        from mlflow.entities import Param

        known = self._client.get_experiment_by_name(experiment)
        number = self._client.create_experiment(experiment) if known is None else known.experiment_id
        run = self._client.create_run(
            number, run_name=printable(event.folder.path.name), tags={FOLDER_TAG: _folder_id(event)}
        )
        parameters = [Param(key, str(value)) for key, value in event.settings.items()]
        for first in range(0, len(parameters), LARGEST_BATCH):
            self._client.log_batch(run.info.run_id, params=parameters[first : first + LARGEST_BATCH])
        return run.info.run_id

    def _log_metrics(self, iterate: Iterate) -> None:
        from mlflow.entities import Metric

        now = round(1000 * time.time())
        metrics = [Metric(tag, value, now, iterate.step) for tag, value in scalars(iterate).items()]
        with _clear_errors(self._uri):
            self._client.log_batch(self._run, metrics=metrics)


def _client(uri: str, timeout_seconds: int) -> MlflowClient:
    """Return a client whose requests end after the timeout. MLflow reads these limits from the environment alone."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(timeout_seconds))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    from mlflow import MlflowClient

    return MlflowClient(uri)


@contextlib.contextmanager
def _clear_errors(uri: str) -> Iterator[None]:
    """Turn errors of MLflow into an `InputError` of one line.

    Raises:
        InputError: MLflow is not installed, or the server does not answer or refuses a request.
    """
    try:
        yield
    except ImportError as error:
        raise InputError(f"the extra mlflow is missing ({error}): pip install 'nst-tf[mlflow]'") from error
    except Exception as error:
        if type(error).__name__ not in ("MlflowException", "RestException"):
            raise
        reason = message_of(error)[:160]
        raise InputError(f"MLflow at '{uri}': {reason}. Start `mlflow server`, or set the observer's uri") from error


def _folder_id(event: Started) -> str:
    return hashlib.sha256(os.fsencode(event.folder.path.absolute())).hexdigest()
