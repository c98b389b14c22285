"""Estimate of the memory that a run needs, and its comparison with the memory that is available."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nst_tf.backbones import Extractor
from nst_tf.system.memory import MB, available_mb
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import keras, tf

COPIES = 8
"""Copies of the picture beside the optimiser's: gradient, preprocessed picture, best so far, and temporary ones."""

MARGIN = 0.97
"""Factor of the side that just fits, since sides are rounded to whole pixels."""


def needed_mb(
    extractor: Extractor, height: int, width: int, image_copies: int = COPIES, *, backward: bool = True
) -> float:
    """Return an estimate of the memory that one evaluation takes beyond the process itself, in MiB.

    The forward pass keeps the features of every layer for the backward pass. The backward pass also holds the
    gradients of the two largest, twice each. A network in segments keeps the output of each segment, and the inner
    features of one segment at a time.

    Args:
        extractor: The network.
        height: Height of the picture, in pixels.
        width: Width of the picture, in pixels.
        image_copies: Number of float32 pictures that optimiser, losses and preprocessing hold.
        backward: Whether there is a backward pass. Targets need the forward pass alone.
    """
    picture = 4 * height * width * 3 / MB
    sizes = _feature_sizes(extractor, height, width)
    segments = [[each.name for each in piece.model.operations if each.name in sizes] for piece in extractor.segments]
    inner = [_simultaneous([picture, *(sizes[name] for name in segment)], backward) for segment in segments]
    outputs = {name for piece in extractor.segments for name in piece.model.output} if len(segments) > 1 else set()
    return image_copies * picture + max(inner, default=0.0) + sum(sizes[name] for name in outputs)


def _simultaneous(sizes: list[float], backward: bool) -> float:
    """Return the MiB of a segment's features, and of its gradients, that exist at the same time.

    Args:
        sizes: MiB of the picture, which `needed_mb` counts by itself, and of each layer's features.
        backward: Whether there is a backward pass.
    """
    return sum(sizes[1:]) + (2 * sum(sorted(sizes, reverse=True)[:2]) if backward else 0.0)


def _feature_sizes(extractor: Extractor, height: int, width: int) -> dict[str, float]:
    """Return the MiB of each layer's features."""
    if extractor.model is None:
        return {}
    operations = extractor.model.operations
    model = keras.Model(extractor.model.inputs, [operation.output for operation in operations])
    shapes = model.compute_output_shape((1, height, width, 3))
    return {
        operation.name: tf.as_dtype(operation.output.dtype).size * math.prod(shape) / MB
        for operation, shape in zip(operations, shapes, strict=True)
    }


@dataclass(frozen=True)
class Footprint:
    """The properties of a run that determine its memory.

    Attributes:
        extractor: The network.
        content: Height and width of the picture, in pixels.
        styles: Height and width of each style, in pixels.
        image_copies: Number of float32 pictures that the optimiser holds.
    """

    extractor: Extractor
    content: tuple[int, int]
    styles: Sequence[tuple[int, int]]
    image_copies: int

    def needs(self) -> list[tuple[str, tuple[int, int], float]]:
        """Return for the picture and each style: the key of its size, height and width, and the MiB it needs."""
        content = needed_mb(self.extractor, *self.content, COPIES + self.image_copies)
        styles = [needed_mb(self.extractor, *shape, backward=False) for shape in self.styles]
        keys = ["image.size", *["image.style_size"] * len(styles)]
        return list(zip(keys, [self.content, *self.styles], [content, *styles], strict=True))

    def needed_mb(self) -> float:
        """Return the largest of `needs`, in MiB: picture and styles are evaluated one after the other."""
        return max(needed for _, _, needed in self.needs())


@dataclass(frozen=True)
class MemoryPlan:
    """The size at which a run computes and the memory it needs there.

    Attributes:
        size_factor: Factor of the requested size; 1 for that size.
        needed_mb: Estimate of the memory beyond the process itself, in MiB.
        available_mb: Available memory before the run, in MiB.
    """

    size_factor: float
    needed_mb: float
    available_mb: float

    def record(self) -> dict[str, float]:
        """Return the entries of `run.json`."""
        return {
            "size_factor": self.size_factor,
            "needed_memory_mb": round(self.needed_mb),
            "free_memory_mb": round(self.available_mb),
        }


def check_fits(footprint: Footprint, device: str) -> tuple[float, float]:
    """Refuse pictures that need more memory than is available.

    Args:
        footprint: The run's footprint.
        device: TensorFlow's name of the device.

    Returns:
        The memory that the run needs beyond the process itself, and the available memory, in MiB.

    Raises:
        InputError: A picture does not fit. The message names its need, the available memory, and the largest long
            side that fits.
    """
    available = available_mb(device)
    for key, (height, width), needed in footprint.needs():
        if needed > available:
            side = int(max(height, width) * math.sqrt(available / needed))
            raise InputError(
                f"A picture of {width}x{height} would need about {needed / 1024:.1f} GiB and "
                f"{available / 1024:.1f} GiB are free: {key}={side} is about the largest that fits; "
                "or set image.fit_memory=true, or runtime.recompute=true"
            )
    return footprint.needed_mb(), available


def fits_easily(footprint: Footprint, device: str) -> bool:
    """Return whether a run needs less than half of the available memory."""
    return 2 * footprint.needed_mb() < available_mb(device)


def fitting_factor(footprint: Footprint, device: str) -> float:
    """Return the factor of every side at which a run fits into the available memory; 1 if it fits as it is."""
    available, needed = available_mb(device), footprint.needed_mb()
    return min(1.0, MARGIN * math.sqrt(available / needed)) if needed > available else 1.0
