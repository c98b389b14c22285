"""The number of runs of a sweep that are left, and about how long they will take."""

import contextlib
import math
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from nst_tf.config.pairs import PAIRS_TARGET
from nst_tf.runs.folder import FINAL, RunFolder
from nst_tf.util.durations import rough_duration
from nst_tf.util.errors import InputError

POLL_INTERVAL = 2.0
"""Seconds between two looks at the records of runs in other processes."""

BASIC_LAUNCHER = "BasicLauncher"
"""Class of Hydra's launcher that computes the runs one after the other in the process of the command."""


class Countdown:
    """Counts the runs of a sweep that have ended, and prints a line when the number changes.

    Args:
        folder: Folder of the sweep.
        total: Number of its runs.
    """

    def __init__(self, folder: Path, total: int) -> None:
        self._folder, self._total = folder, total
        self._started, self._wall_clock = time.monotonic(), time.time()
        self._before, self._ended = self._count(), 0

    def update(self, ended: int | None = None) -> None:
        """Print how many runs are left if more have ended than at the last call.

        The remaining time assumes that the runs left take as long as those that have ended since the sweep started.

        Args:
            ended: Number of runs that have ended; None counts the records.
        """
        ended = self._count() if ended is None else ended
        left, computed = self._total - ended, ended - self._before
        if ended <= self._ended or left <= 0:
            return
        self._ended = ended
        words = [f"{ended} of {self._total} runs have ended"]
        if computed > 0:
            words.append(f"about {rough_duration((time.monotonic() - self._started) / computed * left)} left")
        print(", ".join(words), flush=True)

    def _count(self) -> int:
        """Return the number of runs that have ended in this sweep, or in an earlier call of it for good."""
        return sum(self._has_ended(RunFolder(path.parent)) for path in self._folder.glob("*/run.json"))

    def _has_ended(self, run: RunFolder) -> bool:
        with contextlib.suppress(InputError, OSError):
            status = run.read_record().get("status", "running")
            return status in FINAL or (status != "running" and run.record.stat().st_mtime >= self._wall_clock)
        return False


class SweepProgress(Callback):
    """Hydra's callback that reports the progress of a sweep in the process of the command.

    Runs in this process are counted as they end. Under the other launchers a thread counts the records of the runs.
    Launchers copy the callback into worker processes, where the class has no countdown.
    """

    _countdown: ClassVar[Countdown | None] = None
    _runs_here: ClassVar[int] = 0
    _stopped: ClassVar[threading.Event] = threading.Event()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Start to count."""
        if (total := number_of_runs(config)) is None or total < 2:
            return
        kind, countdown = type(self), Countdown(Path(config.hydra.sweep.dir), total)
        kind._countdown, kind._runs_here, kind._stopped = countdown, 0, threading.Event()
        if not str(config.hydra.launcher._target_).endswith(BASIC_LAUNCHER):
            threading.Thread(target=_watch, args=(countdown, kind._stopped), daemon=True).start()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Count a run of this process."""
        kind = type(self)
        if kind._countdown is not None:
            kind._runs_here += 1
            kind._countdown.update(kind._runs_here)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Stop counting."""
        type(self)._stopped.set()
        type(self)._countdown = None


def _watch(countdown: Countdown, stopped: threading.Event) -> None:
    """Update a countdown until it is stopped."""
    while not stopped.wait(POLL_INTERVAL):
        countdown.update()


def number_of_runs(config: DictConfig) -> int | None:
    """Return the number of runs of a sweep; None if it depends on the files that a pattern matches.

    Args:
        config: The config of the sweep, with Hydra's part.
    """
    if trials := OmegaConf.select(config, "hydra.sweeper.n_trials"):
        return int(trials)
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    try:
        overrides = OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task])
        by_key = {override.get_key_element(): override for override in overrides}
        sweeps = [override for override in by_key.values() if override.is_sweep_override()]
        counts = {override.get_key_element(): len(list(override.sweep_string_iterator())) for override in sweeps}
    except HydraException:
        return None
    if config.hydra.sweeper.get("_target_") == PAIRS_TARGET:
        counts.pop("style", None)  # each content has its own
    return math.prod(counts.values())
