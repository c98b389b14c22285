"""A run and its folder: held alone, continued where it was cut short, told to its observers, kept."""

import contextlib
import datetime
import itertools
import logging
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import filelock
import numpy as np

from nst_tf import processor
from nst_tf.config import Config, chosen, fingerprint, flat, to_yaml
from nst_tf.distillation import Distillation
from nst_tf.engine import reason_of
from nst_tf.errors import InputError
from nst_tf.evaluation import Scores
from nst_tf.files import write_text
from nst_tf.memory import is_out_of_memory, peak_memory_mb
from nst_tf.observers import Event, Failed, Finished, Observer, Started, in_order, write_scores
from nst_tf.runs import FINAL, RunFolder, finite, git_commit, versions

Settings = TypeVar("Settings", Config, Distillation)

log = logging.getLogger(__name__)


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
def alone(folder: RunFolder) -> Iterator[None]:
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
class Job(Generic[Settings]):
    """One run in its folder, from its first record to its last.

    Attributes:
        settings: What is run.
        overrides: What was typed to get these settings.
        folder: Where it is kept.
        record: What `run.json` says of it so far, as `first_record` gives it.
    """

    settings: Settings
    overrides: Sequence[str]
    folder: RunFolder
    record: dict[str, Any]

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Record an error that nobody expects and that ends the run before it can tell of its end."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            with contextlib.suppress(OSError):
                self.folder.write_record(self.record | {"status": "failed", "reason": reason_of(error)})
            raise

    def done(self, product: Path) -> Result | None:
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

    @cached_property
    def text(self) -> str:
        """The settings as YAML."""
        return to_yaml(self.settings)

    @cached_property
    def observers(self) -> list[Observer]:
        """What watches, in the order it is told."""
        return in_order(self.settings.tracking.values())

    @property
    def periods(self) -> list[int]:
        """Numbers of steps at whose multiples an observer wants to look."""
        return [period for observer in self.observers for period in observer.periods]

    def begin(self) -> None:
        """Write the settings, what was typed, and the first record."""
        write_text(self.folder.config, self.text)
        self.folder.write_overrides(self.overrides)
        self.folder.write_record(self.record)

    def watch(self, events: Iterator[Event], columns: Sequence[str], resumed_at: int | None) -> Finished:
        """Tell the observers of the run as it happens.

        Args:
            events: The run; a `Finished` comes last.
            columns: Names of the terms it will report.
            resumed_at: The step it continues from; None for a fresh start.

        Returns:
            How it ended.
        """
        steps, settings = self.settings.steps, flat(self.settings) | chosen(self.settings)
        started = Started(self.folder, steps, resumed_at, columns, self.text, settings, self.record["device"])
        if resumed_at is not None:
            log.info("Continues from its checkpoint at step %d", resumed_at)
        watchers = Watchers(self.observers)
        event: Event
        for event in itertools.chain([started], events):
            watchers.notify(event)
        assert isinstance(event, Finished)
        if isinstance(event, Failed) and not is_out_of_memory(event.error):
            log.error("The run failed at step %d", event.moment.step, exc_info=event.error)
        return event

    def end(self, end: Finished, **product: Any) -> Result:
        """Write the last record, with what it says of the product."""
        self.record |= last_record(end, self.record["device"]) | product
        self.folder.write_record(self.record)
        return Result(end.status, end.reason, self.folder, self.record)


def first_record(
    settings: Config | Distillation,
    device: str,
    inputs: dict[str, Any],
    hashes: Sequence[str],
    weights: dict[str, str | None] | None,
    precision: str | None = None,
) -> dict[str, Any]:
    """What `run.json` says of every run from its beginning.

    Args:
        settings: What is run.
        device: TensorFlow's name of it.
        inputs: Which pictures it starts from.
        hashes: SHA-256 of all that is read but the weights.
        weights: Identity of the network's, as `Backbone.identity` gives it; None where there is no network.
        precision: What the network computes in; by default as `Runtime.policy` says.
    """
    precision = precision or settings.runtime.policy()
    return {
        "status": "running",
        "reason": "",
        "name": settings.name,
        "host": platform.node(),
        "machine": processor.machine(),
        "process": os.getpid(),
        "device": device,
        "versions": versions(),
        "git_commit": git_commit(),
        "started_at": _now(),
        "fingerprint": fingerprint(settings, [*hashes, str(weights and weights["sha256"]), precision]),
        "inputs": inputs,
        "weights": weights,
        "precision": precision,
    }


def last_record(end: Finished, device: str) -> dict[str, Any]:
    """What `run.json` says of every run once it has ended."""
    moment = end.moment
    return {
        "status": end.status,
        "reason": end.reason,
        "steps": moment.step,
        "evaluations": moment.evaluations,
        "seconds": round(moment.seconds, 3),
        "seconds_per_evaluation": round(moment.seconds / max(1, moment.evaluations), 5),
        "peak_memory_mb": round(peak_memory_mb(device)),
        "final": {name: finite(value) for name, value in {"total": moment.total, **moment.terms}.items()},
        "finished_at": _now(),
    }


def keep_scores(folder: RunFolder, record: dict[str, Any], scores: Scores) -> None:
    """Add a picture's scores to its run: to the record, to `run.json`, and to TensorBoard if the run has that.

    Args:
        folder: The run's; held by the caller.
        record: What its `run.json` says; of a run that is over.
        scores: Of its picture.
    """
    values = asdict(scores)
    record["scores"] = {name: finite(value) if isinstance(value, float) else value for name, value in values.items()}
    folder.write_record(record)
    if folder.tensorboard.is_dir():
        write_scores(folder.tensorboard, record["steps"], record["scores"])


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class Watchers:
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
