"""What the scripts that take plain arguments share."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """A parser whose refusal is one line without the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the message and leave with code 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}\n")


def shown_command(script: str) -> str:
    """What was typed, for a page that others read: of paths that lead out of the working folder the last name."""
    words = [Path(word).name if word.startswith(("/", "..", "~")) else word for word in sys.argv[1:]]
    return f"python {shlex.join([script, *words])}"
