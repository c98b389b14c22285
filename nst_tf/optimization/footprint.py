"""The memory that a run needs, its comparison with the memory that is available, and what makes a run fit."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nst_tf.backbones import Extractor
from nst_tf.optimization.network_memory import (
    COPIES,
    TILE_COPIES,
    feature_sizes,
    fixed_mb,
    needed_mb,
    picture_mb,
    tile_mb,
)
from nst_tf.optimizers import Optimizer
from nst_tf.system.memory import available_mb, resident_mb, tightest_limit
from nst_tf.util.errors import InputError

TARGET_COPIES = 2
"""Copies of the content's features with tiles: the target, and its sum with a tile's part while it is computed."""

SAFETY = 1.4
"""Factor on an estimate before it is compared with the free memory. The measured peak is at most this much larger.

Over three steps the estimate is within a fifth of the growth. Longer runs take more as the heap is fragmented: 434 MiB
against 315 at 420 pixels in bfloat16, the most that was seen.
"""

MARGIN = 0.97
"""Factor of the side that just fits, since sides are rounded to whole pixels."""


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
        pictures = (copies + TILE_COPIES * backward) * picture_mb(*shape)
        return fixed_mb(self.extractor) + pictures + tile_mb(self.extractor, *shape, self.tile, backward)

    def _targets_mb(self) -> float:
        """Return the MiB of the features that are kept as targets, and of a temporary copy; 0 without tiles.

        Without tiles they are small beside the features of the picture itself.
        """
        if self.tile is None:
            return 0.0
        sizes = feature_sizes(self.extractor, *self.content)
        return TARGET_COPIES * sum(sizes[self.extractor.layers[layer]] for layer in self.target_layers)

    def needed_mb(self) -> float:
        """Return the largest of `needs`, in MiB: picture and styles are evaluated one after the other."""
        return max(needed for _, _, needed in self.needs())

    def fixed_mb(self) -> float:
        """Return the part of `needed_mb` that is the same at every size, in MiB; a tile belongs to it."""
        tile = 0.0 if self.tile is None else tile_mb(self.extractor, *self.content, self.tile, True)
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
        pictures = (two.image_copies - one.image_copies) * picture_mb(*self.content)
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
