"""Estimate of the memory that a run needs, and its comparison with the memory that is available."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nst_tf.backbones import Extractor
from nst_tf.backbones.graph import edges, output_shapes
from nst_tf.optimization.tiles import Grid, Tiling
from nst_tf.optimizers import Optimizer
from nst_tf.system.memory import MB, available_mb, resident_mb, tightest_limit
from nst_tf.system.runtime import has_bfloat16
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

COPIES = 4
"""Copies of the picture beside the optimiser's: gradient, preprocessed picture, best so far, and start."""

FIXED_MB = 68
"""MiB that a run of any size takes: traced graphs, kernels of oneDNN, thread-local pools. Measured, not derived.

The measured growth of runs at 128 to 768 pixels is a line over the area; this is its value at 0, without the weights
and without `Optimizer.graph_mb`.
"""

WEIGHT_COPIES = 0.8
"""Copies of the weights that oneDNN makes in the layout of its kernels. Measured.

It is the difference between the fixed memory of VGG-19 and of vgg19_lite, divided by that of their weights in float32:
0.5 on an idle machine and 0.8 on a busy one. In bfloat16 a copy has two bytes a value, and the weights are rounded once
more. On a CPU without bfloat16 instructions oneDNN makes no copy in bfloat16.
"""

GRADIENT_COPIES = 1.0
"""Copies of the gradients of the two largest layers that exist at the same time: input and output of one operation.

Measured with vgg19_lite, whose losses have no gradients beside them.
"""

FLOAT32_BYTES = 4
"""Bytes of a value in float32, in which losses read features of any precision."""

TILE_COPIES = 2
"""Copies of the picture that tiles need beside those of an untiled run: a tile's gradient in place, and the sum."""

TILE_FIXED_MB = 80
"""MiB that tiles take at any size beside `FIXED_MB`: the graphs of both passes. Measured.

Each pass also lays the weights out for itself, so that they exist `WEIGHT_COPIES` times more.
"""

TARGET_COPIES = 2
"""Copies of the content's features with tiles: the target, and its sum with a tile's part while it is computed."""

SAFETY = 1.4
"""Factor on an estimate before it is compared with the free memory. The measured peak is at most this much larger.

Over three steps the estimate is within a fifth of the growth. Longer runs take more as the heap is fragmented: 434 MiB
against 315 at 420 pixels in bfloat16, the most that was seen.
"""

MARGIN = 0.97
"""Factor of the side that just fits, since sides are rounded to whole pixels."""


def needed_mb(
    extractor: Extractor,
    height: int,
    width: int,
    image_copies: int = COPIES,
    *,
    backward: bool = True,
    joint_layers: Collection[str] = (),
) -> float:
    """Return an estimate of the memory that a run takes beyond what the process has before it, in MiB.

    The forward pass keeps the features of every layer for the backward pass, and float32 copies of those that the
    losses read in lower precision. The backward pass holds the gradients of the two largest, and from its beginning
    those that a loss sends to several layers at once; when it comes to the largest, it has freed the copies of the
    deeper layers. With ``recompute``, the output of each segment is kept, and the inner features of one segment at a
    time. A convolution by Winograd's method also needs its tiles. `fixed_mb` is independent of the picture.

    Args:
        extractor: The network.
        height: Height of the picture, in pixels.
        width: Width of the picture, in pixels.
        image_copies: Number of float32 pictures that optimiser, losses and preprocessing hold.
        backward: Whether there is a backward pass. Targets need the forward pass alone.
        joint_layers: Layers whose gradients are computed together, see `nst_tf.optimization.layer_gradients`.
    """
    pictures = image_copies * _picture_mb(height, width)
    return fixed_mb(extractor) + pictures + _network_mb(extractor, height, width, backward, joint_layers)


def _picture_mb(height: int, width: int) -> float:
    """Return the MiB of a float32 picture."""
    return FLOAT32_BYTES * height * width * 3 / MB


