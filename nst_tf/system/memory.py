"""Memory of this process and of its device: the peak so far, and the amount still available."""

import contextlib
import ctypes
import resource
import sys
from pathlib import Path

from nst_tf.system.gpu import is_gpu
from nst_tf.system.memory_limits import MB, MemoryLimit, memory_limits
from nst_tf.util.lazy import tf

KIB = 1024
"""Bytes in a KiB."""

_PROCESSOR = "CPU:0"
"""TensorFlow's name of the processor in questions about memory."""

STATUS = Path("/proc/self/status")
"""Linux's description of this process; its line ``VmHWM`` is the peak of the resident memory in KiB."""


def peak_memory_mb(device: str) -> float:
    """Return the peak memory since `reset_peak_memory`, in MiB.

    On a processor, TensorFlow keeps the memory that tensors have freed in a pool of its own, so that the resident
    memory of the process never falls. What earlier runs needed beyond the present one is therefore subtracted.

    Args:
        device: ``/GPU:N`` for the memory of that GPU, ``/CPU:0`` for the resident memory of this process.
    """
    if is_gpu(device):
        return tf.config.experimental.get_memory_info(device.lstrip("/"))["peak"] / MB
    return peak_resident_mb() - max(0.0, _pool.highest_mb - _pool.peak_mb())


def reset_peak_memory(device: str) -> None:
    """Reset the peak, so that a run does not report the peak of an earlier run in the same process.

    It works on GPUs and on Linux. Elsewhere the peak of the process stands.

    Args:
        device: ``/CPU:0`` or ``/GPU:N``.
    """
    if is_gpu(device):
        tf.config.experimental.reset_memory_stats(device.lstrip("/"))
    else:
        _pool.reset()
        with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
            ctypes.CDLL(None).malloc_trim(0)
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


class _Pool:
    """TensorFlow's pool of memory on the processor. It exists where TensorFlow computes with oneDNN.

    Attributes:
        highest_mb: Highest use of the pool before the last reset, in MiB. The process keeps so much memory.
    """

    def __init__(self) -> None:
        self.highest_mb = 0.0

    def peak_mb(self) -> float:
        """Return the highest use since the last reset, in MiB; 0 where there is no pool."""
        if "tensorflow" not in sys.modules:
            return 0.0
        with contextlib.suppress(ValueError):  # TensorFlow computes without oneDNN
            return float(tf.config.experimental.get_memory_info(_PROCESSOR)["peak"]) / MB
        return 0.0

    def reset(self) -> None:
        """Begin a new measurement, and keep the highest use so far."""
        self.highest_mb = max(self.highest_mb, self.peak_mb())
        if self.highest_mb:
            tf.config.experimental.reset_memory_stats(_PROCESSOR)


_pool = _Pool()


def available_mb(device: str) -> float:
    """Return the memory that is still available, in MiB; see `tightest_limit`.

    Args:
        device: ``/GPU:N`` or ``/CPU:0``.
    """
    return tightest_limit(device).free_mb


def tightest_limit(device: str) -> MemoryLimit:
    """Return the limit that leaves the least memory.

    Args:
        device: ``/GPU:N`` for TensorFlow's limit on that GPU, ``/CPU:0`` for the least of machine, control groups and
            resource limits.
    """
    if not is_gpu(device):
        return memory_limits()[0]
    from tensorflow.python.client import device_lib

    limits = [local.memory_limit for local in device_lib.list_local_devices() if local.device_type == "GPU"]
    used = tf.config.experimental.get_memory_info(device.lstrip("/"))["current"]
    return MemoryLimit(f"TensorFlow's limit on {device}", (limits[int(device.rpartition(":")[2])] - used) / MB)


def resident_mb() -> float:
    """Return the resident memory of this process now, in MiB."""
    import psutil  # imported where it is used, as in `memory_limits`

    return psutil.Process().memory_info().rss / MB


def peak_resident_mb() -> float:
    """Return the peak of this process's resident memory, in MiB.

    On Linux it is read from `STATUS`, because ``getrusage`` there starts from the peak of the parent process.
    """
    try:
        lines = STATUS.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / KIB
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / KIB**2 if sys.platform == "darwin" else peak / KIB  # bytes on macOS, KiB elsewhere
