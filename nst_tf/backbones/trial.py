"""Trial of a file from elsewhere in another process.

The C and C++ libraries that read HDF5 and TFLite files do not check a file completely: a damaged one can end the
process that reads it, or keep it busy for ever. Files whose checksum is not known are therefore read once in a process
that may fail.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

from nst_tf.util.errors import InputError

SECONDS = 60
"""Longest time of a trial of a small file."""

BYTES_PER_SECOND = 5e6
"""Slowest speed at which a large file is read."""


def try_file(program: str, path: Path, subject: str) -> str | None:
    """Run a Python program with a file as its argument; an unchanged file is not tried again.

    Args:
        program: Path of the program, which must not import this package.
        path: The file.
        subject: What the file is, as the subject of an error.

    Returns:
        None if the program exits with status 0, otherwise the last line that it prints as an error.

    Raises:
        InputError: The program does not end in time, or it crashes.
    """
    status = path.stat()
    return _try(program, path, subject, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=16)
def _try(program: str, path: Path, subject: str, modified: int, size: int) -> str | None:
    seconds = SECONDS + size / BYTES_PER_SECOND
    command = [sys.executable, "-P", program, str(path)]
    try:
        trial = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{subject} is damaged: reading it did not end within {seconds:.0f} s; download it again"
        ) from None
    if trial.returncode < 0:
        raise InputError(f"{subject} is damaged: reading it crashed (signal {-trial.returncode}); download it again")
    return (trial.stderr.strip().splitlines() or ["no reason given"])[-1] if trial.returncode else None