def _network_mb(extractor: Extractor, height: int, width: int, backward: bool, joint_layers: Collection[str]) -> float:
    """Return the MiB of the features, and of their gradients, of a picture of this size."""
    sizes = _feature_sizes(extractor, height, width)
    segments = [
        [sizes[each.name] for each in piece.model.operations if each.name in sizes] for piece in extractor.segments
    ]
    outputs = {name for piece in extractor.segments for name in piece.model.output} if len(segments) > 1 else set()
    peak = max(map(sum, segments), default=0.0) + sum(_copies(extractor, sizes).values())  # after the forward pass
    if backward:
        picture = _picture_mb(height, width)
        with_gradients = [sum(each) + GRADIENT_COPIES * sum(sorted([picture, *each])[-2:]) for each in segments]
        at_once = _copies_mb(extractor, sizes, joint_layers) + _early_gradients_mb(extractor, sizes, joint_layers)
        peak = max(peak, max(with_gradients, default=0.0) + at_once)
    return peak + sum(sizes[name] for name in outputs) + _workspace_mb(extractor, sizes)


def _tile_mb(extractor: Extractor, height: int, width: int, own: int, backward: bool) -> float:
    """Return the MiB that the tiles of a picture of this size take; they do not grow with the picture.

    The features that the losses read exist a second time, in float32, without those that other tiles own.
    """
    tiling = Tiling.plan(height, width, own, Grid.of(extractor))
    if tiling.count == 1:
        return _network_mb(extractor, height, width, backward, ())
    sizes = _feature_sizes(extractor, *tiling.window)
    masked = sum(_in_float32(extractor, sizes).values())
    return _network_mb(extractor, *tiling.window, backward, ()) + masked + TILE_FIXED_MB + _weights_mb(extractor)


def fixed_mb(extractor: Extractor) -> float:
    """Return the part of `needed_mb` that does not depend on the picture, in MiB."""
    return FIXED_MB + _weights_mb(extractor)


def _weights_mb(extractor: Extractor) -> float:
    """Return the MiB of the copies of the weights that oneDNN makes."""
    layers = [] if extractor.model is None else extractor.model.layers
    copied = [layer for layer in layers if layer.compute_dtype != "bfloat16" or has_bfloat16()]
    values = sum(math.prod(weight.shape) for layer in copied for weight in layer.weights)
    return WEIGHT_COPIES * FLOAT32_BYTES * values / MB


def _workspace_mb(extractor: Extractor, sizes: dict[str, float]) -> float:
    """Return the MiB of the tiles of one convolution by Winograd's method, the largest, in its input and its output."""
    layers = [] if extractor.model is None else extractor.model.layers
    tiles = [sizes[layer.name] * layer.tiles_size for layer in layers if hasattr(layer, "tiles_size")]
    return 2 * max(tiles, default=0.0)


def _early_gradients_mb(extractor: Extractor, sizes: dict[str, float], joint_layers: Collection[str]) -> float:
    """Return the MiB of the gradients of layers that are computed together, before the backward pass reaches them.

    A layer that no other layer reads adds nothing: its gradient takes the place of its features. A network that needs
    all gradients at once takes those of all layers in float32.
    """
    if extractor.model is None:
        return 0.0
    if extractor.network.needs_all_gradients:
        return sum(_copies(extractor, sizes).values())
    operations = extractor.model.operations
    read = {operations[producer].name for producer, _ in edges(extractor.model)}
    return sum(sizes[name] for name in {extractor.layers[layer] for layer in joint_layers} & read)


def _copies_mb(extractor: Extractor, sizes: dict[str, float], joint_layers: Collection[str]) -> float:
    """Return the MiB of the float32 copies beside the largest gradients: the largest, or those needed at once."""
    copies = _copies(extractor, sizes)
    joint = {extractor.layers[layer] for layer in joint_layers}
    at_once = copies.keys() if extractor.network.needs_all_gradients else copies.keys() & joint
    return max([sum(copies[name] for name in at_once), *copies.values()])


def _copies(extractor: Extractor, sizes: dict[str, float]) -> dict[str, float]:
    """Return the MiB of a float32 copy of each layer that the losses read in lower precision."""
    return {name: size for name, size in _in_float32(extractor, sizes).items() if size > sizes[name]}


