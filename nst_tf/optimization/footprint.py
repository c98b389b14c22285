"""How much memory a run needs, and whether it is there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nst_tf.backbones import Extractor
from nst_tf.system.memory import MB, available_mb
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import keras, tf

COPIES = 8
"""Pictures beside the optimiser's own: gradient, preprocessed, best so far, and what is in the making."""
MARGIN = 0.97
"""Of the side that just fits: sides are rounded, so the largest that fits is missed by a little."""


def needed_mb(
    extractor: Extractor, height: int, width: int, image_copies: int = COPIES, *, backward: bool = True
) -> float:
    """Estimate of what one evaluation takes beyond the process itself, in MiB.

    The forward pass keeps every layer's features for the backward pass, which holds the gradients of the two largest
    besides. A network in segments keeps what each puts out, and one segment's inner features at a time.

    Args:
        extractor: The network.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        image_copies: Pictures in float32 that optimiser, losses and preprocessing hold.
        backward: Whether there is a backward pass; targets need the forward pass alone.
    """
    picture = 4 * height * width * 3 / MB
    sizes = _feature_sizes(extractor, height, width)
    names = [[each.name for each in piece.model.operations if each.name in sizes] for piece in extractor.pieces]
    inner = [_held([picture, *(sizes[name] for name in group)], backward) for group in names]
    put_out = {name for piece in extractor.pieces for name in piece.model.output} if len(names) > 1 else set()
    return image_copies * picture + max(inner, default=0.0) + sum(sizes[name] for name in put_out)


def _held(sizes: list[float], backward: bool) -> float:
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


@dataclass(frozen=True)
class Footprint:
    """What decides how much memory a run takes.

    Attributes:
        extractor: The network.
        content: Height and width of the picture.
        styles: Heights and widths of the styles.
        image_copies: Pictures that the optimiser holds.
    """

    extractor: Extractor
    content: tuple[int, int]
    styles: Sequence[tuple[int, int]]
    image_copies: int

    def needs(self) -> list[tuple[str, tuple[int, int], float]]:
        """The key that sets a picture's size, its height and width, and what it needs in MiB: content, styles."""
        content = needed_mb(self.extractor, *self.content, COPIES + self.image_copies)
        styles = [needed_mb(self.extractor, *shape, backward=False) for shape in self.styles]
        keys = ["image.size", *["image.style_size"] * len(styles)]
        return list(zip(keys, [self.content, *self.styles], [content, *styles], strict=True))


def check_fits(footprint: Footprint, device: str) -> tuple[float, float]:
    """Refuse pictures that cannot be worked on in the memory there is.

    Args:
        footprint: Of the run.
        device: Where.

    Returns:
        What the run will need beyond the process itself, and what is free, in MiB.

    Raises:
        InputError: Names what the picture would need, what there is, and the largest long side that would fit.
    """
    available, needs = available_mb(device), footprint.needs()
    for key, shape, needed in needs:
        if needed > available:
            side = int(max(shape) * math.sqrt(available / needed))
            raise InputError(
                f"A picture of {shape[1]}x{shape[0]} would need about {needed / 1024:.1f} GiB and "
                f"{available / 1024:.1f} GiB are free: {key}={side} is about the largest that fits; "
                "or set image.fit_memory=true, or runtime.recompute=true"
            )
    return max(needed for _, _, needed in needs), available


def is_easy(footprint: Footprint, device: str) -> bool:
    """Whether a run needs less than half of the memory that is free."""
    return 2 * max(needed for _, _, needed in footprint.needs()) < available_mb(device)


def fitting_factor(footprint: Footprint, device: str) -> float:
    """What every side has to be multiplied by for a run to fit in the memory there is, 1 where it does."""
    available = available_mb(device)
    most = max(needed for _, _, needed in footprint.needs())
    return min(1.0, MARGIN * math.sqrt(available / most)) if most > available else 1.0
