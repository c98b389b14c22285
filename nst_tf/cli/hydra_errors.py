"""Errors of Hydra and OmegaConf in one line."""

import difflib
import re

from omegaconf.errors import OmegaConfBaseException

from nst_tf.util.errors import InputError

EXTRAS = {"submitit_slurm": "slurm", "ray": "ray", "Search": "optuna"}
"""What Hydra's launchers and sweepers of other packages come with."""


def is_cluster_error(error: BaseException) -> bool:
    """Whether Slurm (through submitit) or Ray tells of a job that has died."""
    return type(error).__module__.partition(".")[0] in ("submitit", "ray")


def missing_extra(error: BaseException) -> InputError | None:
    """The extra that a command needs and that is not installed, as an error to be read; None for other errors."""
    asked = re.search(r"Could not find 'hydra/\w+/(\w+)'|Unknown plugin class : '[\w.]*\.(\w+)'", str(error))
    extra = EXTRAS.get(asked.group(1) or asked.group(2)) if asked else None
    return InputError(f"{extra} is not installed: pip install 'nst-tf[{extra}]'") if extra else None


def one_line(error: BaseException) -> str:
    """An error in one line that names the key, what is wrong, and what there is instead.

    Hydra and OmegaConf spread theirs over several lines; what follows the first is the key's full name and the
    list of options, and those are kept.
    """
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    if isinstance(cause or error, OmegaConfBaseException):
        return _omegaconf_line(cause or error)
    text = str(error)
    if extra := missing_extra(error):
        return str(extra)
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