def _in_float32(extractor: Extractor, sizes: dict[str, float]) -> dict[str, float]:
    """Return the MiB in float32 of the features of each layer that the losses read."""
    outputs = {} if extractor.model is None else extractor.model.output
    return {name: sizes[name] * FLOAT32_BYTES / tf.as_dtype(output.dtype).size for name, output in outputs.items()}


def _feature_sizes(extractor: Extractor, height: int, width: int) -> dict[str, float]:
    """Return the MiB of each layer's features."""
    if extractor.model is None:
        return {}
    shapes = output_shapes(extractor.model, height, width)
    return {
        operation.name: tf.as_dtype(operation.output.dtype).size * math.prod(shape) / MB
        for operation, shape in zip(extractor.model.operations, shapes, strict=True)
    }


@dataclass(frozen=True)
class Footprint:
    """The properties of a run that determine its memory.

    Attributes:
        extractor: The network.
        content: Height and width of the picture, in pixels.
        styles: Height and width of each style, in pixels.
        image_copies: Number of float32 pictures that the optimiser holds.
        optimizer: Settings of the optimiser, of which a message names the setting that costs most; None for none.
        tile: Side of the square that a tile owns, in pixels; None for the whole picture at once.
        target_layers: Layers whose features are kept as targets, by the name that the losses use; counted with tiles.
        margin: Pixels on each side of ``content`` that are cut off at the end. Messages name the size without them.
        joint_layers: Layers whose gradients are computed together, see `nst_tf.optimization.layer_gradients`; no loss
            with tiles has any.
    """

    extractor: Extractor
    content: tuple[int, int]
    styles: Sequence[tuple[int, int]]
    image_copies: int
    optimizer: Optimizer | None = None
    tile: int | None = None
    target_layers: Sequence[str] = ()
    margin: int = 0
    joint_layers: Collection[str] = ()

    def needs(self) -> list[tuple[str, tuple[int, int], float]]:
        """Return for the picture and each style: the key of its size, height and width, and the MiB it needs."""
        copies = COPIES + self.image_copies
        content = self._picture_needs(self.content, copies, True) + self._graph_mb() + self._targets_mb()
        styles = [self._picture_needs(shape, COPIES, False) for shape in self.styles]
        keys = ["image.size", *["image.style_size"] * len(styles)]
        return list(zip(keys, [self.content, *self.styles], [content, *styles], strict=True))

    def _picture_needs(self, shape: tuple[int, int], copies: int, backward: bool) -> float:
        if self.tile is None:
            return needed_mb(self.extractor, *shape, copies, backward=backward, joint_layers=self.joint_layers)
        pictures = (copies + TILE_COPIES * backward) * _picture_mb(*shape)
        return fixed_mb(self.extractor) + pictures + _tile_mb(self.extractor, *shape, self.tile, backward)

    def _targets_mb(self) -> float:
        """Return the MiB of the features that are kept as targets, and of a temporary copy; 0 without tiles.

        Without tiles they are small beside the features of the picture itself.
        """
        if self.tile is None:
            return 0.0
        sizes = _feature_sizes(self.extractor, *self.content)
        return TARGET_COPIES * sum(sizes[self.extractor.layers[layer]] for layer in self.target_layers)

    def needed_mb(self) -> float:
        """Return the largest of `needs`, in MiB: picture and styles are evaluated one after the other."""
        return max(needed for _, _, needed in self.needs())

    def fixed_mb(self) -> float:
        """Return the part of `needed_mb` that is the same at every size, in MiB; a tile belongs to it."""
        tile = 0.0 if self.tile is None else _tile_mb(self.extractor, *self.content, self.tile, True)
        return fixed_mb(self.extractor) + self._graph_mb() + tile

    def _graph_mb(self) -> float:
        return 0.0 if self.optimizer is None else self.optimizer.graph_mb

    def history_mb(self) -> float:
        """Return the part of `needed_mb` that the curvature pairs of the optimiser take, in MiB; 0 without pairs."""
        return self._pair_mb() * getattr(self.optimizer, "history", 0)

    def history_dominates(self) -> bool:
        """Return whether the curvature pairs take more than half of the memory."""
        return 2 * self.history_mb() > self.needed_mb()

    def fitting_history(self, available: float) -> int:
        """Return about the largest number of curvature pairs that fits into ``available`` MiB; 0 for none."""
        others = SAFETY * (self.needs()[0][2] - self.history_mb())
        return max(0, math.floor((available - others) / (SAFETY * self._pair_mb())))

    def with_shorter_history(self, available: float) -> "Footprint":
        """Return the footprint with the curvature pairs that fit into ``available`` MiB, at least `LEAST_HISTORY`."""
        settings: Any = self.optimizer  # `Optimizer` declares no history
        history = getattr(settings, "history", 0)
        if history <= LEAST_HISTORY:
            return self
        shorter = replace(settings, history=min(history, max(LEAST_HISTORY, self.fitting_history(available))))
        copies = self.image_copies + shorter.image_copies - settings.image_copies
        return replace(self, image_copies=copies, optimizer=shorter)

    def _pair_mb(self) -> float:
        """Return the MiB of one curvature pair: the difference between two pairs and one."""
        if self.optimizer is None or not hasattr(self.optimizer, "history"):
            return 0.0
        settings: Any = self.optimizer  # `Optimizer` declares no history
        one, two = (replace(settings, history=pairs) for pairs in (1, 2))
        pictures = (two.image_copies - one.image_copies) * _picture_mb(*self.content)
        return pictures + two.graph_mb - one.graph_mb


