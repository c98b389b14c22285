"""Atomic file writes."""

import os
import secrets
from pathlib import Path


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write a temporary file beside ``path``, then rename it, so that a reader sees the old file or the new one.

    Args:
        path: The file; a missing folder is created.
        content: The bytes to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.partial")  # a name that no pattern of ours matches
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text atomically, encoded in UTF-8; see `write_atomically`."""
    write_atomically(path, text.encode("utf-8"))
