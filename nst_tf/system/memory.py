"""Memory of this process and of its device: the most it has held, and what is still free."""

import contextlib
import math
import resource
import sys
from pathlib import Path

import psutil

from nst_tf.util.lazy import tf

MB = 2**20
KIB = 1024
STATUS = Path("/proc/self/status")


def peak_memory_mb(device: str) -> float:
    """Most memory taken so far, in MiB: the device's on a GPU, this process's resident memory on the CPU."""
    if device.startswith("/GPU"):
        return tf.config.experimental.get_memory_info(device.lstrip("/"))["peak"] / MB
    return peak_resident_mb()


def reset_peak_memory(device: str) -> None:
    """Let the peak begin anew, so that a run of a sweep does not inherit an earlier one's; on Linux and on GPUs."""
    if device.startswith("/GPU"):
        tf.config.experimental.reset_memory_stats(device.lstrip("/"))
    else:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def available_mb(device: str) -> float:
    """Memory a run may still take, in MiB: what is free of a GPU's share, or of the machine or container."""
    if device.startswith("/GPU"):
        from tensorflow.python.client import device_lib

        limits = [local.memory_limit for local in device_lib.list_local_devices() if local.device_type == "GPU"]
        used = tf.config.experimental.get_memory_info(device.lstrip("/"))["current"]
        return (limits[int(device.rpartition(":")[2])] - used) / MB
    return min(psutil.virtual_memory().available, _container_bytes()) / MB


def _container_bytes() -> float:
    """What a Linux control group leaves; infinity outside one."""
    try:
        limit, used = (Path("/sys/fs/cgroup", name).read_text().strip() for name in ("memory.max", "memory.current"))
        return float(limit) - float(used) if limit != "max" else math.inf
    except (OSError, ValueError):
        return math.inf


def peak_resident_mb() -> float:
    """Most resident memory so far, in MiB.

    On Linux from the process's own high-water mark: what ``getrusage`` tells there begins with the peak of the process
    that started this one.
    """
    try:
        lines = STATUS.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / KIB
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / KIB**2 if sys.platform == "darwin" else peak / KIB