@dataclass(frozen=True)
class MemoryPlan:
    """The size at which a run computes and the memory it needs there.

    Attributes:
        size_factor: Factor of the requested size; 1 for that size.
        needed_mb: Estimate of the memory beyond what the process has before the run, in MiB.
        available_mb: Available memory before the run, in MiB.
        resident_mb: Resident memory of the process before the run, in MiB. With ``needed_mb`` it is the expected peak.
        tile: Side of the square that a tile owns, in pixels; None for the whole picture at once.
        history: Number of curvature pairs, where it was shortened; None where the setting stands.
    """

    size_factor: float
    needed_mb: float
    available_mb: float
    resident_mb: float = 0.0
    tile: int | None = None
    history: int | None = None

    def record(self) -> dict[str, float]:
        """Return the entries of `run.json`."""
        tiles = {"tile": self.tile, "history": self.history}
        return {name: value for name, value in tiles.items() if value is not None} | {
            "size_factor": self.size_factor,
            "needed_memory_mb": round(self.needed_mb),
            "expected_peak_memory_mb": round(self.resident_mb + self.needed_mb),
            "free_memory_mb": round(self.available_mb),
        }


def check_fits(footprint: Footprint, device: str) -> tuple[float, float]:
    """Refuse pictures that need more memory than is available.

    Args:
        footprint: The run's footprint.
        device: TensorFlow's name of the device.

    Returns:
        The memory that the run needs beyond what the process has now, and the available memory, in MiB.

    Raises:
        InputError: A picture does not fit. The message names its need, the available memory with the limit that binds,
            and the value that fits of the setting that costs most.
    """
    available = available_mb(device)
    for key, (height, width), needed in footprint.needs():
        if SAFETY * needed > available:
            margins = 2 * footprint.margin if key == "image.size" else 0
            raise InputError(
                f"A picture of {width - margins}x{height - margins} would need about {_amount(needed)} beside the "
                f"{_amount(resident_mb())} of the process, and {_amount(available)} are free "
                f"({tightest_limit(device).name}): "
                + _remedy(footprint, key, max(height, width) - margins, needed, available)
            )
    return footprint.needed_mb(), available


def _remedy(footprint: Footprint, key: str, side: int, needed: float, available: float) -> str:
    """Return what to change so that a picture fits.

    Args:
        footprint: The run's footprint.
        key: Key of the picture's size.
        side: Its long side, in pixels.
        needed: MiB that it needs.
        available: MiB that are available.
    """
    if key == "image.size" and footprint.history_dominates() and (history := footprint.fitting_history(available)):
        setting = f"optimizer.history={getattr(footprint.optimizer, 'history', 0)}"
        return (
            f"{setting} takes {_amount(footprint.history_mb())} of it, and "
            f"optimizer.history={history} is about the largest that fits"
        )
    factor = _size_factor(footprint.fixed_mb(), needed, available)
    if factor * side < 1:
        return (
            f"TensorFlow and the network need {_amount(SAFETY * footprint.fixed_mb())} at any size. "
            "Give the process more memory, or choose a smaller network, such as backbone=vgg19_lite"
        )
    return (
        f"{key}={int(side * factor)} is about the largest that fits; "
        "or set image.fit_memory=true, or runtime.recompute=true"
    )


