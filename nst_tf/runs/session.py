"""A run in its folder: locked, resumed after an interruption, passed on to observers, and recorded."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.runs.events import Alpha, Event, Failed, Finished, InputPictures, Started, opaque
from nst_tf.runs.folder import RunFolder, is_finished
from nst_tf.runs.observer_list import ObserverList, ObserverSettings
from nst_tf.runs.record import RecordedSettings, last_record
from nst_tf.runs.result import Result
from nst_tf.system.failures import describe_failure, is_out_of_memory
from nst_tf.util.errors import InputError
from nst_tf.util.files import write_text
from nst_tf.util.locks import LockedError, hold_lock

log = logging.getLogger(__name__)


class RunClaimedError(InputError):
    """Another process is running in the run folder."""


@contextlib.contextmanager
def run_lock(folder: RunFolder) -> Iterator[None]:
    """Create the folder of a run and lock it during the block, so that no other process writes into it.

    The temporary files of processes that were killed in this folder are removed.

    Raises:
        RunClaimedError: Another process has locked the folder.
        InputError: The folder cannot be created or written, or a folder stands where the run writes a file.
    """
    folder.make()
    folder.check_entries()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(folder.lock))
        except LockedError as error:
            raise RunClaimedError(
                f"Another process is running in '{folder.path}': wait for it, or choose another name="
            ) from error
        except OSError as error:
            raise InputError(
                f"Cannot write into the run folder '{folder.path}': {error.strerror or error}; choose another name="
            ) from error
        folder.remove_leftovers()
        yield


@dataclass
class Session:
    """One run in its folder, from its first record to its last.

    A caller locks the folder with `run_lock` and returns `finished_result` if there is one. Otherwise it reads `state`,
    calls `begin` and `start_observing`, passes the events to `observe`, writes the picture or the weights, and calls
    `end`.

    Attributes:
        settings: Settings of the run.
        observers: Settings of the observers, in the order in which they receive each event.
        folder: Run folder.
        record: Content of `run.json` so far; at first the result of `nst_tf.runs.record.first_record`.
    """

    settings: RecordedSettings
    observers: Sequence[ObserverSettings]
    folder: RunFolder
    record: dict[str, Any]

    @property
    def periods(self) -> list[int]:
        """Periods of all observers, in steps. The events must report every step that is a multiple of one of them."""
        return [period for observer in self.observers for period in observer.periods(self.settings.steps)]

    @contextlib.contextmanager
    def record_failure(self) -> Iterator[None]:
        """Record the status ``failed`` if the block raises an unexpected exception, and raise it again.

        An `InputError` is not recorded, because it asks the user for other settings.
        """
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            with contextlib.suppress(OSError):
                failure = {"status": "failed", "reason": describe_failure(error)}
                self.folder.write_record(self.record | failure, reserved=True)
            raise
        finally:
            self.folder.release_space()

    def finished_result(self, product: Path) -> Result | None:
        """Return the result of an earlier run of the same settings, or None if there is still something to run.

        A run that completed fewer steps than the settings allow is not finished.

        Args:
            product: File that a finished run has written: the picture or the weights.

        Raises:
            InputError: The folder holds a run with another fingerprint.
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
        if not (is_finished(record, self.settings.steps) and product.exists()):
            if status == "running":
                log.info("The process of this run ended without recording its end")
            return None
        return Result(status, f"already done: {record.get('reason', '')}", self.folder, record)

    def state(self) -> dict[str, np.ndarray] | None:
        """Return the checkpoint to resume from, or None for a new run.

        A checkpoint without a record is ignored, because its settings are unknown. Call this method before `begin`,
        which writes a record.
        """
        return self.folder.read_checkpoint() if self.folder.read_record() else None

    def begin(self, product: Path, size: int) -> None:
        """Reserve disk space for the end of the run, and write the config, the overrides and the first record.

        Args:
            product: File that the run will write into the reserved space: the picture or the weights.
            size: Its largest size in bytes, without text in the picture.
        """
        self.folder.reserve_space(product, size)
        write_text(self.folder.config, self.settings.yaml)
        self.folder.write_overrides(self.settings.overrides)
        self.folder.write_record(self.record)

    def observe(self, events: Iterator[Event], observation: "Observation") -> Finished:
        """Run to the end, and pass every event to the observers.

        Args:
            events: Events of the run; the last one is a `Finished`.
            observation: From `start_observing`.

        Returns:
            The last event.
        """
        for event in events:
            observation.notify(event)
        return observation.end()

    def start_observing(
        self,
        columns: Sequence[str],
        resumed_at: int | None,
        alpha: Alpha = opaque,
        inputs: InputPictures = dict,
    ) -> "Observation":
        """Start the observers, after `begin`.

        Args:
            columns: Keys of `Iterate.terms` in this run.
            resumed_at: Step of the checkpoint from which the run is resumed; None for a new run.
            alpha: See `Started.alpha`.
            inputs: See `Started.inputs`.
        """
        settings = self.settings
        if resumed_at is not None:
            log.info("Continues from its checkpoint at step %d", resumed_at)
        started = Started(
            folder=self.folder,
            steps=settings.steps,
            resumed_at=resumed_at,
            columns=columns,
            config=settings.yaml,
            settings=settings.flat,
            device=self.record["device"],
            alpha=alpha,
            inputs=inputs,
        )
        return Observation(self, ObserverList(self.observers, started))

    def end(self, finished: Finished, **product: Any) -> Result:
        """Write the last record.

        Args:
            finished: Last event of the run.
            **product: Further entries of the record that describe the written file, such as its height and width.

        Returns:
            The result of the run with its complete record.
        """
        self.record |= last_record(finished, self.record["device"]) | product
        self.folder.write_record(self.record, reserved=True)
        return Result(finished.status, finished.reason, self.folder, self.record)


class Observation:
    """The observers of one run, from its first event to its last.

    Args:
        session: The session of the run.
        observers: The running observers.
    """

    def __init__(self, session: Session, observers: ObserverList) -> None:
        self._session, self._observers = session, observers
        self._last: Event | None = None

    def notify(self, event: Event) -> None:
        """Pass an event to every observer."""
        self._last = event
        self._observers.notify(event)

    def end(self) -> Finished:
        """Record the observers that failed, and return the last event, a `Finished`."""
        event = self._last
        assert isinstance(event, Finished)
        if self._observers.errors:
            self._session.record["observer_errors"] = self._observers.errors
        if isinstance(event, Failed) and not is_out_of_memory(event.error):
            log.error("The run failed at step %d", event.iterate.step, exc_info=event.error)
        return event
