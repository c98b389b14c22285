"""The import of TensorFlow without the lines that it writes while it loads."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def load_tensorflow_quietly() -> Iterator[None]:
    """Import TensorFlow, and discard what is written to stderr until the block ends.

    TensorFlow writes these lines before its own log level takes effect, with and without a GPU. If the environment
    sets TF_CPP_MIN_LOG_LEVEL to anything but 2, nothing is discarded.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") != "2":
        yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as discarded:
        os.dup2(discarded.fileno(), 2)
        try:
            import tensorflow

            tensorflow.config.list_physical_devices()
            tensorflow.get_logger().setLevel("ERROR")  # it takes the one trace of each run in a sweep for retracing
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