def _size_factor(fixed: float, needed: float, available: float) -> float:
    """Return the factor of a side with which a picture just fits: its memory beyond the fixed part grows with area."""
    return math.sqrt(max(0.0, available / SAFETY - fixed) / (needed - fixed))


def _amount(megabytes: float) -> str:
    """Return an amount of memory as text, in MiB below 10 GiB and in GiB above."""
    return f"{megabytes:.0f} MiB" if megabytes < 10 * 1024 else f"{megabytes / 1024:.1f} GiB"


def fits(footprint: Footprint, device: str) -> bool:
    """Return whether a run fits into the available memory, with the margin for the error of the estimate."""
    return SAFETY * footprint.needed_mb() <= available_mb(device)


def fits_easily(footprint: Footprint, device: str) -> bool:
    """Return whether a run needs less than half of the available memory."""
    return 2 * footprint.needed_mb() < available_mb(device)


def fitting_factor(footprint: Footprint, device: str) -> float:
    """Return the factor of every side at which a run fits into the available memory; 1 if it fits as it is.

    It is 1 too where no smaller picture is the remedy, so that `check_fits` refuses the run and names one: where the
    curvature pairs take most of the memory, or where the fixed part alone does not fit.
    """
    if fits(footprint, device) or footprint.history_dominates():
        return 1.0
    available, needed = available_mb(device), footprint.needed_mb()
    return MARGIN * _size_factor(footprint.fixed_mb(), needed, available) or 1.0


def allows_larger(footprint: Footprint, other: Footprint, device: str) -> bool:
    """Return whether a run may have a larger picture than with another footprint, where that does not fit either.

    With tiles the part that is the same at every size is larger, so that they are no help in very little memory.
    """
    available = available_mb(device)
    one, another = (_size_factor(each.fixed_mb(), each.needed_mb(), available) for each in (footprint, other))
    return not fits(other, device) and one > another


TILE_SIDES = (2048, 1536, 1024, 768, 512, 384, 256)
"""Sides of the square that a tile owns, in pixels, from which ``image.tile=auto`` takes the largest that fits.

A larger tile needs more memory, and a smaller one computes more of its margin: with VGG-19 up to conv5_1, windows of
512 pixels and their margins have 1.7 times the pixels of the picture, and those of 1024 pixels 1.3 times.
"""

LEAST_TILE = 512
"""Smallest tile that is used before the curvature pairs are shortened, in pixels."""

LEAST_HISTORY = 5
"""Smallest number of curvature pairs to which tiles shorten the history of L-BFGS."""


def fitting_tile(footprint: Footprint, device: str) -> Footprint:
    """Return a footprint with tiles that fits into the available memory, or the smallest if none fits.

    The rule: the largest tile of `TILE_SIDES`, down to `LEAST_TILE`, that fits with the whole history of the optimiser;
    else `LEAST_TILE` with the longest history that fits, down to `LEAST_HISTORY`; else the largest tile that fits with
    that history.

    Args:
        footprint: The footprint of the run without tiles, or with the tile that is to be used.
        device: TensorFlow's name of the device.
    """
    sides = TILE_SIDES if footprint.tile is None else (footprint.tile,)
    large = [side for side in sides if side >= LEAST_TILE] or list(sides)
    whole = [replace(footprint, tile=side) for side in large]
    if found := _first_fitting(whole, device):
        return found
    shorter = whole[-1].with_shorter_history(available_mb(device))
    smaller = [replace(shorter, tile=side) for side in sides if side <= large[-1]]
    return _first_fitting(smaller, device) or smaller[-1]


def _first_fitting(candidates: Sequence[Footprint], device: str) -> Footprint | None:
    return next((each for each in candidates if fits(each, device)), None)
