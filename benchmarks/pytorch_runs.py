"""Complete runs of other programs in PyTorch, and the losses of saved pictures by their own formulas."""

import functools
import importlib
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.nn import functional

from benchmarks.peers import PyTorchMethod, Solver
from benchmarks.pytorch import PeerObjective
from benchmarks.snapshots import PeerRun, Snapshot

HISTORY = 100
"""Curvature pairs of L-BFGS, PyTorch's default and that of the programs."""


def picture_losses(objective: str, peer_inputs: Path, files: Sequence[Path], target: float | None) -> list[float]:
    """Compute the losses of saved pictures in float32, by the formula of their program.

    Args:
        objective: ``module:class`` of the objective.
        peer_inputs: File of pictures and weights.
        files: The pictures, of which those of another size than the photograph have an infinite loss.
        target: Loss after which no further picture is read; None reads all.

    Returns:
        The losses of the pictures up to the first that reaches the target.
    """
    compute, losses = _objective(objective, peer_inputs).picture_loss, []
    for file in files:
        losses.append(compute(file))
        if target is not None and losses[-1] <= target:
            break
    return losses


def converged_loss(objective: str, peer_inputs: Path, picture: Path) -> float:
    """Compute the loss of a saved picture, with all iterations of the program's formula carried to their limit.

    Args:
        objective: ``module:class`` of the objective.
        peer_inputs: File of pictures and weights.
        picture: The picture.
    """
    return _objective(objective, peer_inputs).converged_loss(picture)


@functools.lru_cache(maxsize=1)
def _objective(objective: str, peer_inputs: Path) -> PeerObjective:
    """Return the objective, with its targets, that scores the pictures of one race."""
    return _load(objective)(peer_inputs)


def _load(objective: str) -> type[PeerObjective]:
    module, _, name = objective.partition(":")
    loaded: type[PeerObjective] = getattr(importlib.import_module(module), name)
    return loaded


def run_method(
    objective: str,
    peer_inputs: Sequence[Path],
    method: PyTorchMethod,
    steps: int,
    picture: Path,
    every: int = 0,
    target: float = -math.inf,
    most_seconds: float = math.inf,
) -> PeerRun:
    """Run a program from its start picture to its last step, or until a snapshot reaches a loss or a time.

    The clock stands still while a snapshot is written and its loss is computed.

    Args:
        objective: ``module:class`` of the program's objective.
        peer_inputs: Files of pictures and weights for each size of the method, smallest first.
        method: How the program optimises.
        steps: Steps over all sizes. A step is one evaluation.
        picture: The PNG file to write, first for each snapshot and then for the result.
        every: Steps of the last size between two snapshots; 0 for none.
        target: Loss of a snapshot at which the run ends.
        most_seconds: Seconds of a snapshot after which the run ends.

    Returns:
        The seconds, the loss before each step, and the snapshots.
    """
    objectives = [_load(objective)(path) for path in peer_inputs]
    run = PeerRun()
    x, state = None, None
    for number, (side, count) in enumerate(zip(objectives, _shared(steps, method.step_shares), strict=True)):
        x = _start(side, method) if x is None else _enlarge(x, side)
        optimization = _Optimization(side, x, method, state)
        is_last = number == len(objectives) - 1
        for snapshot in _run_size(optimization, count, run, picture, every if is_last else 0):
            if (snapshot.loss is not None and snapshot.loss <= target) or snapshot.seconds > most_seconds:
                break
        x, state = optimization.result(), optimization.moments()
    _save(objectives[-1], x, picture)
    return run


def _shared(steps: int, shares: Iterable[float]) -> list[int]:
    """Return the steps of each size; the last one also gets those that are left over."""
    shares = list(shares)
    counts = [max(1, int(steps * share / sum(shares))) for share in shares]
    return [*counts[:-1], max(1, steps - sum(counts[:-1]))]


def _start(objective: PeerObjective, method: PyTorchMethod) -> torch.Tensor:
    return objective.start if method.start == "noise" else objective.content


def _enlarge(x: torch.Tensor, objective: PeerObjective) -> torch.Tensor:
    return objective.clip(functional.interpolate(x, objective.content.shape[2:], mode="bicubic"))


def _save(objective: PeerObjective, x: torch.Tensor, picture: Path) -> None:
    Image.fromarray(objective.pixels(x)).save(picture)


def _run_size(optimization: "_Optimization", steps: int, run: PeerRun, picture: Path, every: int) -> Iterator[Snapshot]:
    """Take the steps of one size, add their seconds, losses and snapshots to the run, and yield each snapshot."""
    timer = time.perf_counter()
    for step in range(1, steps + 1):
        run.curve.append((len(run.curve) + 1, optimization.step()))
        if every and (step % every == 0 or step == steps):
            run.seconds += time.perf_counter() - timer
            _save(optimization.objective, optimization.result(), picture)
            snapshot = Snapshot(run.seconds, picture, optimization.objective.picture_loss(picture))
            run.snapshots.append(snapshot)
            yield snapshot
            timer = time.perf_counter()
    run.seconds += time.perf_counter() - timer


class _Optimization:
    """One size of a run: the variable, its optimiser, and the moving average of the iterates.

    Args:
        objective: The program's objective at this size.
        start: The start picture, in the form of the variable.
        method: How the program optimises.
        moments: Adam's state at the end of the size before; None begins afresh.
    """

    def __init__(
        self, objective: PeerObjective, start: torch.Tensor, method: PyTorchMethod, moments: dict[str, Any] | None
    ) -> None:
        self.objective, self._method = objective, method
        self._x = start.clone().requires_grad_(True)
        self._loss, self._steps, self._average = objective.compiled_loss(), 0, torch.zeros_like(start)
        if method.solver is Solver.lbfgs:
            self._optimizer: torch.optim.Optimizer = torch.optim.LBFGS(
                [self._x], lr=1, max_iter=1, tolerance_grad=-1, tolerance_change=-1, history_size=HISTORY
            )
        else:
            self._optimizer = torch.optim.Adam([self._x], lr=method.learning_rate, betas=method.betas)
            if moments is not None and method.keep_moments:
                self._optimizer.state[self._x] = dict(_resized(moments, start.shape[2:]))

    def step(self) -> float:
        """Take one step with one evaluation; return the loss before it."""
        value = float(self._optimizer.step(self._evaluate))
        self._steps += 1
        with torch.no_grad():
            if self._method.bounded:
                self._x.copy_(self.objective.clip(self._x))
            if self._method.average:
                self._average.lerp_(self._x, 1 - self._method.average)
        return value

    def _evaluate(self) -> torch.Tensor:
        self._optimizer.zero_grad()
        value = self._loss(self._x)
        value.backward()
        return value.detach()

    def result(self) -> torch.Tensor:
        """Return the picture that the program saves: the iterate, or its moving average."""
        if not self._method.average:
            return self._x.detach()
        return self._average / (1 - self._method.average**self._steps)

    def moments(self) -> dict[str, Any]:
        """Return the optimiser's state."""
        state: dict[str, Any] = self._optimizer.state[self._x]
        return state


def _resized(moments: dict[str, Any], size: Sequence[int]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield Adam's state with its moments at another size; second moments stay positive."""
    yield "step", moments["step"]
    yield "exp_avg", functional.interpolate(moments["exp_avg"], size, mode="bicubic")
    yield "exp_avg_sq", functional.interpolate(moments["exp_avg_sq"], size, mode="bilinear").relu()
