"""Choice among alternatives by measurement: named candidates, their seconds, and a file that keeps the seconds.

`nst_tf.optimization.execution` chooses precision, convolution and the use of XLA by it, `nst_tf.system.threads` the
number of threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from nst_tf.system.failures import is_out_of_memory
from nst_tf.util.errors import InputError
from nst_tf.util.files import read_regular_file, write_text
from nst_tf.util.lazy import tf
from nst_tf.util.locks import LockedError, hold_lock
from nst_tf.util.parsing import parse_json

log = logging.getLogger(__name__)

Name = TypeVar("Name")

MEASURE_VARIABLE = "NST_TF_MEASURE"
"""Environment variable; ``0`` turns measurements off, so that known properties of the machine decide."""

CACHE_VARIABLE = "NST_TF_CACHE_DIR"
"""Environment variable with the folder of the measurements, instead of the user's cache folder."""

TOLERANCE = 0.03
"""Relative difference of two times that counts as noise."""

BUDGET = 0.3
"""Seconds after which `measure` starts no further round."""

ROUNDS = range(2, 11)
"""Numbers of rounds that `measure` may take."""

LARGEST_FILE = 2**16
"""Largest size of a file of measurements, in bytes; a larger one is not read."""

PATIENCE = 60.0
"""Seconds to wait for another process that measures on this machine."""


def is_enabled() -> bool:
    """Return whether measurements are allowed, see `MEASURE_VARIABLE`."""
    return os.environ.get(MEASURE_VARIABLE, "1") != "0"


def measure(
    candidates: Mapping[Name, Callable[[], object]],
    budget: float = BUDGET,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Name, float]:
    """Return the shortest time of each candidate, in seconds.

    The first call of a candidate is not counted. Then every round calls each candidate once, so that other work on
    the machine slows all of them alike.

    Args:
        candidates: Functions without arguments that return when their work is done.
        budget: Seconds after which no further round starts; `ROUNDS` has the bounds of their number.
        clock: Function that returns the present time in seconds.

    Returns:
        Seconds by name. A candidate that this machine cannot compute is left out.

    Raises:
        tf.errors.OpError: There is too little memory for a candidate, see `is_out_of_memory`.
    """
    able = {name: run for name, run in candidates.items() if _works(run)}
    shortest = dict.fromkeys(able, math.inf)
    begin = clock()
    for number in range(ROUNDS.stop - 1):
        if number >= ROUNDS.start and clock() - begin > budget:
            break
        for name, run in able.items():
            start = clock()
            run()
            shortest[name] = min(shortest[name], clock() - start)
    return shortest


def _works(run: Callable[[], object]) -> bool:
    """Call a candidate once, and return whether TensorFlow could compute it."""
    try:
        run()
    except (tf.errors.OpError, NotImplementedError) as error:
        if is_out_of_memory(error):  # another time it may be enough, and seconds are kept
            raise
        log.debug("Not measured: %s", error)
        return False
    return True


def synchronised(run: Callable[[], Any], calls: int) -> Callable[[], object]:
    """Return a function that calls another one several times, and returns when all calls are computed.

    A GPU computes operations in their order, after their calls have returned. The new function therefore reads a value
    of the last result. Several calls keep the time of reading small.

    Args:
        run: Function that returns a tensor.
        calls: Number of calls.
    """

    def run_all() -> object:
        for _ in range(calls - 1):
            run()
        return tf.reshape(run(), [-1])[:1].numpy()

    return run_all


def fastest(seconds: Mapping[Name, float], preferred: Name, tolerance: float = TOLERANCE) -> Name:
    """Return the name with the fewest seconds, or the preferred one if the difference is noise.

    Args:
        seconds: Seconds by name; the preferred name may be missing.
        preferred: Name that is chosen within the tolerance, and if there are no seconds at all.
        tolerance: Largest relative difference that counts as noise.
    """
    if not seconds:
        return preferred
    best = min(seconds, key=lambda name: seconds[name])
    return preferred if seconds.get(preferred, math.inf) <= (1 + tolerance) * seconds[best] else best


def measured_once(key: Mapping[str, Any], measurement: Callable[[], Mapping[str, float]]) -> dict[str, float]:
    """Return the seconds that belong to a key, from the user's cache folder or else measured now and kept there.

    Processes of one machine measure one after the other. A damaged file is measured anew. Without a folder that can
    be written, nothing is kept.

    Args:
        key: Everything that the seconds depend on, as values of JSON.
        measurement: Function that returns seconds by name.
    """
    path = _path(key)
    if (kept := _read(path, key)) is not None:
        return kept
    with _exclusive(path.parent):
        if (kept := _read(path, key)) is not None:
            return kept
        seconds = dict(measurement())
        with contextlib.suppress(OSError):
            write_text(path, json.dumps({"key": dict(key), "seconds": seconds}, indent=2) + "\n")
    return seconds


def cache_folder() -> Path:
    """Return the folder of the measurements: ``measurements`` in the user's cache folder of this program."""
    import platformdirs  # imported where it is used, since a refused command need not wait for it

    folder = os.environ.get(CACHE_VARIABLE)
    return (Path(folder) if folder else platformdirs.user_cache_path("nst_tf", appauthor=False)) / "measurements"


def _path(key: Mapping[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(dict(key), sort_keys=True).encode()).hexdigest()
    return cache_folder() / f"{digest[:24]}.json"


def _read(path: Path, key: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the seconds in a file; None if there is none, it is damaged, or it belongs to another key."""
    try:
        content = parse_json(read_regular_file(path, LARGEST_FILE).decode("utf-8"))
    except (OSError, InputError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("key") != dict(key):
        return None
    seconds = content.get("seconds")
    return seconds if isinstance(seconds, dict) and all(map(_is_duration, seconds.values())) else None


def _is_duration(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value > 0


@contextlib.contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Keep other processes of this machine from measuring at the same time, where the folder can be written."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, LockedError):
            stack.enter_context(hold_lock(folder / ".lock", PATIENCE))
        yield
