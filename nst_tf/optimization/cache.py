"""Reuse of networks, targets and compiled loops by the runs of one process."""

from __future__ import annotations

import functools
import gc
import hashlib
import logging
import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np

from nst_tf.backbones import Backbone, Extractor
from nst_tf.images import RegionMasks
from nst_tf.losses import Loss
from nst_tf.optimization.execution import Execution
from nst_tf.optimization.loop import CompiledLoop
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.reference_passes import ReferencePasses
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimization.terms import Draws, active_losses
from nst_tf.optimization.tiled_objective import TiledObjective
from nst_tf.optimizers import Evaluation, Optimizer, Parametrisation
from nst_tf.system.runtime import JitCompile, Runtime
from nst_tf.util.compilation import compile_function, xla_obstacle
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

log = logging.getLogger(__name__)

Value = TypeVar("Value")

_LOOPS_IN_MEMORY: weakref.WeakSet[CompiledLoop] = weakref.WeakSet()
"""Every compiled loop that was built and is still in memory."""


class RunCache:
    """Builds networks, targets and compiled loops, and keeps them for the next run in the same process.

    The runs of a sweep most often differ in a weight, a learning rate or a start. These are tensors that the compiled
    step takes as arguments, so one compiled step serves all such runs. A run with a cache gives the same bits as a run
    without one. Values that a run does not use are dropped and freed before it builds a new one. The cache serves one
    run at a time.

    Args:
        keeps: Whether anything is kept. Without, every run builds everything itself. Default off.
    """

    def __init__(self, keeps: bool = False) -> None:
        self._extractors: Cache[Extractor] = Cache(keeps)
        self._objectives: Cache[Objective] = Cache(keeps)
        self._loops: Cache[CompiledLoop] = Cache(keeps)
        self._caches = (self._extractors, self._objectives, self._loops)
        self._passes = ReferencePasses(keeps)

    def begin_run(self) -> None:
        """Mark the current entries as belonging to earlier runs."""
        for cache in self._caches:
            cache.begin_run()
        self._passes.begin_run()

    def clear(self) -> None:
        """Drop targets and compiled loops with their pictures, for a run that is short of memory."""
        self._objectives.clear()
        self._loops.clear()
        self._passes.clear()
        self._free_dropped_loops()

    def extractor(self, backbone: Backbone, layers: Sequence[str], runtime: Runtime, execution: Execution) -> Extractor:
        """Return `Backbone.extractor` for these layers, the kept one for equal settings, weights and runtime."""
        weights = tuple(backbone.identity().items()) if layers else ()
        how = (execution.precision, execution.convolution)
        key = (repr(backbone.static_config()), weights, tuple(layers), repr(runtime), how)
        if (found := self._extractors.find(key)) is not None:
            return found
        for cache in self._caches:
            cache.drop_unused()
        self._passes.clear()
        self._free_dropped_loops()
        extractor = backbone.extractor(layers, execution.precision, runtime.recompute, execution.convolution)
        return self._extractors.put(key, extractor)

    def objective(
        self,
        extractor: Extractor,
        losses: Mapping[str, Loss],
        content: np.ndarray,
        styles: Sequence[np.ndarray],
        shares: Sequence[float],
        regions: Sequence[RegionMasks] = (),
        tile: int | None = None,
        draws: Draws | None = None,
    ) -> Objective:
        """Return `Objective.prepare` of these arguments, or `TiledObjective.prepare_tiled` with a ``tile``.

        Losses that differ only in their weights share their targets. ``draws`` is None for losses without draws.

        Raises:
            InputError: See `Objective.prepare`.
        """
        pictures = tuple(_digest(picture) for picture in (content, *styles))
        masks = tuple(map(_region_key, regions))
        key = (id(extractor), static_configs(losses), pictures, tuple(shares), masks, tile, draws)
        if (found := self._objectives.find(key)) is not None:
            return found.with_weights(losses)
        self._objectives.drop_unused()
        style_images = [tf.constant(style) for style in styles]
        arguments = (extractor, losses, tf.constant(content), style_images, shares, regions)
        if tile is None:
            return self._objectives.put(key, Objective.prepare(*arguments, draws, self._passes))
        return self._objectives.put(key, TiledObjective.prepare_tiled(*arguments, tile))

    def loop(
        self,
        objective: Objective,
        optimizer: Optimizer,
        schedule: Schedule,
        scale: int,
        start: tf.Tensor,
        raise_if_stopped: Callable[[], None] | None = None,
        parametrisation: Parametrisation | None = None,
        before: CompiledLoop | None = None,
        jit_compile: JitCompile = JitCompile.never,
    ) -> CompiledLoop:
        """Return a `CompiledLoop` at a start picture, after a reset if the phase before or an earlier run has its form.

        Two phases have the same form if their networks, the `static_config` of losses and optimiser, and the shapes and
        dtypes of all tensors are equal.

        Args:
            objective: The objective to minimise.
            optimizer: Settings of the optimiser.
            schedule: Its ``growth`` and ``average`` are used.
            scale: Index of the phase. A kept loop serves the phase of the same index.
            start: ``(B, H, W, 3)``, RGB in [0, 1].
            raise_if_stopped: See `CompiledLoop`.
            parametrisation: The variables that the optimiser moves; None for the pixels.
            before: The loop of the phase before, which is used again if it has the form; None to leave it as it is.
            jit_compile: See `nst_tf.optimization.execution.Execution`.

        Raises:
            InputError: XLA is to compile the objective, and lacks one of its operations.
        """
        parametrisation = parametrisation or Parametrisation()
        input_types = tuple((tuple(value.shape), value.dtype.name) for value in tf.nest.flatten(objective.inputs))
        solvers = (repr(optimizer.static_config()), repr(parametrisation), schedule.average)
        settings = (objective.tile, static_configs(objective.losses), solvers, jit_compile)
        form = (id(objective.extractor), settings, tuple(start.shape), start.device, input_types)
        key = (scale, form)
        found = before if before is not None and before.form == form else self._loops.find(key)
        if found is not None:
            found.reset(optimizer, start, [objective.inputs], schedule.growth, raise_if_stopped)
            return found
        if self._loops.drop_unused():
            self._free_dropped_loops()
        loop = CompiledLoop(
            parametrisation.solver(optimizer, start),
            choose_evaluator(objective, start, jit_compile),
            schedule.growth,
            raise_if_stopped,
            schedule.average,
            [objective.inputs],
            objective.changes_by_step,
        )
        loop.form = form
        _LOOPS_IN_MEMORY.add(loop)
        return self._loops.put(key, loop)

    def _free_dropped_loops(self) -> None:
        """Collect garbage if there are compiled loops of ended runs.

        A loop and its compiled step refer to each other. Python's garbage collector alone frees them, and it does not
        know that they hold the memory of graphs and pictures.
        """
        if len(_LOOPS_IN_MEMORY) > len(self._loops):
            gc.collect()


