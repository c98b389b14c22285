"""L-BFGS on the device: directions, line search and curvature pairs are tensors of the compiled step.

It is written here for speed on the device and control of each step. SciPy's L-BFGS-B works in float64 on the host: at
512x512x3 values it takes 65 ms per iteration outside the objective. TensorFlow Probability's L-BFGS needs ``tf_keras``,
has no hook between two steps, and took 91 evaluations where SciPy took 36. SciPy's is available as ``scipy_lbfgs``, and
the tests compare this one with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from nst_tf.optimizers.curvature_pairs import CurvaturePairs, dot
from nst_tf.optimizers.line_search import line_search
from nst_tf.optimizers.preconditioner import Preconditioner
from nst_tf.optimizers.solver import EvaluateFunction, Evaluation, Optimizer, Solver, Step
from nst_tf.util.checks import above, at_least
from nst_tf.util.deprecation import accept_old_names
from nst_tf.util.lazy import tf
from nst_tf.util.roles import role

PAIRS_PREFIX = "pairs/"
"""Prefix of the curvature pairs' variables in the solver's state."""

OLD_PAIRS_PREFIX = "history/"
"""Prefix of the curvature pairs' variables in checkpoints of version 0.1.0."""


@accept_old_names
@dataclass
class LBFGS(Optimizer):
    """Settings of limited-memory BFGS with a strong Wolfe line search, on the device.

    A step is one iteration: a direction by the two-loop recursion, and a line search along it, which most often takes
    one evaluation. Pairs without positive curvature are not kept. Where a line search finds nothing lower, all pairs
    are dropped, and the next step follows the preconditioned gradient. If that finds nothing lower either, the solver
    has stalled.

    With ``clamp`` the path of the line search bends where pixels reach 0 or 1, and pixels that the gradient holds at a
    bound are left out of the direction. So the bounds are part of the method (projected quasi-Newton, Bertsekas 1982).

    Attributes:
        clamp: Whether pixels stay in [0, 1]. Default on, because a saved picture has no other pixels.
        history: Number of curvature pairs that are kept, m; each takes the memory of two pictures. Default 20.
        preconditioner_power: Exponent of the spatial frequencies in the initial inverse Hessian, see `Preconditioner`.
            Default 0.75; 0 is the method of the textbook.
        first_step: Length of the very first trial, as the root mean square change of a pixel in [0, 1]. Default 0.01.
        search_evaluations: Largest number of evaluations in one line search. Default 20.

    Reference:
        Liu & Nocedal 1989, *On the limited memory BFGS method for large scale optimization*; Nocedal & Wright 2006,
        *Numerical Optimization*, chapters 3 and 7; Bertsekas 1982, *Projected Newton methods for optimization problems
        with simple constraints*.
    """

    clamp: bool = True
    history: int = 20
    preconditioner_power: float = field(default=0.75, metadata=role(old_name="metric_power"))
    first_step: float = 0.01
    search_evaluations: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("optimizer.history", self.history, 1)
        at_least("optimizer.preconditioner_power", self.preconditioner_power, 0)
        above("optimizer.first_step", self.first_step, 0)
        at_least("optimizer.search_evaluations", self.search_evaluations, 1)

    @property
    def image_copies(self) -> int:
        """Memory of the pairs, and of a direction and a line search."""
        return 2 * self.history + 12

    @property
    def graph_mb(self) -> float:
        """Memory of the graphs of two-loop recursion and line search, and of the operations on each pair."""
        return 18.0 + 0.8 * self.history

    def for_variables(self) -> LBFGS:
        """Return the settings without bounds and preconditioner, which hold for pixels."""
        return replace(self, clamp=False, preconditioner_power=0.0)

    def solver(self, image: tf.Tensor) -> LBFGSSolver:
        """Create a solver without curvature pairs."""
        return LBFGSSolver(self, image)


