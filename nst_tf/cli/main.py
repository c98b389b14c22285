"""The command line: Hydra composes, the API runs, a person reads one line when something cannot be used."""

import errno
import functools
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra import main as hydra_main
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from nst_tf.cli.hydra_errors import is_cluster_error, missing_extra, one_line
from nst_tf.cli.sweeps import SweepReport, register_plugins
from nst_tf.config.overrides import register_resolvers
from nst_tf.system.startup import load_tensorflow_quietly
from nst_tf.util.errors import InputError, RunKilled

register_resolvers()  # a process of a sweep, wherever it is, knows them as soon as it knows its job

EXIT_CODES = {"failed": 1, "refused": 2, "interrupted": 130}
"""Exit status by the end of a run: an error, something given that cannot be used, asked to stop; 0 for the others."""

ENVIRONMENT = {
    "HYDRA_FULL_ERROR": "1",  # errors come to us whole, for one line
    "RAY_USAGE_STATS_ENABLED": "0",  # a Ray that a sweep starts reports to nobody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # and hides no GPU from a run that asked for none of its own
}
"""What libraries are told unless the person has told them otherwise."""

log = logging.getLogger(__name__)

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Ended(Exception):  # noqa: N818 - carries a status through Hydra, out of another process if need be
    """A run of a sweep has ended in a way that the whole command should tell of."""


def main(task: str = "config") -> None:
    """Run ``nst-tf``, or a script of ``scripts/``; exit as `EXIT_CODES` says.

    Args:
        task: Name of the YAML file that is composed: ``config`` to stylise, ``distill`` to train the embedded network.
    """
    statuses: list[str] = []
    try:
        statuses.append(report_errors(lambda: _command(task, statuses)))
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        statuses.append("interrupted")
    sys.exit(exit_code(statuses))


def _command(task: str, statuses: list[str]) -> str:
    """Let Hydra compose and launch; collect how each run in this process ended."""
    with load_tensorflow_quietly():
        from nst_tf.config.composing import configs_folder, expand_rerun, register_schemas

    register_schemas()
    sys.argv[1:], rerun = expand_rerun(sys.argv[1:]) if task == "config" else (sys.argv[1:], "")
    register_plugins()
    process = os.getpid()

    def job(config: DictConfig) -> float | None:
        sweep = HydraConfig.get().mode is RunMode.MULTIRUN
        place = f"run {HydraConfig.get().job.num}: " if sweep else ""
        status = report_errors(lambda: run_job(config, rerun), place)
        statuses.append(status)
        if status == "interrupted" and sweep and os.getpid() == process:
            raise KeyboardInterrupt  # the sweep was meant, not one run of it
        if status in EXIT_CODES and os.getpid() != process:
            raise Ended(status)
        return None if status in EXIT_CODES else search_score()

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        hydra_main(version_base="1.3", config_path=str(configs_folder()), config_name=task)(job)()
    except RuntimeError as error:
        if (missing := missing_extra(error)) is None:
            raise
        raise missing from error
    finally:
        SweepReport.write()
    return "completed"


@functools.cache
def cache() -> Any:
    """What the runs of a sweep that share this process share."""
    from nst_tf.optimization.cache import RunCache

    return RunCache(keeps=True)


def run_job(config: DictConfig, rerun: str = "") -> str:
    """One composed config: run it, say where the results lie, return its status.

    Args:
        config: As Hydra composed it.
        rerun: The ``rerun=PATH`` that was typed, if one was.
    """
    from nst_tf.api import Result, distill, stylize
    from nst_tf.config.composing import RERUN, from_hydra
    from nst_tf.config.tree import Config
    from nst_tf.runs.folder import RunFolder

    hydra = HydraConfig.get()
    folder = hydra.runtime.output_dir
    try:
        settings = from_hydra(config)
        typed = [rerun if text == RERUN else text for text in hydra.overrides.task]
        if isinstance(settings, Config):
            result: Result = stylize(settings, folder, typed, cache())
        else:
            result = distill(settings, folder, typed)
    except InputError:
        RunFolder(Path(folder)).remove_if_empty()  # Hydra made it; a refused command leaves none
        raise
    print(f"{result.status}: {result.reason}")
    places = {"picture": result.folder.picture} if isinstance(settings, Config) else {"weights": result.folder.weights}
    places |= {"run folder": result.folder.path}
    for name, place in places.items():
        print(f"  {name:<11}  {place}")
    if result.folder.tensorboard.exists():
        print(f"  TensorBoard  tensorboard --logdir {result.folder.tensorboard}", flush=True)
    return result.status


def search_score() -> float | None:
    """What a search is to lower, of a run that is over; None where nobody searches."""
    if not (names := HydraConfig.get().sweeper.get("minimise")):
        return None
    from nst_tf.evaluation.search import score
    from nst_tf.runs.folder import RunFolder

    return score(RunFolder(Path(HydraConfig.get().runtime.output_dir)), names)


def report_errors(work: Callable[[], str], place: str = "") -> str:
    """The status of a piece of work; what a person can mend becomes one line on stderr and a status.

    ``refused`` for what cannot be used, ``failed`` for a disk that is full or broken, and in a sweep for
    whatever else ends a run.
    """
    try:
        return work()
    except Ended as end:
        return str(end)
    except RunKilled as killed:
        print(f"error: {killed}", file=sys.stderr)
        return "failed"
    except (InputError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {place}{one_line(error)}", file=sys.stderr)
        return "refused"
    except OSError as error:
        file = f" '{error.filename}'" if error.filename else ""
        print(f"error: {place}Cannot use{file}: {error.strerror or error}", file=sys.stderr)
        return "failed" if error.errno in DISK_ERRORS else "refused"
    except Exception as error:
        if is_cluster_error(error):
            place = "a job of the cluster ended without telling how; the same command goes on with what is left: "
        elif not place:
            raise  # whole, for whoever is to mend it
        log.exception("%sfailed", place)
        print(f"error: {place}{type(error).__name__}: {one_line(error)}", file=sys.stderr)
        return "failed"


def exit_code(statuses: list[str]) -> int:
    """The gravest end of several runs; 0 where each has a good one."""
    return max((EXIT_CODES.get(status, 0) for status in statuses), default=0)
