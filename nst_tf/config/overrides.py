"""Overrides as text: their parts, and the names of run and sweep folders that are made of them."""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import PurePath

from omegaconf import OmegaConf

from nst_tf.config.keys import role_of

MAX_RUN_NAME = 120
"""Longest name of a run's folder in bytes; file systems allow 255, and a number stands before it."""

MAX_STEM = 32
"""Longest name of a picture in the name of a run's folder in bytes."""

PICTURE_KEYS = ("content", "style")
"""Keys of pictures, whose names alone stand in the name of a run's folder."""

MAX_READABLE = 60
"""Longest readable part of a sweep's name in bytes."""

QUOTED = re.compile(r"'(?:\\.|[^\\'])*'", re.DOTALL)
"""A whole value in single quotes."""


def split_override(override: str) -> tuple[str, str]:
    """Return key and value of an override: ``+losses.grain.weight=10`` gives ``losses.grain.weight`` and ``10``."""
    key, _, value = override.lstrip("+~").partition("=")
    return key, value


def override_key(override: str) -> str:
    """Return the key of an override, without a leading ``+`` or ``~``."""
    return split_override(override)[0]


def override_keys(overrides: Sequence[str]) -> set[str]:
    """Return the keys of those command-line arguments that give a value."""
    return {override_key(text) for text in overrides if "=" in text}


def quoted(text: str) -> str:
    """Return a text in the quotes of Hydra's grammar, so that a config holds exactly this text.

    A backslash is doubled where it would escape something: before a quote, before ``${``, and at the end.
    """
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", escape_interpolations(text))
    return "'" + re.sub(r"(\\+)$", r"\1\1", escaped) + "'"


def escape_interpolations(text: str) -> str:
    """Return a text in which OmegaConf finds no ``${…}``, and from which it reads back exactly the given text."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def unquoted(value: str) -> str:
    """Return the text that `quoted` was given, and a value without such quotes unchanged."""
    if not QUOTED.fullmatch(value):
        return value
    plain = re.sub(r"(\\+)$", _half, value[1:-1])
    plain = re.sub(r"(\\*)\\'", lambda match: f"{_half(match)}'", plain)
    return re.sub(r"(\\*)\\\$\{", lambda match: f"{_half(match)}${{", plain)


def plain_text(value: str) -> str:
    r"""Return the text of a value without Hydra's quotes and escapes: ``sample\:coffee`` gives ``sample:coffee``."""
    if value.startswith("'"):
        return unquoted(value)
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return re.sub(r"\\(.)", r"\1", value)


def _half(match: re.Match[str]) -> str:
    """Return half of the backslashes of a match."""
    return match[1][: len(match[1]) // 2]


def folder_name(overrides: Sequence[str], length: int = MAX_RUN_NAME) -> str:
    """Return overrides as a folder's name, the same under every launcher.

    Hydra's ``override_dirname`` does not serve: it sorts the overrides, keeps slashes and has no longest length.

    Args:
        overrides: The overrides in the order they were typed.
        length: Longest name in bytes.
    """
    distinguishing = [_without_quotes(text) for text in overrides if role_of(override_key(text)).in_run_name]
    name = ",".join(distinguishing).replace("/", "_").replace("${", "{")  # Hydra would resolve an interpolation
    name_bytes = name.encode(errors="surrogateescape")[:length]
    return name_bytes.decode(errors="ignore").rstrip(",")


def run_name(overrides: Sequence[str], varied: Sequence[str]) -> str:
    """Return the folder name of one run of a sweep: the pictures that vary by name, then the other settings that vary.

    Args:
        overrides: The overrides of the run.
        varied: Keys in which the runs of the sweep differ.
    """
    varying = [text for text in overrides if override_key(text) in varied]
    pictures = [_picture_names(value) for key, value in map(split_override, varying) if key in PICTURE_KEYS]
    names = ",".join(pictures).replace("${", "{")
    rest = folder_name(varying, MAX_RUN_NAME - len(names.encode(errors="surrogateescape")) - 1)
    return ",".join(text for text in (names, rest) if text)


def _picture_names(value: str) -> str:
    """Return the names of a picture, or of the pictures in a list, without folders and suffixes."""
    paths = [plain_text(text.strip()) for text in value.strip("[]").split(",")]
    stems = [re.sub(r"[/,=\s]+", "_", PurePath(path).stem.removeprefix("sample:")) for path in paths]
    return "+".join(stem.encode(errors="surrogateescape")[:MAX_STEM].decode(errors="ignore") for stem in stems)


def _without_quotes(override: str) -> str:
    """Return an override without the quotes of a path or name, which `nst_tf.config.typed_values` adds."""
    key, equals, value = override.partition("=")
    return f"{key}{equals}{unquoted(value)}" if role_of(override_key(override)).takes else override


def sweep_name(name: str, default: str, overrides: Sequence[str]) -> str:
    """Return the name of a sweep's folder; without a given name, one made of its command.

    The same command then continues in the same folder under any launcher, and no other command does. The name made
    of a command looks like ``pooling,image.size=256-1f0a2b3c``, where the last part is a hash of the command.

    Args:
        name: The name that is set.
        default: The name that is set if none was given.
        overrides: The overrides that were typed.
    """
    if name != default:
        return name
    deciding = sorted(text for text in overrides if role_of(override_key(text)).in_sweep_name)
    digest = hashlib.sha256("\n".join(deciding).encode(errors="surrogateescape")).hexdigest()[:8]
    chosen = [value for key, value in map(split_override, overrides) if key == "sweep"]
    readable = ",".join(text for text in (*chosen, folder_name(overrides, MAX_READABLE)) if text)
    return f"{readable or 'sweep'}-{digest}"


def share_of_cores(runs: int) -> int:
    """Return the number of threads for each of several runs at a time."""
    return max(1, len(os.sched_getaffinity(0)) // max(1, runs)) if hasattr(os, "sched_getaffinity") else 1


def register_resolvers() -> None:
    """Let YAML files call these functions."""
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    # A sweep has one name from its first run to its last, so the first answer is kept.
    OmegaConf.register_new_resolver("sweep_name", sweep_name, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("share_of_cores", share_of_cores, replace=True)
