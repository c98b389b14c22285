"""Memory of this process and of its device: the peak so far, and the amount still available."""

import contextlib
import resource
import sys
from pathlib import Path

from nst_tf.system.memory_limits import MB, MemoryLimit, memory_limits
from nst_tf.util.lazy import tf

KIB = 1024
"""Bytes in a KiB."""

STATUS = Path("/proc/self/status")
"""Linux's description of this process; its line ``VmHWM`` is the peak of the resident memory in KiB."""


def peak_memory_mb(device: str) -> float:
    """Return the peak memory so far, in MiB.

    Args:
        device: ``/GPU:N`` for the memory of that GPU, ``/CPU:0`` for the resident memory of this process.
    """
    if device.startswith("/GPU"):
        return tf.config.experimental.get_memory_info(device.lstrip("/"))["peak"] / MB
    return peak_resident_mb()


def reset_peak_memory(device: str) -> None:
    """Reset the peak, so that a run does not report the peak of an earlier run in the same process.

    It works on GPUs and on Linux. Elsewhere the peak of the process stands.

    Args:
        device: ``/CPU:0`` or ``/GPU:N``.
    """
    if device.startswith("/GPU"):
        tf.config.experimental.reset_memory_stats(device.lstrip("/"))
    else:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


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
    if not device.startswith("/GPU"):
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
