"""What configs work out for themselves: names of runs and sweeps, and how many cores a run has."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

ELSEWHERE = (
    *("launcher", "tracking", "tracking.", "evaluation", "evaluation."),
    *("runtime.device", "runtime.threads"),
)
"""Overrides that say where a run computes, how watched and by whom judged, not what."""

NOT_TELLING = (
    *("content", "style", "backbone.weights", "feedforward.weights", "name", "sweep", "rerun"),
    *ELSEWHERE,
)
"""Overrides that do not tell the runs of a sweep apart, or are paths."""


def registered_name(thing: Any, table: Mapping[str, Any]) -> str | None:
    """The name under which a table has a thing's class; None for a class of one's own."""
    return next((name for name, kind in table.items() if type(thing) is kind), None)


def matches_key(key: str, names: tuple[str, ...]) -> bool:
    """Whether a dotted key is one of the names, or lies in a group of those that end in a dot."""
    return key in names or key.startswith(tuple(name for name in names if name.endswith(".")))


def folder_name(overrides: list[str], length: int = 120) -> str:
    """Overrides as a folder's name: no slashes, not too long for a file system, the same under every launcher."""
    telling = [text for text in overrides if not matches_key(_key(text), NOT_TELLING)]
    name = ",".join(telling).replace("/", "_").encode()[:length]
    return name.decode(errors="ignore").rstrip(",")


def sweep_name(name: str, default: str, overrides: list[str]) -> str:
    """A sweep's folder: its name; where it was given none, after its command: ``pooling,image.size=256-1f0a2b3c``.

    So the same command goes on in the same folder, under any launcher, and another one never does.

    Args:
        name: The one it has.
        default: The one it has if none was given.
        overrides: What was typed.
    """
    if name != default:
        return name
    deciding = sorted(text for text in overrides if not matches_key(_key(text), ELSEWHERE))
    digest = hashlib.sha256("\n".join(deciding).encode()).hexdigest()[:8]
    chosen = [text.partition("=")[2] for text in overrides if _key(text) == "sweep"]
    readable = ",".join(text for text in (*chosen, folder_name(overrides, 60)) if text)
    return f"{readable or 'sweep'}-{digest}"


def share_of_cores(runs: int) -> int:
    """Threads for each of so many runs at a time."""
    return max(1, len(os.sched_getaffinity(0)) // max(1, runs)) if hasattr(os, "sched_getaffinity") else 1


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def register_resolvers() -> None:
    """Let configs call these."""
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
    OmegaConf.register_new_resolver("sweep_name", sweep_name, use_cache=True, replace=True)  # one for all of a sweep
    OmegaConf.register_new_resolver("share_of_cores", share_of_cores, replace=True)
