"""L-BFGS in the graph: directions, line search and history are tensors of the compiled step."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nst_tf.optimizers.curvature_pairs import CurvaturePairs, dot
from nst_tf.optimizers.line_search import line_search
from nst_tf.optimizers.preconditioner import Preconditioner
from nst_tf.optimizers.solver import Evaluation, ObjectiveFunction, Optimizer, Solver, Step
from nst_tf.util.checks import above, at_least
from nst_tf.util.lazy import tf
from nst_tf.util.roles import role


@dataclass
class LBFGS(Optimizer):
    """Limited-memory BFGS with a strong Wolfe line search, on the device.

    A step is one iteration: a direction by the two-loop recursion, and a line search along it, most often of one
    evaluation. Pairs without positive curvature are left out. Where a search finds nothing lower, the history is
    forgotten and the next step goes down the gradient; where that finds nothing lower either, the solver has stalled.

    With ``clamp`` the line bends where pixels reach 0 or 1 and pixels held there by the gradient stay out of the
    direction, so that the bounds are part of the method (projected quasi-Newton, Bertsekas 1982), not an afterthought.

    Attributes:
        clamp: Default on: a picture that is saved has no other pixels.
        history: Correction pairs kept, m; each costs two pictures of memory. Default 20.
        preconditioner_power: Of the frequencies' weight in the first metric, see `Preconditioner`; 0 is the textbook's. Default 0.75.
        first_step: Length of the very first trial, as the root mean square change of a pixel in [0, 1]. Default 0.01.
        search_evaluations: Most evaluations of one line search. Default 20.

    Reference:
        Liu & Nocedal 1989, *On the limited memory BFGS method for large scale optimization*; Nocedal & Wright 2006,
        *Numerical Optimization*, chapters 3 and 7.
    """

    clamp: bool = True
    history: int = 20
    preconditioner_power: float = field(default=0.75, metadata=role(old_name="metric_power"))
    first_step: float = 0.01
    search_evaluations: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("optimizer.history", self.history, 1)
        at_least("optimizer.metric_power", self.preconditioner_power, 0)
        above("optimizer.first_step", self.first_step, 0)
        at_least("optimizer.search_evaluations", self.search_evaluations, 1)

    @property
    def image_copies(self) -> int:
        """The history, which is shifted as a whole, and the vectors of a direction and a search."""
        return 3 * self.history + 12

    def solver(self, image: tf.Tensor) -> LBFGSSolver:
        """A solver with an empty history."""
        return LBFGSSolver(self, image)


class LBFGSSolver(Solver):
    """Pixels, the evaluation there and the history, all on the device; as rows, pictures are ``(B, n)``."""

    def __init__(self, settings: LBFGS, image: tf.Tensor) -> None:
        """Start from ``image``, ``(B, H, W, 3)``."""
        self._settings, self._shape = settings, tuple(image.shape)
        self._pixels = tf.Variable(self._clamped(self._row(settings.units.from_image(image))), trainable=False)
        batch, values = self._pixels.shape
        self._pairs = CurvaturePairs(
            settings.history, batch, values, Preconditioner(self._shape, settings.preconditioner_power)
        )
        self._here: dict[str, tf.Variable] = {}

    def image(self) -> tf.Tensor:
        """The current picture."""
        return self._picture(self._pixels.read_value())

    def begin(self, evaluation: Evaluation) -> None:
        """Remember the evaluation at the start picture; what terms it has is known only now."""
        self._keep(evaluation)

    def step(self, objective: ObjectiveFunction) -> Step:
        """Go to the lowest point found along one direction; stay where there is none."""
        x, here = self._pixels.read_value(), self._evaluation()
        g = self._gradient(here)
        direction = self._direction(x, g)

        def along(distance: tf.Tensor) -> tf.Tensor:
            return self._clamped(x + distance[:, None] * direction)

        def line(distance: tf.Tensor) -> tuple[Evaluation, tf.Tensor]:
            z = along(distance)
            evaluation = objective(self._picture(z))
            inside = z == x + distance[:, None] * direction
            return evaluation, dot(self._gradient(evaluation), tf.where(inside, direction, 0.0))

        fresh = self._pairs.is_empty()
        first = tf.where(fresh, self._first_distance(direction), 1.0)
        result = line_search(line, here, dot(g, direction), first, self._settings.search_evaluations)
        z = along(result.distance)
        stuck = tf.reduce_all(z == x, 1)
        self._pairs.forget(stuck)
        self._pairs.remember(z - x, self._gradient(result.evaluation) - g)
        self._pixels.assign(z)
        self._keep(result.evaluation)
        return Step(result.evaluation, result.evaluations, stuck & fresh)

    def _direction(self, x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
        """``−H g`` of the values that may move; where rounding has turned it uphill, without the history."""
        free = self._is_free(x, g)

        def quasi_newton() -> tf.Tensor:
            return tf.where(free, self._pairs.direction(tf.where(free, g, 0.0)), 0.0)

        direction = quasi_newton()
        uphill = ~(dot(g, direction) < 0)  # true for NaN
        self._pairs.forget(uphill)
        return tf.cond(tf.reduce_any(uphill), quasi_newton, lambda: direction)

    def _gradient(self, evaluation: Evaluation) -> tf.Tensor:
        """∂total/∂z as rows."""
        return self._row(self._settings.units.gradient(evaluation.gradient))

    def _first_distance(self, direction: tf.Tensor) -> tf.Tensor:
        """The distance at which the direction's root mean square is `LBFGS.first_step` of a picture in [0, 1]."""
        in_picture = self._row(self._picture(direction) - self._picture(tf.zeros_like(direction)))
        mean_square = tf.reduce_mean(tf.square(in_picture), 1)
        return self._settings.first_step * tf.math.rsqrt(tf.where(mean_square > 0, mean_square, 1.0))

    def _is_free(self, x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
        """Which values may move downhill; not those at a bound that the gradient holds there."""
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

    def _evaluation(self) -> Evaluation:
        """What was found at the current picture."""
        return Evaluation.of({name: variable.read_value() for name, variable in self._here.items()})

    def _keep(self, evaluation: Evaluation) -> None:
        for name, value in evaluation.named().items():
            if name not in self._here:
                self._here[name] = tf.Variable(tf.zeros(value.shape), trainable=False)
            self._here[name].assign(value)

    def state(self) -> dict[str, np.ndarray]:
        """Pixels, evaluation and history."""
        history = {f"history/{name}": value for name, value in self._pairs.state().items()}
        return {"pixels": self._pixels.numpy()} | {name: v.numpy() for name, v in self._here.items()} | history

    def reset(self, optimizer: Optimizer, image: tf.Tensor) -> None:
        """Start from another picture with an empty history."""
        self._pixels.assign(self._clamped(self._row(self._settings.units.from_image(image))))
        self._pairs.clear()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take up a `state`."""
        self._pixels.assign(state["pixels"])
        self._pairs.restore({name: state[f"history/{name}"] for name in self._pairs.state()})
        self._keep(Evaluation.of(state))
