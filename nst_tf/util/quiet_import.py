"""The import of TensorFlow and Keras without the lines that TensorFlow writes, and without garbage collections.

TensorFlow's modules are about a million objects, none of which is garbage. Python's collector walks through them many
times while they are created, and once more when the process ends. Each takes about a second.
"""

import atexit
import contextlib
import gc
import importlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from types import ModuleType

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
"""Environment variable with the lowest level that TensorFlow's C++ code logs: 0 is INFO, 2 is ERROR."""

QUIET = "2"
"""Value of `LOG_LEVEL` that applies unless the user has set another."""

_LOCK = threading.RLock()
"""Held while stderr is redirected, so that two threads do not redirect it at once."""


def import_quietly(name: str) -> ModuleType:
    """Import a module that is TensorFlow, or that imports it, and discard what TensorFlow writes to stderr meanwhile.

    TensorFlow writes lines before its own log level takes effect, with and without a GPU. Nothing is discarded if
    TensorFlow is already imported, if the environment sets ``TF_CPP_MIN_LOG_LEVEL`` to anything but 2, or if the import
    fails. No garbage is collected meanwhile, in any thread, and the collection at the end of the process leaves out all
    objects.

    Args:
        name: Full name of the module.
    """
    with _LOCK:
        if not {name, "tensorflow"} <= sys.modules.keys():
            _import_first(name)
        return importlib.import_module(name)


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """Collect no garbage during the block, and leave all objects in the oldest generation, seldom collected."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # to the oldest generation
        if was_enabled:
            gc.enable()


@_without_collections()
def _import_first(name: str) -> None:
    """Import a module that is not there yet, and TensorFlow before it."""
    if "tensorflow" not in sys.modules:
        atexit.register(gc.freeze)  # what is frozen is left out of the last collection
        if os.environ.setdefault(LOG_LEVEL, QUIET) == QUIET:
            _import_tensorflow()
    importlib.import_module(name)


def _import_tensorflow() -> None:
    """Import TensorFlow, let it look for GPUs, and write to stderr only if the import fails."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            import tensorflow

            tensorflow.config.list_physical_devices()
            tensorflow.get_logger().setLevel("ERROR")  # it takes the one trace of each run in a sweep for retracing
        except BaseException:
            written.seek(0)
            os.write(stderr, written.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
