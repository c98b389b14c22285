"""Errors that mean too little memory, and their one line."""

import pytest
import tensorflow as tf

from nst_tf.system.failures import describe_failure, is_out_of_memory

MESSAGES = [
    "Failed to allocate memory: CUDA_ERROR_OUT_OF_MEMORY: out of memory",
    "No algorithm worked!  Error messages: RESOURCE_EXHAUSTED: Allocating 1073741824 bytes exceeds the memory limit",
    "could not create cudnn handle: CUDNN_STATUS_ALLOC_FAILED",
]


@pytest.mark.parametrize("message", MESSAGES)
def test_memory_that_a_library_of_the_gpu_lacks_is_memory_that_ran_out(message):
    error = tf.errors.InternalError(None, None, message)
    assert is_out_of_memory(error)
    assert describe_failure(error) == "out of memory: choose a smaller image.size"


@pytest.mark.parametrize("error", [tf.errors.InternalError(None, None, "a bug"), ValueError(MESSAGES[1]), None])
def test_other_errors_are_no_lack_of_memory(error):
    assert not is_out_of_memory(error)


def test_tensorflow_and_python_report_lack_of_memory_by_class():
    assert is_out_of_memory(tf.errors.ResourceExhaustedError(None, None, "OOM"))
    assert is_out_of_memory(MemoryError())
