"""Folders of runs without a name, one for each command, even for commands of the same second."""

import itertools
from pathlib import Path

from nst_tf.runs.folder import RunFolder


def claim_folder(path: Path) -> RunFolder:
    """Create a run folder that no other command has: ``path``, else ``path-2``, ``path-3`` and so on.

    The file of the run's lock is created exclusively, so that of several commands exactly one gets each folder.

    Args:
        path: Path of the folder, which may exist.

    Raises:
        InputError: The folder cannot be created.
    """
    names = itertools.chain([path.name], (f"{path.name}-{number}" for number in itertools.count(2)))
    return next(folder for folder in (RunFolder(path.with_name(name)) for name in names) if _claim(folder))


def _claim(folder: RunFolder) -> bool:
    folder.make()
    try:
        folder.lock.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
