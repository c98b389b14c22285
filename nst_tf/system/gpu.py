"""GPUs, as TensorFlow and NVIDIA's driver describe them."""

from pathlib import Path
from typing import Any

from nst_tf.util.lazy import tf

DRIVER = Path("/proc/driver/nvidia/version")
"""Linux's description of NVIDIA's driver; its first line has the version."""


def is_gpu(device: str) -> bool:
    """Return whether TensorFlow's name of a device, ``/GPU:N`` or ``/CPU:0``, is that of a GPU."""
    return device.startswith("/GPU")


def compute_capability(device: str) -> tuple[int, int]:
    """Return the compute capability of a GPU, ``(9, 0)`` for an H100; ``(0, 0)`` if TensorFlow does not know it."""
    return tuple(_details(device).get("compute_capability", (0, 0)))


def gpu_identity(device: str) -> dict[str, Any]:
    """Return what the speed of a GPU depends on, as values of JSON.

    It has the model, the compute capability, the version of the driver, and the versions of CUDA and cuDNN for which
    TensorFlow was built.

    Args:
        device: ``/GPU:N``.
    """
    build = tf.sysconfig.get_build_info()
    return {
        "gpu": str(_details(device).get("device_name", "")),
        "compute_capability": list(compute_capability(device)),
        "driver": driver_version(),
        "cuda": str(build.get("cuda_version", "")),
        "cudnn": str(build.get("cudnn_version", "")),
    }


def driver_version() -> str:
    """Return the line in which NVIDIA's driver names its version; the empty string where Linux has no such file."""
    try:
        return DRIVER.read_text(encoding="utf-8").splitlines()[0].strip()
    except (OSError, IndexError):
        return ""


def _details(device: str) -> dict[str, Any]:
    gpu = tf.config.list_physical_devices("GPU")[int(device.rpartition(":")[2])]
    return tf.config.experimental.get_device_details(gpu)
