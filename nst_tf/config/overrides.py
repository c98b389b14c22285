"""Overrides as text: their parts, and the names of run and sweep folders that are made of them."""

import hashlib
import os
from collections.abc import Sequence

from omegaconf import OmegaConf

from nst_tf.config.keys import role_of

MAX_RUN_NAME = 120
"""Longest name of a run's folder in bytes; file systems allow 255, and a number stands before it."""

MAX_READABLE = 60
"""Longest readable part of a sweep's name in bytes."""


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


def folder_name(overrides: Sequence[str], length: int = MAX_RUN_NAME) -> str:
    """Return overrides as a folder's name, the same under every launcher.

    Hydra's ``override_dirname`` does not serve: it sorts the overrides, keeps slashes and has no longest length.

    Args:
        overrides: The overrides in the order they were typed.
        length: Longest name in bytes.
    """
    distinguishing = [text for text in overrides if role_of(override_key(text)).in_run_name]
    name = ",".join(distinguishing).replace("/", "_").encode()[:length]
    return name.decode(errors="ignore").rstrip(",")


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
    digest = hashlib.sha256("\n".join(deciding).encode()).hexdigest()[:8]
    chosen = [value for key, value in map(split_override, overrides) if key == "sweep"]
    readable = ",".join(text for text in (*chosen, folder_name(overrides, MAX_READABLE)) if text)
    return f"{readable or 'sweep'}-{digest}"


def share_of_cores(runs: int) -> int:
    """Return the number of threads for each of several runs at a time."""
    return max(1, len(os.sched_getaffinity(0)) // max(1, runs)) if hasattr(os, "sched_getaffinity") else 1


def register_resolvers() -> None:
    """Let YAML files call these functions."""
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
    # A sweep has one name from its first run to its last, so the first answer is kept.
    OmegaConf.register_new_resolver("sweep_name", sweep_name, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("share_of_cores", share_of_cores, replace=True)
