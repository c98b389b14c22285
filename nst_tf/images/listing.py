"""The picture files of a folder, and those that a pattern matches."""

import glob
from collections.abc import Iterable
from pathlib import Path

SUFFIXES = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Suffixes by which picture files are recognised, in lower case."""


def pictures_in(folder: Path) -> list[Path]:
    """Return the picture files directly in a folder, sorted by name.

    Args:
        folder: An existing folder. Hidden files, folders in it and files that are not regular are left out.
    """
    return _pictures(folder.iterdir())


def pictures_matching(pattern: str) -> list[Path]:
    """Return the picture files that a pattern matches, sorted by path.

    Args:
        pattern: A path with ``*`` or ``?`` in it, or with ``**`` for folders at any depth. Brackets stand for
            themselves, because names of folders have them.
    """
    found = glob.iglob(pattern.replace("[", "[[]"), recursive=True)  # noqa: PTH207 - Path.glob wants a relative pattern
    return _pictures(map(Path, found))


def _pictures(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.suffix.lower() in SUFFIXES and not _is_hidden(path) and path.is_file())


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")
