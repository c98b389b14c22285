"""A run and its folder: held alone, continued where it was cut short, told to its observers, kept."""

import contextlib
import datetime
import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from nst_tf.errors import InputError
from nst_tf.memory import is_out_of_memory, peak_memory_mb
from nst_tf.observers import Event, Failed, Finished, Observer, Started
from nst_tf.runs import FINAL, RunFolder, finite, git_commit, versions

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
def alone(run: RunFolder) -> Iterator[None]:
    """Hold the folder, so that no two processes write into one."""
    try:
        with filelock.FileLock(run.lock, timeout=0):
            yield
    except filelock.Timeout as error:
        raise InputError(f"Another process is at work in '{run.path}': wait for it, or choose another name=") from error


def state_to_continue(
    run: RunFolder, product: Path, identity: str, steps: int
) -> dict[str, np.ndarray] | Result | None:
    """The checkpoint to go on from, nothing for a fresh start, or the result of a run already done.

    Args:
        run: Its folder.
        product: What a finished run leaves there.
        identity: Fingerprint of all that decides the product.
        steps: How far the run is to go.

    Raises:
        InputError: The folder holds a run of another identity.
    """
    record = run.read_record()
    if not record:
        return None
    if record["fingerprint"] != identity:
        raise InputError(
            f"'{run.path}' holds a run of other settings or pictures: choose another name=, or delete the folder"
        )
    status = record["status"]
    done = status in FINAL and (status != "completed" or record["steps"] >= steps)
    if done and product.exists():
        return Result(status, f"already done: {record['reason']}", run, record)
    return run.read_checkpoint()


def first_record(name: str, device: str) -> dict[str, Any]:
    """What `run.json` says of every run from its beginning."""
    return {
        "status": "running",
        "reason": "",
        "name": name,
        "device": device,
        "versions": versions(),
        "git_commit": git_commit(),
        "started_at": _now(),
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


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def watch(events: Iterator[Event], observers: Sequence[Observer], started: Started) -> Finished:
    """Tell observers of a run as it happens.

    Args:
        events: The run; a `Finished` comes last.
        observers: In the order they are told.
        started: What they are told first.

    Returns:
        How it ended.
    """
    watching = Watchers(observers)
    event: Event
    for event in itertools.chain([started], events):
        watching.notify(event)
    assert isinstance(event, Finished)
    if isinstance(event, Failed) and not is_out_of_memory(event.error):
        log.error("The run failed at step %d", event.moment.step, exc_info=event.error)
    return event


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