class LBFGSSolver(Solver):
    """L-BFGS at work: pixels, their evaluation and the curvature pairs, all on the device.

    Pictures ``(B, H, W, 3)`` are kept as rows ``(B, n)`` in the optimiser's units: x the current one, g its gradient.
    """

    batch_axes: ClassVar[Mapping[str, int]] = {f"{PAIRS_PREFIX}{name}": 1 for name in ("moves", "changes", "rho")}

    def __init__(self, settings: LBFGS, image: tf.Tensor) -> None:
        """Start from ``image``, ``(B, H, W, 3)``."""
        self._settings, self._shape = settings, tuple(image.shape)
        self._pixels = tf.Variable(self._clamped(self._row(settings.units.from_image(image))), trainable=False)
        batch, values = self._pixels.shape
        self._pairs = CurvaturePairs(
            settings.history, batch, values, Preconditioner(self._shape, settings.preconditioner_power)
        )
        self._latest: dict[str, tf.Variable] = {}  # of the evaluation at the current picture

    def image(self) -> tf.Tensor:
        """Return the current picture, ``(B, H, W, 3)``."""
        return self._picture(self._pixels.read_value())

    def begin(self, evaluation: Evaluation) -> None:
        """Store the evaluation at the start picture, whose terms are known only now."""
        self._store(evaluation)

    def step(self, evaluate: EvaluateFunction) -> Step:
        """Move to the point that a line search accepts; stay where it finds nothing lower."""
        x, latest = self._pixels.read_value(), self._latest_evaluation()
        g = self._gradient(latest)
        direction = self._direction(x, g)

        def point(distance: tf.Tensor) -> tf.Tensor:
            return self._clamped(x + distance[:, None] * direction)

        def line(distance: tf.Tensor) -> tuple[Evaluation, tf.Tensor]:
            z = point(distance)
            evaluation = evaluate(self._picture(z))
            moving = z == x + distance[:, None] * direction  # pixels at a bound no longer move along the line
            return evaluation, dot(self._gradient(evaluation), tf.where(moving, direction, 0.0))

        without_pairs = self._pairs.is_empty()
        first = tf.where(without_pairs, self._first_distance(direction), 1.0)
        result = line_search(line, latest, dot(g, direction), first, self._settings.search_evaluations)
        z = point(result.distance)
        unmoved = tf.reduce_all(z == x, 1)
        self._pairs.drop(unmoved)
        self._pairs.add(z - x, self._gradient(result.evaluation) - g)
        self._pixels.assign(z)
        self._store(result.evaluation)
        return Step(result.evaluation, result.evaluations, unmoved & without_pairs)

    def _direction(self, x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
        """Compute ``−H g`` of the free values; where rounding has turned it uphill, drop the pairs first."""
        free = self._is_free(x, g)
        free_gradient = tf.where(free, g, 0.0)
        direction = tf.where(free, self._pairs.direction(free_gradient), 0.0)
        uphill = ~(dot(g, direction) < 0)  # true for NaN
        self._pairs.drop(uphill)

        def downhill() -> tf.Tensor:
            return tf.where(uphill[:, None], tf.where(free, self._pairs.steepest(free_gradient), 0.0), direction)

        return tf.cond(tf.reduce_any(uphill), downhill, lambda: direction)

    def _gradient(self, evaluation: Evaluation) -> tf.Tensor:
        """Return the gradient in the optimiser's units, as rows ``(B, n)``."""
        return self._row(self._settings.units.gradient(evaluation.gradient))

    def _first_distance(self, direction: tf.Tensor) -> tf.Tensor:
        """Return the distance ``(B,)`` whose move has the root mean square `LBFGS.first_step` in units of [0, 1]."""
        in_picture = self._row(self._picture(direction) - self._picture(tf.zeros_like(direction)))
        mean_square = tf.reduce_mean(tf.square(in_picture), 1)
        return self._settings.first_step * tf.math.rsqrt(tf.where(mean_square > 0, mean_square, 1.0))

    def _is_free(self, x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
        """Return which values may move: all, except those that the gradient holds at a bound."""
        if not self._settings.clamp:
            return tf.ones_like(x, tf.bool)
        return self._clamped(x - tf.sign(g)) != x

    def _clamped(self, z: tf.Tensor) -> tf.Tensor:
        return self._row(self._settings.units.clamp(self._square(z))) if self._settings.clamp else z

    def _picture(self, z: tf.Tensor) -> tf.Tensor:
        return self._settings.units.to_image(self._square(z))

    def _square(self, z: tf.Tensor) -> tf.Tensor:
        return tf.reshape(z, self._shape)

    def _row(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reshape(x, [self._shape[0], -1])

    def _latest_evaluation(self) -> Evaluation:
        return Evaluation.from_dict({name: variable.read_value() for name, variable in self._latest.items()})

    def _store(self, evaluation: Evaluation) -> None:
        for name, value in evaluation.as_dict().items():
            if name not in self._latest:
                self._latest[name] = tf.Variable(tf.zeros(value.shape), trainable=False)
            self._latest[name].assign(value)

    def state(self) -> dict[str, np.ndarray]:
        """Return pixels, their evaluation and the curvature pairs."""
        latest = {name: variable.numpy() for name, variable in self._latest.items()}
        pairs = {f"{PAIRS_PREFIX}{name}": value for name, value in self._pairs.state().items()}
        return {"pixels": self._pixels.numpy()} | latest | pairs

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from a `state`, also from one of version 0.1.0."""
        is_old = any(name.startswith(OLD_PAIRS_PREFIX) for name in state)
        prefix = OLD_PAIRS_PREFIX if is_old else PAIRS_PREFIX
        self._pixels.assign(state["pixels"])
        self._pairs.restore({name: state[f"{prefix}{name}"] for name in self._pairs.state()})
        self._store(Evaluation.from_dict(state))

    def reset(self, optimizer: Optimizer, image: tf.Tensor) -> None:
        """Start from another picture without curvature pairs."""
        self._pixels.assign(self._clamped(self._row(self._settings.units.from_image(image))))
        self._pairs.clear()
