"""Errors of Hydra and OmegaConf as one line."""

import difflib
import re

from hydra.errors import OverrideParseException
from omegaconf.errors import InterpolationKeyError, InterpolationResolutionError, OmegaConfBaseException

from nst_tf.config.overrides import quoted
from nst_tf.config.typed_values import line_to_type, shell_word
from nst_tf.util.checks import SCALARS
from nst_tf.util.errors import InputError

EXTRAS = {"submitit_slurm": "slurm", "ray": "ray", "Search": "optuna"}
"""Extras of this package by the launcher or sweeper that needs them."""

MISSING_PLUGIN = re.compile(r"Could not find 'hydra/\w+/(\w+)'|Unknown plugin class : '[\w.]*\.(\w+)'")
MISSING_OPTION = re.compile(r"Could not find '([^'/]+)/([^']+)'")
SEVERAL_VALUES = re.compile(r"Ambiguous value for argument '(.*)'\n1\. To use it as a list", re.DOTALL)
MISSING_KEY = re.compile(r"Key '.*' (?:is )?not in ")
WRONG_TYPE = re.compile(
    r"Value '(?P<value>.*)' (?:of type '(?P<type>\w+)' could not be converted to|is not a valid) (?P<expected>\w+)"
    r"(?: \(type (?P<bool_type>\w+)\))?"
)
EXPECTED_TYPES = {"Integer": int, "Float": float, "bool": bool}
"""Types by their names in OmegaConf's messages."""

DETAIL = re.compile(r"(\w+)(?:=|: )(.*)")


def is_cluster_error(error: BaseException) -> bool:
    """Return whether Slurm (through submitit) or Ray raised an error because a job has died."""
    return type(error).__module__.partition(".")[0] in ("submitit", "ray")


def missing_extra(error: BaseException) -> InputError | None:
    """Return the error of an extra that is not installed, if that is the cause of Hydra's error; else None."""
    plugin = MISSING_PLUGIN.search(str(error))
    extra = EXTRAS.get(plugin.group(1) or plugin.group(2)) if plugin else None
    return InputError(f"{extra} is not installed: pip install 'nst-tf[{extra}]'") if extra else None


def one_line(error: BaseException) -> str:
    """Return an error's message as one line that names the key, the fault and the available choices.

    Messages of Hydra and OmegaConf have several lines. The lines after the first hold the key's full name and the list
    of options, which are kept.
    """
    if isinstance(error, OverrideParseException):
        return f"{_on_one_line(error.override)}: {line_to_type(error.override)}"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(cause, OmegaConfBaseException):
        return _omegaconf_line(cause)
    if isinstance(error.__cause__, InputError) and not isinstance(error, InputError):  # of a launcher or sweeper
        return str(error.__cause__)
    if extra := missing_extra(error):
        return str(extra)
    text = str(error)
    if several := SEVERAL_VALUES.match(text):
        return _several_values(several[1])
    if missing := MISSING_OPTION.search(text):
        group, option = missing.groups()
        return f"Unknown {group}={option!r}; available: {', '.join(_options(text))}"
    return _on_one_line(text)


def _on_one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _several_values(override: str) -> str:
    key, _, value = override.partition("=")
    as_list, as_text = (shell_word(f"{key}={typed}") for typed in (f"[{value}]", quoted(value)))
    return f"{override}: has several values. For a list, type {as_list}; for one text, {as_text}; for a sweep, add -m"


def _options(text: str) -> list[str]:
    """Return the options that Hydra lists, one on each indented line."""
    return [line.strip() for line in text.splitlines() if line.startswith("\t") and ":" not in line]


def _omegaconf_line(error: BaseException) -> str:
    first, *rest = str(error).strip().splitlines()
    details = dict(DETAIL.findall("\n".join(rest)))
    key = details.get("full_key", "")
    if MISSING_KEY.match(first):
        return f"Unknown key {key!r}: {_suggestion(key, error)}"
    if "is not a subclass of Backbone" in first and key != "backbone":
        return f"{key}: a backbone is chosen by backbone@{key}={details.get('value', 'NAME')}"
    if "is not a subclass of Loss" in first:
        return f"{key}: a new loss needs its kind: +schema/loss@losses.NAME=KIND, where KIND is one of {_loss_kinds()}"
    if isinstance(error, InterpolationKeyError | InterpolationResolutionError):
        if key.startswith("hydra."):
            return f"{key}: {first}. A folder cannot have ${{ in its name; choose another"
        return f"{key}: {first}. For a text with ${{, type \\${{ in its place, and quotes around the text"
    if wrong := WRONG_TYPE.match(first):
        value = repr(wrong["value"]) if "str" in (wrong["type"], wrong["bool_type"]) else wrong["value"]
        return f"{key}={value}: must be {SCALARS[EXPECTED_TYPES[wrong['expected']]][0]}"
    if first.endswith("is not Optional"):
        return f"{key}=null: must have a value"
    return f"{key}: {first}" if key and key not in first else first


def _loss_kinds() -> str:
    from nst_tf.losses import LOSSES

    return ", ".join(LOSSES)


def _suggestion(key: str, error: BaseException) -> str:
    """Return the keys beside an unknown one, after the most similar of them."""
    names = [str(name) for name in getattr(error, "parent_node", None) or [] if name != "hydra"]
    near = difflib.get_close_matches(key.rpartition(".")[2], names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}available: {', '.join(names) or 'none'}"
