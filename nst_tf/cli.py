"""The command line: Hydra composes, the API runs, a person reads one line when something cannot be used."""

import contextlib
import difflib
import errno
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from hydra import main as hydra_main
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from nst_tf.errors import InputError

EXIT_CODES = {"failed": 1, "refused": 2, "interrupted": 130}
"""Exit status by the end of a run: an error, something given that cannot be used, asked to stop; 0 for the others."""


DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class SweepReport(Callback):
    """Writes a sweep's report when it ends, however it does.

    Hydra tells where the sweep lies as it begins, and nothing of one that an error or Ctrl-C ends.
    """

    begun: ClassVar[list[Path]] = []

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Remember the sweep's folder."""
        self.begun.append(Path(config.hydra.sweep.dir))

    @classmethod
    def write(cls) -> None:
        """Write what has begun; a report that cannot be written is one line and changes no status."""
        from nst_tf.reports import write_report

        while cls.begun:
            folder = cls.begun.pop()
            if not any(folder.glob("*/run.json")):
                continue
            try:
                print(f"  report       {write_report([folder])}", flush=True)
            except Exception as error:
                print(f"warning: no report: {type(error).__name__}: {one_line(error)}", file=sys.stderr)


class Ended(Exception):  # noqa: N818 - carries a status through Hydra, out of another process if need be
    """A run of a sweep has ended in a way that the whole command should tell of."""


def main(task: str = "config") -> None:
    """Run ``nst-tf``, or a script of ``scripts/``; exit as `EXIT_CODES` says.

    Args:
        task: Name of the YAML file that is composed: ``config`` to stylise, ``distill`` to train the embedded network.
    """
    statuses: list[str] = []
    try:
        statuses.append(reported(lambda: _command(task, statuses)))
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        statuses.append("interrupted")
    sys.exit(exit_code(statuses))


def _command(task: str, statuses: list[str]) -> str:
    """Let Hydra compose and launch; collect how each run in this process ended."""
    with quiet():
        from nst_tf.config import configs_folder, register, repeating

    register()
    sys.argv[1:], rerun = repeating(sys.argv[1:]) if task == "config" else (sys.argv[1:], "")
    process = os.getpid()

    def job(config: DictConfig) -> None:
        sweep = HydraConfig.get().mode is RunMode.MULTIRUN
        place = f"run {HydraConfig.get().job.num}: " if sweep else ""
        status = reported(lambda: run_job(config, rerun), place)
        statuses.append(status)
        if status == "interrupted" and sweep:
            raise KeyboardInterrupt  # the sweep was meant, not one run of it
        if status in EXIT_CODES and os.getpid() != process:
            raise Ended(status)

    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors come to us whole, for one line
    try:
        hydra_main(version_base="1.3", config_path=str(configs_folder()), config_name=task)(job)()
    finally:
        SweepReport.write()
    return "completed"


def run_job(config: DictConfig, rerun: str = "") -> str:
    """One composed config: run it, say where the results lie, return its status.

    Args:
        config: As Hydra composed it.
        rerun: The ``rerun=PATH`` that was typed, if one was.
    """
    from nst_tf.api import Result, distill, stylize
    from nst_tf.config import RERUN, Config, from_hydra
    from nst_tf.runs import RunFolder

    hydra = HydraConfig.get()
    folder = hydra.runtime.output_dir
    try:
        settings = from_hydra(config)
        work: Callable[..., Result] = stylize if isinstance(settings, Config) else distill
        typed = [rerun if text == RERUN else text for text in hydra.overrides.task]
        result = work(settings, folder, typed)
    except InputError:
        RunFolder(Path(folder)).remove_if_empty()  # Hydra made it; a refused command leaves none
        raise
    print(f"{result.status}: {result.reason}")
    places = {"picture": result.folder.picture} if work is stylize else {"weights": result.folder.weights}
    places |= {"run folder": result.folder.path}
    for name, place in places.items():
        print(f"  {name:<11}  {place}")
    if result.folder.tensorboard.exists():
        print(f"  TensorBoard  tensorboard --logdir {result.folder.tensorboard}", flush=True)
    return result.status


def reported(work: Callable[[], str], place: str = "") -> str:
    """The status of a piece of work; what a person can mend becomes one line on stderr and a status.

    ``refused`` for what cannot be used, ``failed`` for a disk that is full or broken.
    """
    try:
        return work()
    except Ended as end:
        return str(end)
    except (InputError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {place}{one_line(error)}", file=sys.stderr)
        return "refused"
    except OSError as error:
        file = f" '{error.filename}'" if error.filename else ""
        print(f"error: {place}Cannot use{file}: {error.strerror or error}", file=sys.stderr)
        return "failed" if error.errno in DISK_ERRORS else "refused"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep back what TensorFlow writes to stderr while it loads and looks for GPUs.

    Those lines come before its own log level counts, on machines with and without a GPU alike. Setting
    TF_CPP_MIN_LOG_LEVEL to anything but 2 shows them.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") != "2":
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            import tensorflow

            tensorflow.config.list_physical_devices()
            tensorflow.get_logger().setLevel("ERROR")  # a sweep compiles once a run, which it calls retracing
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def exit_code(statuses: list[str]) -> int:
    """The gravest end of several runs; 0 where each has a good one."""
    return max((EXIT_CODES.get(status, 0) for status in statuses), default=0)


def one_line(error: BaseException) -> str:
    """An error in one line that names the key, what is wrong, and what there is instead.

    Hydra and OmegaConf spread theirs over several lines; what follows the first is the key's full name and the
    list of options, and those are kept.
    """
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    if isinstance(cause or error, OmegaConfBaseException):
        return _omegaconf_line(cause or error)
    text = str(error)
    if missing := re.search(r"Could not find '([^'/]+)/([^']+)'", text):
        group, option = missing.groups()
        return f"Unknown {group}={option!r}; available: {', '.join(_options(text))}"
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _options(text: str) -> list[str]:
    """The options Hydra lists, one an indented line."""
    return [line.strip() for line in text.splitlines() if line.startswith("\t") and ":" not in line]


def _omegaconf_line(error: BaseException) -> str:
    first, *rest = str(error).strip().splitlines()
    details = dict(re.findall(r"(\w+)(?:=|: )(.*)", "\n".join(rest)))
    key = details.get("full_key", "")
    if re.match(r"Key '.*' (?:is )?not in ", first):
        return f"Unknown key {key!r}: {_nearest(key, error)}"
    if "is not a subclass of Backbone" in first and key != "backbone":
        return f"{key}: a backbone is chosen by backbone@{key}={details.get('value', 'NAME')}"
    if "is not a subclass of Loss" in first:
        return f"{key}: a new loss needs its kind: +schema/loss@losses.NAME=content, gram or total_variation"
    return f"{key}: {first}" if key and key not in first else first


def _nearest(key: str, error: BaseException) -> str:
    """What keys there are beside a misspelt one, the nearest first."""
    names = [str(name) for name in getattr(error, "parent_node", None) or [] if name != "hydra"]
    near = difflib.get_close_matches(key.rpartition(".")[2], names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}available: {', '.join(names) or 'none'}"
