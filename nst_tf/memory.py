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
COPIES = 8
"""Pictures beside the optimiser's own: gradient, preprocessed, best so far, and what is in the making."""


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


def needed_mb(extractor: Extractor, height: int, width: int, copies: int = COPIES, *, backward: bool = True) -> float:
    """Estimate of what one evaluation takes beyond the process itself, in MiB.

    The forward pass keeps every layer's features for the backward pass, which holds the gradients of the two largest
    besides. A network in segments keeps what each puts out, and one segment's inner features at a time.

    Args:
        extractor: The network.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        copies: Pictures in float32 that optimiser, losses and preprocessing hold.
        backward: Whether there is a backward pass; targets need the forward pass alone.
    """
    picture = 4 * height * width * 3 / MB
    sizes = _feature_sizes(extractor, height, width)
    names = [[each.name for each in piece.model.operations if each.name in sizes] for piece in extractor.pieces]
    inner = [_largest([picture, *(sizes[name] for name in group)], backward) for group in names]
    put_out = {name for piece in extractor.pieces for name in piece.model.output} if len(names) > 1 else set()
    return copies * picture + max(inner, default=0.0) + sum(sizes[name] for name in put_out)


def _largest(sizes: list[float], backward: bool) -> float:
    """Features that are held at once, with the gradients of the two largest."""
    return sum(sizes[1:]) + (2 * sum(sorted(sizes, reverse=True)[:2]) if backward else 0.0)


def _feature_sizes(extractor: Extractor, height: int, width: int) -> dict[str, float]:
    """MiB of each layer's features."""
    if extractor.model is None:
        return {}
    operations = extractor.model.operations
    model = keras.Model(extractor.model.inputs, [operation.output for operation in operations])
    shapes = model.compute_output_shape((1, height, width, 3))
    return {
        operation.name: tf.as_dtype(operation.output.dtype).size * math.prod(shape) / MB
        for operation, shape in zip(operations, shapes, strict=True)
    }


def check_fits(
    extractor: Extractor, content: tuple[int, int], styles: Sequence[tuple[int, int]], copies: int, device: str
) -> tuple[float, float]:
    """Refuse pictures that cannot be worked on in the memory there is.

    Args:
        extractor: The network.
        content: Height and width of the picture.
        styles: Heights and widths of the styles.
        copies: Pictures that the optimiser holds.
        device: Where.

    Returns:
        What the run will need beyond the process itself, and what is free, in MiB.

    Raises:
        InputError: Names what the picture would need, what there is, and the largest long side that would fit.
    """
    available = available_mb(device)
    needs = _needs(extractor, content, styles, copies)
    for key, shape, needed in needs:
        if needed > available:
            side = int(max(shape) * math.sqrt(available / needed))
            raise InputError(
                f"A picture of {shape[1]}x{shape[0]} would need about {needed / 1024:.1f} GiB and "
                f"{available / 1024:.1f} GiB are free: {key}={side} is about the largest that fits; "
                "or set image.fit_memory=true, or runtime.recompute=true"
            )
    return max(needed for _, _, needed in needs), available


def fitting_factor(
    extractor: Extractor, content: tuple[int, int], styles: Sequence[tuple[int, int]], copies: int, device: str
) -> float:
    """What every side has to be multiplied by for a run to fit, 1 where it does; arguments as for `check_fits`."""
    available = available_mb(device)
    most = max(needed for _, _, needed in _needs(extractor, content, styles, copies))
    return min(1.0, MARGIN * math.sqrt(available / most)) if most > available else 1.0


MARGIN = 0.97
"""Sides are rounded, so the largest that fits is missed by a little."""


def _needs(
    extractor: Extractor, content: tuple[int, int], styles: Sequence[tuple[int, int]], copies: int
) -> list[tuple[str, tuple[int, int], float]]:
    """The key that sets a picture's size, its height and width, and what it needs in MiB: content, styles."""
    needs = [("image.size", content, needed_mb(extractor, *content, COPIES + copies))]
    return needs + [("image.style_size", style, needed_mb(extractor, *style, backward=False)) for style in styles]


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error tells of memory that is not there."""
    return isinstance(error, tf.errors.ResourceExhaustedError | MemoryError)
