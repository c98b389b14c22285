"""How the runs of a sweep are spread over processes, so that one which dies takes no other along."""

import contextlib
import os
import queue
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from nst_tf.runs.folder import RunFolder
from nst_tf.util.errors import InputError, RunKilled

NUDGE_SECONDS = 0.5
"""Between requests to stop; a run that is still loading hears only a later one."""


class Processes(Launcher):
    """``launcher=joblib``: so many runs at a time, each in a process of joblib's (loky).

    A process goes from run to run, so that what they share is made once in each. Every process has a pool of its own:
    where one is killed, its run is recorded so, a fresh one takes the next run, and the others never know.

    Args:
        n_jobs: Runs at a time.
    """

    def __init__(self, n_jobs: int) -> None:
        if n_jobs < 1:
            raise InputError(f"hydra.launcher.n_jobs={n_jobs}: must be at least 1")
        self._count = n_jobs
        self._pools: queue.LifoQueue[Any] = queue.LifoQueue()
        self._running: set[Any] = set()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Be told by Hydra what to run."""
        self._context, self._task, self._config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all, wait for all.

        Raises:
            KeyboardInterrupt: Somebody asked to stop; the runs under way have ended in good order.
        """
        setup_globals()
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        Path(self._config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        configs = [self._composed(initial_job_idx + n, list(each)) for n, each in enumerate(job_overrides)]
        with ThreadPoolExecutor(self._count) as threads, _sigterm_as_ctrl_c():
            runs = [threads.submit(self._run, config) for config in configs]
            try:
                wait(runs)
            except KeyboardInterrupt:
                self._stop(runs)
                raise
            finally:
                self._close()
        return [run.result() for run in runs]

    def _composed(self, number: int, overrides: list[str]) -> DictConfig:
        config = self._context.config_loader.load_sweep_config(self._config, overrides)
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        return config

    def _run(self, config: DictConfig) -> JobReturn:
        """One run in whatever process is free, or in a new one."""
        try:
            pool = self._pools.get_nowait()
        except queue.Empty:
            pool = _pool()
        self._running.add(pool)
        try:
            result = pool.submit(_in_process, self._context, self._task, config, Singleton.get_state()).result()
        except _dead() as error:
            pool.shutdown(kill_workers=True)
            return _killed(config, error)
        finally:
            self._running.discard(pool)
        self._pools.put(pool)
        return result

    def _stop(self, runs: list["Future[JobReturn]"]) -> None:
        """Begin no further run; ask those under way to stop, and wait until they have."""
        for run in runs:
            run.cancel()
        while wait(runs, NUDGE_SECONDS).not_done:
            for pool in list(self._running):
                for process in list(pool._processes):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGINT)

    def _close(self) -> None:
        for _ in range(self._pools.qsize()):
            self._pools.get().shutdown()
        for pool in list(self._running):  # a run is still there only after a second Ctrl-C
            pool.shutdown(kill_workers=True)


def _pool() -> Any:
    """A pool of one process, which leaves Ctrl-C to the run it has."""
    try:
        from joblib.externals.loky import ProcessPoolExecutor
        from joblib.externals.loky.backend import get_context
    except ImportError as error:
        raise InputError("joblib is not installed: pip install 'nst-tf[joblib]'") from error
    return ProcessPoolExecutor(1, context=get_context("loky"), initializer=_begin)


def _dead() -> type[Exception]:
    """What a pool raises whose process was killed."""
    from concurrent.futures.process import BrokenProcessPool

    return BrokenProcessPool


def _begin() -> None:
    """Leave Ctrl-C to the run that a process has."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load()


def begin_on_ray() -> None:
    """Let a worker of Ray, wherever its cluster was started, work where the command was given."""
    os.chdir(os.environ["NST_TF_FOLDER"])
    _load()


def _load() -> None:
    """Load TensorFlow, silently, before a run's settings are unpacked and load it."""
    from nst_tf.system.startup import load_tensorflow_quietly

    with load_tensorflow_quietly():
        pass


def _in_process(context: HydraContext, task: TaskFunction, config: DictConfig, singletons: dict[Any, Any]) -> JobReturn:
    """What Hydra's launchers do in the process of a run."""
    setup_globals()
    Singleton.set_state(singletons)
    HydraConfig.instance().set_config(config)
    return run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", context)


def _killed(config: DictConfig, error: Exception) -> JobReturn:
    """Record a run that can no longer do so itself."""
    folder = RunFolder(Path(config.hydra.sweep.dir) / config.hydra.sweep.subdir)
    by = re.search(r"SIG[A-Z]+", str(error))
    reason = f"its process was killed{f' ({by.group()})' if by else ''}"
    with contextlib.suppress(InputError):
        record = folder.read_record()
        if record.get("status") == "running":
            folder.write_record(record | {"status": "killed", "reason": reason})
    result = JobReturn(overrides=list(config.hydra.overrides.task), status=JobStatus.FAILED)
    result.return_value = RunKilled(f"run {config.hydra.job.num}: {reason}; the same command goes on with it")
    return result


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end a sweep as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
