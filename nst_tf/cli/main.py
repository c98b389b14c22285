"""The command line: Hydra composes the configs, each config runs as a job, and a user error prints one line."""

import os
import sys

from hydra import main as hydra_main
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from nst_tf.cli.arguments import COMMAND_NAMES, flags_first
from nst_tf.cli.completion import answer_query, is_query
from nst_tf.cli.config_groups import register_help
from nst_tf.cli.errors import EXIT_CODES, WorkerRunEnded, exit_code, report_errors
from nst_tf.cli.hydra_errors import missing_extra
from nst_tf.cli.job import run_job, search_score
from nst_tf.cli.sweeps import SweepReport, register_plugins
from nst_tf.config.overrides import register_resolvers

# A worker process of a sweep imports this module when it unpickles its job, and its config needs the resolvers.
register_resolvers()

ENVIRONMENT = {
    "HYDRA_FULL_ERROR": "1",  # Hydra raises errors instead of printing them, so that one line can be made of them
    "RAY_USAGE_STATS_ENABLED": "0",  # a Ray cluster that a sweep starts sends no statistics
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # and does not hide the GPUs from runs that reserved none
}
"""Environment variables of libraries, with values that apply unless the user has set others."""


def main(task: str = "config") -> None:
    """Run ``nst-tf``, or a script of ``scripts/``, and exit as `EXIT_CODES` says.

    Args:
        task: Name of the YAML file that is composed: ``config`` to stylise, ``video`` to stylise a film, ``distill`` to
            train the embedded network.
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
    if is_query(sys.argv[1:]):
        answer_query(task, COMMAND_NAMES)
        return "completed"
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
    from nst_tf.config.composing import configs_folder, expand_rerun, register_schemas, typed_overrides
    from nst_tf.config.pairs import expand_pictures

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    register_schemas()
    if task == "video":
        from nst_tf.cli.video import register_video

        register_video()
    register_plugins()
    register_help()
    arguments, rerun = typed_overrides(sys.argv[1:]), ""
    if task == "config":
        expansion = expand_pictures(arguments)
        if expansion.announcement:
            print(expansion.announcement, flush=True)
        arguments, rerun = expand_rerun(expansion.arguments)
    sys.argv[1:] = flags_first(arguments)
    return str(configs_folder()), rerun


def _is_sweep() -> bool:
    return HydraConfig.get().mode is RunMode.MULTIRUN


def _run_and_report(config: DictConfig, rerun: str) -> str:
    """Run one job, print its error if it has one, and return its status."""
    place = f"run {HydraConfig.get().job.num}: " if _is_sweep() else ""
    return report_errors(lambda: run_job(config, rerun), place)
