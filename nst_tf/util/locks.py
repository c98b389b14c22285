"""Locks between processes, held on files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from nst_tf.util.files import make_folder
from nst_tf.util.lazy import filelock

PATIENCE = 0.5
"""Seconds for which a lock is tried. `is_locked` holds a lock for a moment, which must not refuse a run."""

POLL_INTERVAL = 0.02
"""Seconds between two tries."""


class LockedError(Exception):
    """Another process holds the lock."""


@contextlib.contextmanager
def hold_lock(path: Path, patience: float = PATIENCE, remove: bool = False) -> Iterator[None]:
    """Create the folder of a lock file and hold the lock during the block.

    A lock file is deleted only by a process that holds its lock, here or in `remove_locked_folder`. filelock does not
    take the lock of a file that has been deleted in the meantime, so that two processes never hold locks of two files
    with one name.

    Args:
        path: The lock file.
        patience: Seconds to wait for the lock; negative waits for ever.
        remove: Whether the file is deleted at the end of the block; otherwise it stays.

    Raises:
        LockedError: Another process holds the lock.
        OSError: The file or its folder cannot be created.
    """
    lock = _acquire(path, patience)
    try:
        yield
    finally:
        if remove:
            path.unlink(missing_ok=True)
        lock.release()


def _acquire(path: Path, patience: float) -> filelock.BaseFileLock:
    end = time.monotonic() + patience
    while True:
        make_folder(path.parent)
        lock = filelock.FileLock(path)
        try:
            lock.acquire(timeout=patience, poll_interval=POLL_INTERVAL)
        except filelock.Timeout as error:
            if patience >= 0 and time.monotonic() >= end:
                raise LockedError(str(path)) from error
        except (FileNotFoundError, FileExistsError):  # another process has just removed the folder
            if time.monotonic() >= end + PATIENCE:
                raise
        else:
            if path.exists():
                return lock
            lock.release()  # the folder has been moved or removed since


def is_locked(path: Path) -> bool:
    """Return whether a process holds a lock, without waiting; True where that cannot be found out."""
    if not path.exists():
        return False
    try:
        with filelock.FileLock(path, timeout=0):
            return False
    except (FileNotFoundError, FileExistsError):
        return False
    except (OSError, filelock.Timeout):
        return True


def remove_locked_folder(path: Path) -> None:
    """Remove the folder of a lock file if it contains nothing else and no other process holds the lock."""
    with contextlib.suppress(OSError, filelock.Timeout):
        if [entry.name for entry in path.parent.iterdir()] not in ([], [path.name]):
            return
        with filelock.FileLock(path, timeout=0):
            if [entry.name for entry in path.parent.iterdir()] == [path.name]:
                path.unlink()
                path.parent.rmdir()
