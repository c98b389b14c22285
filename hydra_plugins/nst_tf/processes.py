"""The launcher of ``launcher=joblib``, which runs a sweep in processes that fail independently of each other."""

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

STOP_INTERVAL = 0.5
"""Seconds between two requests to stop; a run that is still loading misses the first ones."""


class Processes(Launcher):
    """Launcher that runs a sweep in worker processes of joblib's (loky).

    A worker takes one run after the other, so that it builds only once what its runs share. Each worker is a pool of
    its own: if it is killed, its run is recorded as killed, a new worker takes the next run, and the other workers are
    not affected.

    Args:
        n_jobs: Number of runs at a time.

    Raises:
        InputError: ``n_jobs`` is below 1.
    """

    def __init__(self, n_jobs: int) -> None:
        if n_jobs < 1:
            raise InputError(f"hydra.launcher.n_jobs={n_jobs}: must be at least 1")
        self._n_jobs = n_jobs
        self._idle_pools: queue.LifoQueue[Any] = queue.LifoQueue()
        self._busy_pools: set[Any] = set()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Store the function that Hydra's sweeper runs, and its config."""
        self._context, self._task, self._config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs, and return their results in the same order.

        Args:
            job_overrides: The overrides of each job.
            initial_job_idx: Number of the first job within the sweep.

        Raises:
            KeyboardInterrupt: The sweep was asked to stop; its current runs have saved their pictures and ended.
        """
        setup_globals()
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        Path(self._config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        configs = [self._job_config(initial_job_idx + n, list(each)) for n, each in enumerate(job_overrides)]
        with ThreadPoolExecutor(self._n_jobs) as threads, _sigterm_as_ctrl_c():
            runs = [threads.submit(self._run, config) for config in configs]
            try:
                wait(runs)
            except KeyboardInterrupt:
                self._stop(runs)
                raise
            finally:
                self._close()
        return [run.result() for run in runs]

    def _job_config(self, number: int, overrides: list[str]) -> DictConfig:
        config = self._context.config_loader.load_sweep_config(self._config, overrides)
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        return config

    def _run(self, config: DictConfig) -> JobReturn:
        """Run one job in an idle worker, or in a new one, and return its result."""
        try:
            pool = self._idle_pools.get_nowait()
        except queue.Empty:
            pool = _new_pool()
        self._busy_pools.add(pool)
        try:
            result = pool.submit(_run_in_worker, self._context, self._task, config, Singleton.get_state()).result()
        except _broken_pool() as error:
            pool.shutdown(kill_workers=True)
            return _record_killed(config, error)
        finally:
            self._busy_pools.discard(pool)
        self._idle_pools.put(pool)
        return result

    def _stop(self, runs: list["Future[JobReturn]"]) -> None:
        """Start no further run, ask the current ones to stop, and wait until they have stopped."""
        for run in runs:
            run.cancel()
        while wait(runs, STOP_INTERVAL).not_done:
            for pool in list(self._busy_pools):
                for process in list(pool._processes):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGINT)

    def _close(self) -> None:
        for _ in range(self._idle_pools.qsize()):
            self._idle_pools.get().shutdown()
        for pool in list(self._busy_pools):  # a run is left only after a second Ctrl-C
            pool.shutdown(kill_workers=True)


def _new_pool() -> Any:
    """Return a pool of one worker process."""
    try:
        from joblib.externals.loky import ProcessPoolExecutor
        from joblib.externals.loky.backend import get_context
    except ImportError as error:
        raise InputError("joblib is not installed: pip install 'nst-tf[joblib]'") from error
    return ProcessPoolExecutor(1, context=get_context("loky"), initializer=_start_worker)


def _broken_pool() -> type[Exception]:
    """Return the class of the error that a pool raises when its process was killed."""
    from concurrent.futures.process import BrokenProcessPool

    return BrokenProcessPool


def _start_worker() -> None:
    """Ignore Ctrl-C between runs; a run handles Ctrl-C itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def begin_on_ray() -> None:
    """Change to the folder of the command, since a Ray cluster may have started the worker elsewhere."""
    os.chdir(os.environ["NST_TF_FOLDER"])


def _run_in_worker(
    context: HydraContext, task: TaskFunction, config: DictConfig, singletons: dict[Any, Any]
) -> JobReturn:
    """Run one job in the worker process, as Hydra's own launchers do."""
    setup_globals()
    Singleton.set_state(singletons)
    HydraConfig.instance().set_config(config)
    return run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", context)


def _record_killed(config: DictConfig, error: Exception) -> JobReturn:
    """Record that a run was killed, and return its result for Hydra."""
    folder = RunFolder(Path(config.hydra.sweep.dir) / config.hydra.sweep.subdir)
    sent = re.search(r"SIG[A-Z]+", str(error))
    reason = f"its process was killed{f' ({sent.group()})' if sent else ''}"
    with contextlib.suppress(InputError):
        record = folder.read_record()
        if record.get("status") == "running":
            folder.write_record(record | {"status": "killed", "reason": reason})
    result = JobReturn(overrides=list(config.hydra.overrides.task), status=JobStatus.FAILED)
    result.return_value = RunKilled(f"run {config.hydra.job.num}: {reason}; the same command continues it")
    return result


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C."""
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
