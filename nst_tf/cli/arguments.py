"""Parsing of plain command-line arguments, for the commands that take no Hydra overrides."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

HYDRA_COMMANDS = ("distill", "video")
"""Commands with a primary config of their own, which has the command's name."""

COMMAND_NAMES = ("compare", "evaluate", "comparison", "reproduction", *HYDRA_COMMANDS)
"""Words that may follow ``nst-tf`` in place of settings."""


class OneLineParser(argparse.ArgumentParser):
    """A parser that prints an error as one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with code 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}\n")


SWEEP_FLAGS = ("-m", "--multirun")
"""Hydra's flags of a sweep."""


def flags_first(arguments: Sequence[str]) -> list[str]:
    """Return arguments with the flag of a sweep first: Hydra's parser refuses it between two settings."""
    flags = [argument for argument in arguments if argument in SWEEP_FLAGS]
    return flags[:1] + [argument for argument in arguments if argument not in SWEEP_FLAGS]


def typed_command(program: Sequence[str], words: Sequence[str]) -> str:
    """Return a typed command for a page that others read: paths outside the working folder become file names.

    Args:
        program: The words that start the command.
        words: The arguments as typed.
    """
    names = [Path(word).name if word.startswith(("/", "..", "~")) else word for word in words]
    return shlex.join([*program, *names])
