"""Paths that users type: relative to the folder of the command, with ``~`` for the home folder."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


class _CommandFolder:
    """The folder that relative paths start from; None stands for the working folder."""

    path: Path | None = None


@contextlib.contextmanager
def command_folder(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Let relative paths start from a folder while the block runs, even if it changes the working folder.

    Hydra changes the working folder to the run's with ``hydra.job.chdir=true``.

    Args:
        folder: The folder in which the command was typed.
    """
    before = _CommandFolder.path
    _CommandFolder.path = Path(folder)
    try:
        yield
    finally:
        _CommandFolder.path = before


def user_path(text: str | os.PathLike[str]) -> Path:
    """Return the absolute path that a typed text means.

    A text such as ``~x.jpg``, whose ``~`` names no user, is the name of a file.

    Args:
        text: An absolute path, a path relative to the folder of the command, or one that starts with ``~``.
    """
    path = Path(text)
    with contextlib.suppress(RuntimeError):  # no user of that name
        path = path.expanduser()
    return (_CommandFolder.path or Path.cwd()) / path


def printable(text: str) -> str:
    """Return a text that UTF-8 can encode, with escapes in place of the bytes of a name that is not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def path_exists(text: str) -> bool:
    """Return whether a typed text is the path of an existing file or folder; an empty text is none."""
    try:
        return bool(text) and user_path(text).exists()
    except OSError:  # a name that is too long
        return False


def shown(text: str, longest: int = 60) -> str:
    """Return a text that a file holds for a message of one line: printable characters, at most ``longest`` of them."""
    printed = "".join(character if character.isprintable() else "?" for character in text)
    return printed if len(printed) <= longest else f"{printed[:longest]}…"
