"""A run and its folder: held alone, continued where it was cut short, told to its observers, kept."""

import contextlib
import datetime
import itertools
import logging
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import filelock
import numpy as np

from nst_tf.runs.events import Event, Failed, Finished, Started
from nst_tf.runs.folder import FINAL, RunFolder, finite, git_commit, versions
from nst_tf.system import hardware
from nst_tf.system.failures import describe_failure, is_out_of_memory
from nst_tf.system.memory import peak_memory_mb
from nst_tf.util.errors import InputError
from nst_tf.util.files import write_text

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Watches a run; see `nst_tf.observers.Observer`."""

    @property
    def periods(self) -> Sequence[int]:
        """Numbers of steps at whose multiples it wants to look."""

    def notify(self, event: Event) -> None:
        """Take an event."""


@dataclass(frozen=True)
class RecordedSettings:
    """The settings of a run as its folder records them.

    Attributes:
        name: The run's name.
        steps: Solver steps the run may take.
        yaml: The resolved config as YAML.
        flat: Dotted keys to plain values, for HParams.
        fingerprint: SHA-256 over all that decides the result.
        precision: What the network computes in.
        overrides: The overrides that were typed.
    """

    name: str
    steps: int
    yaml: str
    flat: Mapping[str, Any]
    fingerprint: str
    precision: str
    overrides: Sequence[str] = ()


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
        status: ``completed``, ``converged``, ``diverged``, ``interrupted`` or ``failed``.
        reason: Why, in words.
        folder: Where everything about it lies.
        record: What `run.json` holds.
    """

    status: str
    reason: str
    folder: RunFolder
    record: dict[str, Any]


@contextlib.contextmanager
def run_lock(folder: RunFolder) -> Iterator[None]:
    """Hold a run's folder, so that no two processes write into one.

    Raises:
        InputError: Another process holds it, or it cannot be made.
    """
    folder.make()
    try:
        with filelock.FileLock(folder.lock, timeout=0):
            yield
    except filelock.Timeout as error:
        raise InputError(
            f"Another process is at work in '{folder.path}': wait for it, or choose another name="
        ) from error


@dataclass
class Session:
    """One run in its folder, from its first record to its last.

    Attributes:
        settings: The run's settings.
        observers: Watch the run, in this order.
        folder: The run's folder.
        record: The content of `run.json` so far, as `first_record` gives it.
    """

    settings: RecordedSettings
    observers: Sequence[Observer]
    folder: RunFolder
    record: dict[str, Any]

    @contextlib.contextmanager
    def record_failure(self) -> Iterator[None]:
        """Record an error that nobody expects and that ends the run before it can tell of its end."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            with contextlib.suppress(OSError):
                self.folder.write_record(self.record | {"status": "failed", "reason": describe_failure(error)})
            raise

    def finished_result(self, product: Path) -> Result | None:
        """The result of the same run where the folder holds one that is over, with what it leaves.

        Args:
            product: What a finished run leaves.

        Raises:
            InputError: The folder holds a run of another fingerprint.
        """
        record = self.folder.read_record()
        if not record:
            return None
        if record["fingerprint"] != self.record["fingerprint"]:
            raise InputError(
                f"'{self.folder.path}' holds a run of other settings or pictures: "
                "choose another name=, or delete the folder"
            )
        status = record["status"]
        over = status in FINAL and (status != "completed" or record["steps"] >= self.settings.steps)
        if not (over and product.exists()):
            return None
        return Result(status, f"already done: {record['reason']}", self.folder, record)

    def state(self) -> dict[str, np.ndarray] | None:
        """The checkpoint to go on from, None for a fresh start; to be asked for before `begin`."""
        return self.folder.read_checkpoint() if self.folder.read_record() else None

    @property
    def periods(self) -> list[int]:
        """Numbers of steps at whose multiples an observer wants to look."""
        return [period for observer in self.observers for period in observer.periods]

    def begin(self) -> None:
        """Write the settings, what was typed, and the first record."""
        write_text(self.folder.config, self.settings.yaml)
        self.folder.write_overrides(self.settings.overrides)
        self.folder.write_record(self.record)

    def observe(self, events: Iterator[Event], columns: Sequence[str], resumed_at: int | None) -> Finished:
        """Tell the observers of the run as it happens.

        Args:
            events: The run; a `Finished` comes last.
            columns: Names of the terms it will report.
            resumed_at: The step it continues from; None for a fresh start.

        Returns:
            How it ended.
        """
        settings, device = self.settings, self.record["device"]
        started = Started(self.folder, settings.steps, resumed_at, columns, settings.yaml, settings.flat, device)
        if resumed_at is not None:
            log.info("Continues from its checkpoint at step %d", resumed_at)
        observers = ObserverList(self.observers)
        event: Event
        for event in itertools.chain([started], events):
            observers.notify(event)
        assert isinstance(event, Finished)
        if isinstance(event, Failed) and not is_out_of_memory(event.error):
            log.error("The run failed at step %d", event.iterate.step, exc_info=event.error)
        return event

    def end(self, end: Finished, **product: Any) -> Result:
        """Write the last record, with what it says of the product."""
        self.record |= last_record(end, self.record["device"]) | product
        self.folder.write_record(self.record)
        return Result(end.status, end.reason, self.folder, self.record)


def first_record(
    settings: RecordedSettings, device: str, inputs: Mapping[str, Any], weights: Mapping[str, str | None] | None
) -> dict[str, Any]:
    """What `run.json` says of every run from its beginning.

    Args:
        settings: What is run.
        device: TensorFlow's name of it.
        inputs: Which pictures it starts from.
        weights: Identity of the network's, as `Backbone.identity` gives it; None where there is no network.
    """
    return {
        "status": "running",
        "reason": "",
        "name": settings.name,
        "host": platform.node(),
        "machine": hardware.describe_machine(),
        "process": os.getpid(),
        "device": device,
        "versions": versions(),
        "git_commit": git_commit(),
        "started_at": _now(),
        "fingerprint": settings.fingerprint,
        "inputs": inputs,
        "weights": weights,
        "precision": settings.precision,
    }


def last_record(end: Finished, device: str) -> dict[str, Any]:
    """What `run.json` says of every run once it has ended."""
    iterate = end.iterate
    return {
        "status": end.status,
        "reason": end.reason,
        "steps": iterate.step,
        "evaluations": iterate.evaluations,
        "seconds": round(iterate.seconds, 3),
        "seconds_per_evaluation": round(iterate.seconds / max(1, iterate.evaluations), 5),
        "peak_memory_mb": round(peak_memory_mb(device)),
        "final": {name: finite(value) for name, value in {"total": iterate.total, **iterate.terms}.items()},
        "finished_at": _now(),
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class ObserverList:
    """Observers, told of every event in order; one that fails is let go, and the run goes on.

    Args:
        observers: In the order they are told.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = list(observers)

    def notify(self, event: Event) -> None:
        """Tell all that still listen."""
        for observer in list(self._observers):
            try:
                observer.notify(event)
            except Exception as error:
                log.warning("%s stopped watching: %s: %s", type(observer).__name__, type(error).__name__, error)
                self._observers.remove(observer)
