"""TAB completion: what can follow the typed part of a command line.

Hydra installs the function of the shell, which runs ``nst-tf -sc query=bash`` with the line in ``COMP_LINE``. Hydra's
own answer offers the present value alone, in Python's spelling (``Colour.free``), and lists the schemas of this
package. The answer here offers all values of a choice, paths, and the commands.
"""

import contextlib
import os
import shlex
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.plugins.completion_plugin import CompletionPlugin
from omegaconf import BooleanNode, Container, DictConfig, EnumNode, Node, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nst_tf.cli.arguments import HYDRA_COMMANDS
from nst_tf.cli.config_groups import config_groups
from nst_tf.cli.video import register_video
from nst_tf.config.composing import configs_folder, register_schemas
from nst_tf.config.keys import role_of
from nst_tf.util.errors import InputError

QUERIES = ("query=bash", "query=zsh")
"""Arguments after ``-sc`` with which the function of the shell asks for words."""

FLAGS = ("-sc", "--shell-completion", "--shell_completion")
"""Options of Hydra's before such an argument."""


def is_query(arguments: Sequence[str]) -> bool:
    """Return whether a command line asks for the words that complete another one."""
    return any(flag in arguments for flag in FLAGS) and any(query in arguments for query in QUERIES)


def answer_query(task: str, commands: Sequence[str]) -> None:
    """Print the words that complete the line in ``COMP_LINE``, separated by spaces.

    Args:
        task: Name of the YAML file that the command composes; a line that begins with one of `HYDRA_COMMANDS`
            composes that one.
        commands: Further commands, which complete the first word.
    """
    line = CompletionPlugin.strip_python_or_app_name(os.environ.get("COMP_LINE", "nst-tf "))
    print(" ".join(complete(line, task, commands)))


def complete(line: str, task: str = "config", commands: Sequence[str] = ()) -> list[str]:
    """Return the words that can stand in place of the last word of a line.

    Args:
        line: The typed line after the name of the program. After a space, the last word is empty.
        task: See `answer_query`.
        commands: See `answer_query`.
    """
    words = _words(line)
    *typed, word = words
    if typed and typed[0] in commands:
        if typed[0] not in HYDRA_COMMANDS:
            return []  # folders, which the shell completes
        task, typed, commands = typed[0], typed[1:], ()
    prefix, key, equals, value = _parts(word)
    if equals:
        return [f"{prefix}{key}={each}" for each in _values(key, value, _composed(task, typed))]
    names = [*([] if typed else commands), *(f"{group}=" for group in config_groups())]
    keys = _keys(_composed(task, typed), key)
    return sorted({f"{prefix}{name}" for name in [*names, *keys] if name.startswith(key)})


def _words(line: str) -> list[str]:
    """Split a line as a shell does; the last word is empty after a space, and may be in open quotes."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return [*words, ""] if not words or line[-1:].isspace() else words


def _parts(word: str) -> tuple[str, str, str, str]:
    """Return prefix (``+``, ``++`` or ``~``), key, equals sign and value of a word."""
    name, equals, value = word.partition("=")
    key = name.lstrip("+~")
    return name[: len(name) - len(key)], key, equals, value


def _composed(task: str, typed: Sequence[str]) -> DictConfig | None:
    """Return the config of the words before the last one; None if they cannot be composed."""
    register_schemas()
    if task == "video":
        register_video()
    try:
        with initialize_config_dir(str(configs_folder()), version_base="1.3"):
            return compose(task, overrides=_single_values(typed), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, InputError):
        return None


def _single_values(words: Sequence[str]) -> list[str]:
    """Return those words that set a single value: no options, and no values of a sweep."""
    parser = OverridesParser.create()
    settings = [word for word in words if "=" in word and not word.startswith("-")]
    single = []
    for word in settings:
        with contextlib.suppress(HydraException):  # a word in open quotes
            if not parser.parse_override(word).is_sweep_override():
                single.append(word)
    return single


def _keys(config: DictConfig | None, key: str) -> Iterator[str]:
    """Yield the keys that begin with a typed part, up to the next dot; a setting ends with an equals sign."""
    if config is None:
        return
    parent = key.rpartition(".")[0]
    node: Any = OmegaConf.select(config, parent, throw_on_missing=False) if parent else config
    if not isinstance(node, DictConfig) or node._is_none() or node._is_missing():
        return
    for name in (str(name) for name in node if not str(name).startswith("_")):
        child = node._get_node(name)
        full = f"{parent}.{name}" if parent else name
        yield f"{full}." if isinstance(child, Container) and not OmegaConf.is_list(child) else f"{full}="


def _values(key: str, value: str, config: DictConfig | None) -> list[str]:
    """Return the values that begin with a typed part; of a sweep, the part after the last comma is completed."""
    earlier, comma, last = value.rpartition(",")
    groups = config_groups()
    if key in groups:
        choices = groups[key]
    elif role_of(key).takes == "path":
        return _paths(value)
    else:
        choices = _choices(key, config)
    return [f"{earlier}{comma}{choice}" for choice in choices if choice.startswith(last)]


def _paths(begun: str) -> list[str]:
    """Return the paths that begin with a typed part; a folder ends with a slash."""
    folder, slash, name = begun.rpartition("/")
    try:
        entries = sorted(Path(folder + slash or ".").expanduser().iterdir())
    except OSError:
        return []
    shown = [entry for entry in entries if entry.name.startswith(name) and (name or not entry.name.startswith("."))]
    return [f"{folder}{slash}{entry.name}{'/' if entry.is_dir() else ''}" for entry in shown]


def _choices(key: str, config: DictConfig | None) -> list[str]:
    """Return the values of a choice, of a switch, or else the present value of a setting."""
    parent, _, name = key.rpartition(".")
    group: Any = None if config is None else OmegaConf.select(config, parent) if parent else config
    node = group._get_node(name) if isinstance(group, DictConfig) else None
    if isinstance(node, EnumNode):
        return list(node.enum_type.__members__)
    if isinstance(node, BooleanNode):
        return ["false", "true"]
    if not isinstance(node, Node) or isinstance(node, Container) or node._is_missing() or node._is_interpolation():
        return []
    present = node._value()
    return ["null" if present is None else present.name if isinstance(present, Enum) else str(present)]
