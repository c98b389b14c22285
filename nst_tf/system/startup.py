"""TensorFlow's start, without the lines it writes while it loads."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def load_tensorflow_quietly() -> Iterator[None]:
    """Keep back what TensorFlow writes to stderr while it loads and looks for GPUs.

    Those lines come before its own log level counts, on machines with and without a GPU alike. Setting
    TF_CPP_MIN_LOG_LEVEL to anything but 2 shows them.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") != "2":
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            import tensorflow

            tensorflow.config.list_physical_devices()
            tensorflow.get_logger().setLevel("ERROR")  # a sweep compiles once a run, which it calls retracing
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
