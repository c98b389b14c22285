"""What one run leaves to the next: network, targets and compiled steps, where the next one has the same form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np

from nst_tf.backbones import Backbone, Extractor
from nst_tf.losses import Loss
from nst_tf.optimization.loop import CompiledLoop
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimization.terms import active_losses
from nst_tf.optimizers import Optimizer
from nst_tf.system.runtime import Runtime
from nst_tf.util.lazy import tf

Thing = TypeVar("Thing")


class RunCache:
    """Builds what a run needs, and keeps it for the next one, for as long as that asks for the same.

    The runs of a sweep most often differ in a weight, a learning rate or a start. Such numbers go into the compiled
    step as tensors, so that one step serves all; what comes out is, bit for bit, what a process of its own would make.
    Nothing is kept beyond the next run but what that has asked for. One run at a time.

    Args:
        keeps: Whether anything is kept; without, every run builds its own and leaves nothing.
    """

    def __init__(self, keeps: bool = False) -> None:
        self._extractors: Cache[Extractor] = Cache(keeps)
        self._objectives: Cache[Objective] = Cache(keeps)
        self._loops: Cache[CompiledLoop] = Cache(keeps)

    def begin_run(self) -> None:
        """Count what is asked for from now on."""
        for cache in (self._extractors, self._objectives, self._loops):
            cache.begin_run()

    def clear(self) -> None:
        """Let go targets, pictures and compiled steps, for a run that is short of memory."""
        self._objectives.clear()
        self._loops.clear()

    def extractor(self, backbone: Backbone, layers: Sequence[str], runtime: Runtime) -> Extractor:
        """`Backbone.extractor`, one for equal settings, weights and runtime."""
        weights = tuple(backbone.identity().items()) if layers else ()
        key = (repr(backbone), weights, tuple(layers), repr(runtime))
        if (found := self._extractors.find(key)) is not None:
            return found
        return self._extractors.put(key, backbone.extractor(layers, runtime.policy(), runtime.recompute))

    def objective(
        self,
        extractor: Extractor,
        losses: Mapping[str, Loss],
        content: np.ndarray,
        styles: Sequence[np.ndarray],
        shares: Sequence[float],
    ) -> Objective:
        """`Objective.prepare`; losses that differ in their weights alone share their targets.

        Raises:
            InputError: See there.
        """
        pictures = tuple(_digest(picture) for picture in (content, *styles))
        key = (id(extractor), static_configs(losses), pictures, tuple(shares))
        if (found := self._objectives.find(key)) is not None:
            return found.with_weights(losses)
        paintings = [tf.constant(style) for style in styles]
        prepared = Objective.prepare(extractor, losses, tf.constant(content), paintings, shares)
        return self._objectives.put(key, prepared)

    def loop(
        self,
        objective: Objective,
        optimizer: Optimizer,
        schedule: Schedule,
        scale: int,
        start: tf.Tensor,
        raise_if_stopped: Callable[[], None] | None = None,
    ) -> CompiledLoop:
        """A `CompiledLoop` from a start picture; that of an earlier run of the same form, begun anew, where there is one.

        Args:
            objective: What it lowers.
            optimizer: By what.
            schedule: When it counts as diverged, and whether a mean is kept.
            scale: Number of the scale: two of one run never share one.
            start: ``(B, H, W, 3)``.
            raise_if_stopped: See `CompiledLoop`.
        """
        sizes = tuple((tuple(value.shape), value.dtype.name) for value in tf.nest.flatten(objective.inputs))
        settings = (static_configs(objective.losses), repr(optimizer.static_config()), schedule.average)
        key = (id(objective.extractor), settings, scale, tuple(start.shape), start.device, sizes)
        if (found := self._loops.find(key)) is not None:
            found.reset(optimizer, start, [objective.inputs], schedule.growth, raise_if_stopped)
            return found
        solver, evaluate = optimizer.solver(start), objective.evaluator()
        loop = CompiledLoop(solver, evaluate, schedule.growth, raise_if_stopped, schedule.average, [objective.inputs])
        return self._loops.put(key, loop)


class Cache(Generic[Thing]):
    """Things by what determines them; what is missing makes room for itself before it is built.

    Args:
        keeps: Whether anything is put on it.
    """

    def __init__(self, keeps: bool) -> None:
        self._keeps = keeps
        self._things: dict[Hashable, Thing] = {}
        self._used: set[Hashable] = set()

    def begin_run(self) -> None:
        """Whatever is there now was the last run's, or is one's of before."""
        self._used.clear()

    def clear(self) -> None:
        """Empty it."""
        self._things.clear()

    def find(self, key: Hashable) -> Thing | None:
        """What was put there under this key; where there is none, what this run has not used is let go."""
        if key not in self._things:
            self._things = {key: self._things[key] for key in self._used if key in self._things}
            return None
        self._used.add(key)
        return self._things[key]

    def put(self, key: Hashable, thing: Thing) -> Thing:
        """Keep a thing, and give it back."""
        if self._keeps:
            self._things[key] = thing
            self._used.add(key)
        return thing


def static_configs(losses: Mapping[str, Loss]) -> tuple[tuple[str, str], ...]:
    """Names and settings of the losses that count, but for their weights."""
    return tuple((name, repr(loss.static_config())) for name, loss in active_losses(losses).items())


def _digest(picture: np.ndarray) -> tuple[tuple[int, ...], str]:
    return picture.shape, hashlib.sha256(picture.tobytes()).hexdigest()
