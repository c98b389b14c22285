"""The command line: Hydra composes the configs, each config runs as a job, and a user error prints one line."""

import errno
import logging
import os
import sys
from collections.abc import Callable

from hydra import main as hydra_main
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from nst_tf.cli.hydra_errors import is_cluster_error, missing_extra, one_line
from nst_tf.cli.job import run_job, search_score
from nst_tf.cli.sweeps import SweepReport, register_plugins
from nst_tf.config.overrides import register_resolvers
from nst_tf.system.startup import load_tensorflow_quietly
from nst_tf.util.errors import InputError, RunKilled

# A worker process of a sweep imports this module when it unpickles its job, and its config needs the resolvers.
register_resolvers()

EXIT_CODES = {"failed": 1, "refused": 2, "interrupted": 130}
"""Exit codes by status: an error during a run, an unusable setting, a request to stop. Other statuses give 0."""

ENVIRONMENT = {
    "HYDRA_FULL_ERROR": "1",  # Hydra raises errors instead of printing them, so that one line can be made of them
    "RAY_USAGE_STATS_ENABLED": "0",  # a Ray cluster that a sweep starts sends no statistics
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # and does not hide the GPUs from runs that reserved none
}
"""Environment variables of libraries, with values that apply unless the user has set others."""

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a full or broken disk, which are no fault of the command."""

log = logging.getLogger(__name__)


class WorkerRunEnded(Exception):  # noqa: N818 - carries a status, which is no error of the launcher
    """The status of a run in a worker process, which Hydra's launchers pass on to the process of the command."""


def main(task: str = "config") -> None:
    """Run ``nst-tf``, or a script of ``scripts/``, and exit as `EXIT_CODES` says.

    Args:
        task: Name of the YAML file that is composed: ``config`` to stylise, ``distill`` to train the embedded network.
    """
    statuses: list[str] = []
    try:
        statuses.append(report_errors(lambda: _run_command(task, statuses)))
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        statuses.append("interrupted")
    sys.exit(exit_code(statuses))


def _run_command(task: str, statuses: list[str]) -> str:
    """Let Hydra compose and launch all jobs; append the status of each job in this process to ``statuses``."""
    configs, rerun = _prepare(task)
    command_process = os.getpid()

    def job(config: DictConfig) -> float | None:
        """Run one config. Launchers pickle this function and call it in worker processes too."""
        status = _run_and_report(config, rerun)
        statuses.append(status)
        if os.getpid() != command_process:
            if status in EXIT_CODES:
                raise WorkerRunEnded(status)
        elif status == "interrupted" and _is_sweep():
            raise KeyboardInterrupt  # Ctrl-C ends the sweep, not only the current run
        return None if status in EXIT_CODES else search_score()

    try:
        hydra_main(version_base="1.3", config_path=configs, config_name=task)(job)()
    except RuntimeError as error:
        if (missing := missing_extra(error)) is None:
            raise
        raise missing from error
    finally:
        SweepReport.write()
    return "completed"


def _prepare(task: str) -> tuple[str, str]:
    """Make Hydra ready for the command line.

    Returns:
        The folder of the YAML files, and the typed ``rerun=PATH`` (empty where none was typed).
    """
    with load_tensorflow_quietly():
        from nst_tf.config.composing import configs_folder, expand_rerun, register_schemas
        from nst_tf.config.renames import current_overrides

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    register_schemas()
    register_plugins()
    arguments, rerun = current_overrides(sys.argv[1:]), ""
    if task == "config":
        arguments, rerun = expand_rerun(arguments)
    sys.argv[1:] = arguments
    return str(configs_folder()), rerun


def _is_sweep() -> bool:
    return HydraConfig.get().mode is RunMode.MULTIRUN


def _run_and_report(config: DictConfig, rerun: str) -> str:
    """Run one job, print its error if it has one, and return its status."""
    place = f"run {HydraConfig.get().job.num}: " if _is_sweep() else ""
    return report_errors(lambda: run_job(config, rerun), place)


def report_errors(work: Callable[[], str], place: str = "") -> str:
    """Do a piece of work and return its status; print an error as one line on stderr.

    Args:
        work: The work, which returns its own status.
        place: Prefix of the message, which names the run in a sweep; empty outside a sweep.

    Returns:
        The work's status; ``refused`` where a setting cannot be used; ``failed`` where the disk is full or broken, and
        in a sweep for any other error.

    Raises:
        Exception: Any other error outside a sweep. Its traceback shows the fault in the program.
    """
    try:
        return work()
    except WorkerRunEnded as end:
        return str(end)  # the worker has printed its error
    except RunKilled as killed:
        return _failed("failed", str(killed))
    except (InputError, HydraException, OmegaConfBaseException) as error:
        return _failed("refused", f"{place}{one_line(error)}")
    except OSError as error:
        file = f" '{error.filename}'" if error.filename else ""
        status = "failed" if error.errno in DISK_ERRORS else "refused"
        return _failed(status, f"{place}Cannot use{file}: {error.strerror or error}")
    except Exception as error:
        if is_cluster_error(error):
            place = "a job of the cluster ended without a status; the same command continues the remaining runs: "
        elif not place:
            raise
        log.exception("%sfailed", place)
        return _failed("failed", f"{place}{type(error).__name__}: {one_line(error)}")


def _failed(status: str, message: str) -> str:
    """Print an error and return the status."""
    print(f"error: {message}", file=sys.stderr)
    return status


def exit_code(statuses: list[str]) -> int:
    """Return the largest exit code among several statuses; 0 if no status is in `EXIT_CODES`."""
    return max((EXIT_CODES.get(status, 0) for status in statuses), default=0)
