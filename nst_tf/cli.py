"""The command line: Hydra composes, the API runs, a person reads one line when something cannot be used."""

import contextlib
import difflib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator

from hydra import main as hydra_main
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from nst_tf.errors import InputError

EXIT_CODES = {"failed": 1, "refused": 2, "interrupted": 130}
"""Exit status by the end of a run: an error, something given that cannot be used, asked to stop; 0 for the others."""


def main() -> None:
    """Run ``nst-tf``, or a script of ``scripts/``; exit as `EXIT_CODES` says."""
    statuses: list[str] = []
    with quiet():
        from nst_tf.config import configs_folder, register

    register()

    def job(config: DictConfig) -> None:
        statuses.append(reported(lambda: run_job(config)))

    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors come to us whole, for one line
    command = hydra_main(version_base="1.3", config_path=str(configs_folder()), config_name="config")(job)
    statuses.append(reported(lambda: command() or "completed"))
    sys.exit(exit_code(statuses))


def run_job(config: DictConfig) -> str:
    """One composed config: run it, say where the results lie, return its status."""
    from nst_tf.api import stylize
    from nst_tf.config import from_hydra

    hydra = HydraConfig.get()
    result = stylize(from_hydra(config), hydra.runtime.output_dir, list(hydra.overrides.task))
    print(f"{result.status}: {result.reason}")
    print(f"  picture      {result.folder.picture}")
    print(f"  run folder   {result.folder.path}")
    print(f"  TensorBoard  tensorboard --logdir {result.folder.tensorboard}", flush=True)
    return result.status


def reported(work: Callable[[], str]) -> str:
    """The status of a piece of work; what a person got wrong becomes one line on stderr and the status ``refused``."""
    try:
        return work()
    except (InputError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return "refused"


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
    if unknown := re.match(r"Key '.*' (?:is )?not in '(\w+)'", first):
        return f"Unknown key {key!r}: {_nearest(key, unknown[1])}"
    return f"{key}: {first}" if key and key not in first else first


def _nearest(key: str, owner: str) -> str:
    """What keys there are beside a misspelt one, the nearest first."""
    from nst_tf.config import known_keys

    names = known_keys(owner)
    near = difflib.get_close_matches(key.rpartition(".")[2], names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}{owner} has {', '.join(names)}"
