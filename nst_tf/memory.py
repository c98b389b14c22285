"""How much memory a run needs, and whether it is there."""

import contextlib
import math
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import psutil
import tensorflow as tf
from tensorflow.python.client import device_lib

from nst_tf.backbones import Extractor
from nst_tf.errors import InputError

MB = 2**20


def peak_memory_mb(device: str) -> float:
    """Most memory taken so far, in MiB: the device's on a GPU, this process's resident memory on the CPU."""
    if device.startswith("/GPU"):
        return tf.config.experimental.get_memory_info(device.lstrip("/"))["peak"] / MB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MB if sys.platform == "darwin" else peak / 1024


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


def needed_mb(extractor: Extractor, height: int, width: int, *, backward: bool = True) -> float:
    """Estimate of what one evaluation takes beyond the process itself, in MiB.

    The forward pass keeps every layer's features for the backward pass, which holds the gradients of the two
    largest besides; on top come copies of the picture. Targets need the forward pass alone (``backward=False``).
    """
    sizes = [4 * height * width * 3 / MB] * 8 + _feature_sizes(extractor, height, width)
    sizes.sort(reverse=True)
    return sum(sizes) + (2 * sum(sizes[:2]) if backward else 0)


def _feature_sizes(extractor: Extractor, height: int, width: int) -> list[float]:
    """MiB of each layer's features."""
    if extractor.model is None:
        return []
    layers = extractor.model.layers
    model = keras.Model(extractor.model.inputs, [layer.output for layer in layers])
    shapes = model.compute_output_shape((1, height, width, 3))
    sizes = [tf.as_dtype(layer.compute_dtype).size for layer in layers]
    return [size * math.prod(shape) / MB for size, shape in zip(sizes, shapes, strict=True)]


def check_fits(extractor: Extractor, content: tuple[int, int], styles: Sequence[tuple[int, int]], device: str) -> None:
    """Refuse pictures, given by height and width, that cannot be worked on in the memory there is.

    Raises:
        InputError: Names what the picture would need, what there is, and the largest long side that would fit.
    """
    available = available_mb(device)
    for key, shape in [("image.size", content), *(("image.style_size", style) for style in styles)]:
        needed = needed_mb(extractor, *shape, backward=key == "image.size")
        if needed > available:
            side = int(max(shape) * math.sqrt(available / needed))
            raise InputError(
                f"A picture of {shape[1]}x{shape[0]} would need about {needed / 1024:.1f} GiB and "
                f"{available / 1024:.1f} GiB are free: {key}={side} is about the largest that fits"
            )


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error tells of memory that is not there."""
    return isinstance(error, tf.errors.ResourceExhaustedError | MemoryError)
