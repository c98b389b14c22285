"""The command that makes a run again, here or elsewhere."""

import re
import shlex
from collections.abc import Sequence

from nst_tf.reports.axes import split_override
from nst_tf.reports.reading import Run


def rerun_command(run: Run) -> str | None:
    """What to type, in the folder the run was started from, to make its picture again.

    The overrides are the run's own, word for word, but for ``name``: all runs of a sweep share it, and a command
    with the name of a run that is done does not run again. A sweep's YAML asks for its whole grid, which
    ``hydra.mode=RUN`` takes back.

    Returns:
        One line for a POSIX shell; None for a run started from Python, where nothing was typed.
    """
    if not run.overrides:
        return None
    words = [_renamed(override, run.label) for override in run.overrides]
    return shlex.join(["python", "scripts/stylize.py", *words, *_single(run.overrides)])


def portable_overrides(run: Run) -> list[str]:
    """What to type for a run like this one on another machine: file names in place of paths, and no ``name``."""
    kept = [override for override in run.overrides if split_override(override)[0] != "name"]
    return [*(_without_folders(override) for override in kept), *_single(run.overrides)]


ENTRY = re.compile(r"""'(?:\\.|[^\\'])*'|"(?:\\.|[^\\"])*"|(?:\\.|[^\\,\[\]'"])+""")
"""A text within a value, or within a list of these, in Hydra's grammar: quoted, or bare with escapes."""


def _without_folders(override: str) -> str:
    key, equals, value = override.partition("=")
    return key + equals + ENTRY.sub(lambda entry: _last_name(entry[0]), value)


def _last_name(entry: str) -> str:
    quote = entry[0] if entry[0] in "'\"" else ""
    return quote + entry.removeprefix(quote).rstrip("/").rpartition("/")[2]


def _renamed(override: str, label: str) -> str:
    key, value = split_override(override)
    if key != "name":
        return override
    number = label.rpartition("/")[2]
    return f"name={value}_{number if number.isdecimal() else 'again'}"


def _single(overrides: Sequence[str]) -> list[str]:
    return ["hydra.mode=RUN"] if any(split_override(override)[0] == "sweep" for override in overrides) else []
