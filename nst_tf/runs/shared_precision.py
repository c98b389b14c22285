"""The precision that all runs of a sweep share, on whatever machines they run."""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nst_tf.system.runtime import Precision
from nst_tf.util.errors import InputError
from nst_tf.util.files import read_regular_file, write_text
from nst_tf.util.locks import LockedError, hold_lock
from nst_tf.util.parsing import parse_json

log = logging.getLogger(__name__)

FILE = "precision.json"
"""Name of the file in the sweep's folder."""

LARGEST_FILE = 2**12
"""Largest size of the file, in bytes."""

PATIENCE = 120.0
"""Seconds to wait for the process that chooses the precision."""


def shared_precision(sweep: Path, choose: Callable[[], Mapping[str, Any]]) -> str:
    """Return the precision of a sweep: the one that its folder keeps, or else the one that is chosen now.

    The first run with ``runtime.precision=auto`` chooses, and the others wait for it. A damaged file is replaced.

    Args:
        sweep: Folder of the sweep.
        choose: Function that returns the content of the file: Keras's name of a ``precision``, and for people how it
            was chosen.
    """
    path = sweep / FILE
    if (kept := _read(path)) is not None:
        return kept
    try:
        with hold_lock(sweep / f".{FILE}.lock", PATIENCE):
            if (kept := _read(path)) is not None:
                return kept
            chosen = choose()
            write_text(path, json.dumps(dict(chosen), indent=2) + "\n")
    except (OSError, LockedError) as error:
        log.warning("Cannot keep the precision of the sweep in '%s' (%s): this run chooses its own", path, error)
        chosen = choose()
    return str(chosen["precision"])


def _read(path: Path) -> str | None:
    """Return the precision in a file; None if there is no file or it names none."""
    try:
        content = parse_json(read_regular_file(path, LARGEST_FILE).decode("utf-8"))
        precision = Precision(content["precision"])
    except (OSError, InputError, ValueError, KeyError, TypeError):
        return None
    return None if precision is Precision.auto else precision.value
