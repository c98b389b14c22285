"""One-line descriptions of the errors that end a run."""

from nst_tf.util.lazy import tf

GPU_MESSAGES = (
    "RESOURCE_EXHAUSTED",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
"""Words by which NVIDIA's libraries report that memory ran out, in errors that TensorFlow gives another class."""


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error reports that memory ran out, on the host or on a GPU."""
    if isinstance(error, tf.errors.OpError) and any(words in str(error) for words in GPU_MESSAGES):
        return True
    return isinstance(error, tf.errors.ResourceExhaustedError | MemoryError)


def describe_failure(error: Exception) -> str:
    """Return an error's type and first line, or the remedy where memory ran out."""
    if is_out_of_memory(error):
        return "out of memory: choose a smaller image.size"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
