"""One-line descriptions of the errors that end a run."""

from nst_tf.util.lazy import tf


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error reports that memory ran out, on the host or on a GPU."""
    return isinstance(error, tf.errors.ResourceExhaustedError | MemoryError)


def describe_failure(error: Exception) -> str:
    """Return an error's type and first line, or the remedy where memory ran out."""
    if is_out_of_memory(error):
        return "out of memory: choose a smaller image.size"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
