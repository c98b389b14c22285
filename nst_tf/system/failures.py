"""Errors that end a run, in words a user can act on."""

from nst_tf.util.lazy import tf


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error tells of memory that is not there."""
    return isinstance(error, tf.errors.ResourceExhaustedError | MemoryError)


def describe_failure(error: Exception) -> str:
    """An error in one line; those about memory in plain words."""
    if is_out_of_memory(error):
        return "out of memory: choose a smaller image.size"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
