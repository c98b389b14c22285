"""How much memory a run needs, and whether it is there."""

import math
import resource
import sys

import keras
import psutil
import tensorflow as tf

from nst_tf.backbones import Extractor
from nst_tf.errors import InputError

MB = 2**20


def peak_memory_mb(device: str) -> float:
    """Most memory taken so far, in MiB: the device's on a GPU, this process's resident memory on the CPU."""
    if device.startswith("/GPU"):
        return tf.config.experimental.get_memory_info(device.lstrip("/"))["peak"] / MB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MB if sys.platform == "darwin" else peak / 1024


def available_mb(device: str) -> float:
    """Memory a run may still take, in MiB: free memory of the machine, or of the GPU's total what is not in use."""
    if device.startswith("/GPU"):
        number = int(device.rpartition(":")[2])
        details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[number])
        return details.get("memory_limit", float("inf")) / MB
    return psutil.virtual_memory().available / MB


def needed_mb(extractor: Extractor, height: int, width: int) -> float:
    """Estimate of what one evaluation takes beyond the process itself, in MiB.

    The forward pass keeps every layer's features for the backward pass, which holds the gradients of the two
    largest besides; on top come copies of the picture.
    """
    shapes = [(1, height, width, 3)] * 8 + _feature_shapes(extractor, height, width)
    sizes = sorted((4 * math.prod(shape) / MB for shape in shapes), reverse=True)
    return sum(sizes) + 2 * sum(sizes[:2])


def _feature_shapes(extractor: Extractor, height: int, width: int) -> list[tuple[int, ...]]:
    if extractor.model is None:
        return []
    outputs = [layer.output for layer in extractor.model.layers]
    return list(keras.Model(extractor.model.inputs, outputs).compute_output_shape((1, height, width, 3)))


def check_fits(extractor: Extractor, height: int, width: int, device: str) -> None:
    """Refuse a picture that cannot be optimised in the memory there is.

    Raises:
        InputError: Names what the picture would need, what there is, and the largest long side that would fit.
    """
    needed, available = needed_mb(extractor, height, width), available_mb(device)
    if needed > available:
        side = int(max(height, width) * math.sqrt(available / needed))
        raise InputError(
            f"A picture of {width}x{height} would need about {needed / 1024:.1f} GiB and {available / 1024:.1f} GiB "
            f"are free: image.size={side} is about the largest that fits"
        )