def choose_evaluator(objective: Objective, start: tf.Tensor, jit_compile: JitCompile) -> Callable[..., Evaluation]:
    """Return `Objective.evaluator`, compiled by XLA if it is to be and XLA has all of its operations.

    With ``auto``, an objective with random draws is computed without XLA, which draws other numbers from a seed.

    Args:
        objective: The objective.
        start: A picture of the shape of those that will be evaluated.
        jit_compile: See `nst_tf.optimization.execution.Execution`.

    Raises:
        InputError: XLA lacks one of them, and ``jit_compile`` is ``always``.
    """
    evaluate = objective.evaluator()
    if jit_compile is JitCompile.never:
        return evaluate
    drawing = [name for name, loss in objective.losses.items() if loss.draws]
    if drawing and jit_compile is JitCompile.auto:
        log.info("Computed without XLA, which draws other numbers for losses.%s", drawing[0])
        return evaluate
    step = tf.constant(0, tf.int64) if objective.changes_by_step else None
    if obstacle := xla_obstacle(evaluate, start, objective.inputs, step):
        if jit_compile is JitCompile.always:
            raise InputError(f"runtime.jit_compile=always: {obstacle}. Set runtime.jit_compile=never.")
        log.info("Computed without XLA: %s", obstacle)
        return evaluate
    compiled: Callable[..., Evaluation] = compile_function(evaluate, jit_compile=True)
    return compiled


@functools.cache
def run_cache() -> RunCache:
    """Return the cache that the runs of a sweep share within a process."""
    return RunCache(keeps=True)


class Cache(Generic[Value]):
    """Values by the settings that determine them.

    Args:
        keeps: Whether `put` keeps anything.
    """

    def __init__(self, keeps: bool) -> None:
        self._keeps = keeps
        self._values: dict[Hashable, Value] = {}
        self._used: set[Hashable] = set()

    def begin_run(self) -> None:
        """Mark the current entries as belonging to earlier runs."""
        self._used.clear()

    def __len__(self) -> int:
        return len(self._values)

    def clear(self) -> None:
        """Drop all values."""
        self._values.clear()

    def drop_unused(self) -> bool:
        """Drop the values that the present run has not used, and return whether there were any."""
        kept = {key: value for key, value in self._values.items() if key in self._used}
        dropped = len(kept) < len(self._values)
        self._values = kept
        return dropped

    def find(self, key: Hashable) -> Value | None:
        """Return the value of a key and mark it as used, or return None."""
        if key not in self._values:
            return None
        self._used.add(key)
        return self._values[key]

    def put(self, key: Hashable, value: Value) -> Value:
        """Keep a value, mark it as used, and return it."""
        if self._keeps:
            self._values[key] = value
            self._used.add(key)
        return value


def static_configs(losses: Mapping[str, Loss]) -> tuple[tuple[str, str], ...]:
    """Return names and settings, except the weights, of the losses with a weight above 0."""
    return tuple((name, repr(loss.static_config())) for name, loss in active_losses(losses).items())


def _digest(picture: np.ndarray) -> tuple[tuple[int, ...], str]:
    return picture.shape, hashlib.sha256(picture.tobytes()).hexdigest()


def _region_key(region: RegionMasks) -> tuple[Hashable, ...]:
    """Return what determines the weights of a region: name, share, propagation, and hashes of its masks and maps."""
    maps = {f"map of {name}": values for name, values in region.maps.items()}
    masks = {"content": region.content, **region.styles, **maps}
    hashes = tuple((name, None if mask is None else _digest(mask)) for name, mask in masks.items())
    return (region.name, region.share, region.propagation, region.grow, hashes)
