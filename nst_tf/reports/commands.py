"""The commands that reports print: how a run is repeated, here and on another machine."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from nst_tf.config.overrides import quoted, split_override, unquoted
from nst_tf.reports.reading import Run
from nst_tf.reports.short_names import QUOTED_OR_BARE

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
"""Folder of the scripts in a checkout. An installed package has none beside it."""


def program_words(command: str = "stylize") -> list[str]:
    """Return the words that start a command of this program on this installation.

    Args:
        command: ``stylize``, ``compare``, ``evaluate``, ``comparison``, ``reproduction`` or ``distill``.

    Returns:
        ``python scripts/COMMAND.py`` in a checkout, ``nst-tf COMMAND`` for an installed package. Stylising is the
        default of ``nst-tf`` and needs no command.
    """
    if (SCRIPTS / f"{command}.py").is_file():
        return ["python", f"scripts/{command}.py"]
    return ["nst-tf"] if command == "stylize" else ["nst-tf", command]


def rerun_command(run: Run) -> str | None:
    """Return the command that repeats a run in the folder in which it was started.

    The overrides are those of the run, except ``name``: all runs of a sweep share it, and a command with the name of a
    completed run does not run again. ``hydra.mode=RUN`` is added where a YAML file of ``sweep/`` asks for a whole grid.

    Returns:
        One line for a POSIX shell; None for a run started from Python, where nothing was typed.
    """
    if not run.overrides:
        return None
    words = [_with_new_name(override, run.label) for override in run.overrides]
    return shlex.join([*program_words(), *words, *_single_run_mode(run.overrides)])


def portable_overrides(run: Run) -> list[str]:
    """Return the overrides of a run for another machine: without ``name``, and with file names in place of paths."""
    kept = [override for override in run.overrides if split_override(override)[0] != "name"]
    return [*(_without_folders(override) for override in kept), *_single_run_mode(run.overrides)]


def _without_folders(override: str) -> str:
    key, equals, value = override.partition("=")
    return key + equals + QUOTED_OR_BARE.sub(lambda match: _file_name(match[0]), value)


def _file_name(path: str) -> str:
    quote = path[0] if path[0] in "'\"" else ""
    return quote + path.removeprefix(quote).rstrip("/").rpartition("/")[2]


def _with_new_name(override: str, label: str) -> str:
    key, value = split_override(override)
    if key != "name":
        return override
    number = label.rpartition("/")[2]
    new = f"{unquoted(value)}_{number if number.isdecimal() else 'again'}"
    return f"name={new if unquoted(value) == value else quoted(new)}"


def _single_run_mode(overrides: Sequence[str]) -> list[str]:
    return ["hydra.mode=RUN"] if any(split_override(override)[0] == "sweep" for override in overrides) else []
