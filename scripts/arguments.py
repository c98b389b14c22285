"""What the scripts that take plain arguments share."""

import argparse
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """A parser whose refusal is one line without the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the message and leave with code 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}\n")
