"""Files written whole or not at all."""

import os
import secrets
from pathlib import Path


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write into a neighbour first, then rename it over ``path``: a reader sees the old file or the new one.

    Args:
        path: Where; a missing folder is made.
        content: What.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    neighbour = path.with_name(f".{secrets.token_hex(8)}.partial")  # a name nobody's pattern finds
    try:
        with neighbour.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        neighbour.replace(path)
    finally:
        neighbour.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`write_atomically` in UTF-8."""
    write_atomically(path, text.encode("utf-8"))
