"""The compiled inner loop: n steps of one solver on one picture, then one read by the host."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nst_tf.optimizers import Evaluation, Objective, Solver, Step
from nst_tf.tensors import squared_sum


class Reading(NamedTuple):
    """What the host learns from one read.

    Attributes:
        step: Steps taken at this scale.
        evaluations: Evaluations of the objective at this scale.
        total: The loss of the current picture.
        gradient_norm: Euclidean norm of ∂total/∂picture.
        terms: Named parts of the loss.
        stalled: Whether the solver found nothing lower.
        healthy: Whether the loss is finite and below the bound.
    """

    step: int
    evaluations: int
    total: float
    gradient_norm: float
    terms: dict[str, float]
    stalled: bool
    healthy: bool


UNREAD = Reading(0, 0, math.nan, math.nan, {}, stalled=False, healthy=False)
"""Before the first evaluation."""


class Descent:
    """A solver and its objective, compiled into ``advance(n)``.

    The loop stops of itself when a loss is not finite, when it exceeds ``growth`` times the start's, or when
    the solver stalls. The picture of the lowest loss so far is kept beside the current one.

    Attributes:
        shape: Height and width of the picture.

    Args:
        solver: The solver, on its start picture.
        objective: Picture to `Evaluation`.
        growth: How many times the start's loss counts as divergence.
        look_up: Called before each evaluation of a solver on the host; may raise to stop it there.
    """

    def __init__(
        self,
        solver: Solver,
        objective: Objective,
        growth: float = math.inf,
        look_up: Callable[[], None] | None = None,
    ) -> None:
        self._solver, self._growth = solver, growth
        self._objective = objective if solver.compiled else _attentive(tf.function(objective, autograph=False), look_up)
        self._begin = tf.function(self._start, autograph=False) if solver.compiled else self._start
        self._advance = tf.function(self._steps, autograph=False) if solver.compiled else self._steps
        image = solver.image()
        self.shape = (int(image.shape[1]), int(image.shape[2]))
        self._best = tf.Variable(image, trainable=False)
        scalars = {"total": np.nan, "bound": np.inf, "best": np.inf, "gradient_norm": np.nan}
        self._scalars = {name: tf.Variable(tf.fill(image.shape[:1], value)) for name, value in scalars.items()}
        self._step = tf.Variable(0, dtype=tf.int64)
        self._evaluations = tf.Variable(0, dtype=tf.int64)
        self._stalled = tf.Variable(False)
        self._terms: dict[str, tf.Variable] = {}

    def begin(self) -> Reading:
        """Evaluate the start picture: step 0."""
        evaluation = self._begin()
        self._terms = {name: tf.Variable(value) for name, value in evaluation.terms.items()}
        return self.read()

    def advance(self, steps: int) -> Reading:
        """Take up to ``steps`` steps on the device, then read."""
        self._advance(tf.constant(steps, tf.int64))
        return self.read()

    def read(self) -> Reading:
        """Everything the host wants to know, in one transfer."""
        named = self._terms | {name: self._scalars[name] for name in ("total", "gradient_norm")}
        counts = [self._step, self._evaluations, self._stalled, self._healthy()]
        values = [tf.cast(value, tf.float64) for value in counts]  # float64 holds counts and float32 alike
        values += [tf.cast(value[0], tf.float64) for value in named.values()]
        step, evaluations, stalled, healthy, *losses = tf.stack(values).numpy().tolist()
        terms = dict(zip(named, losses, strict=True))
        total, gradient_norm = terms.pop("total"), terms.pop("gradient_norm")
        return Reading(int(step), int(evaluations), total, gradient_norm, terms, bool(stalled), bool(healthy))

    def image(self) -> np.ndarray:
        """The current picture, ``(B, H, W, 3)`` float32."""
        return self._solver.image().numpy()

    def best(self) -> np.ndarray:
        """The picture of the lowest loss so far, ``(B, H, W, 3)`` float32."""
        return self._best.numpy()

    def _start(self) -> Evaluation:
        evaluation = self._solver.begin(self._objective)
        bound = tf.where(evaluation.total > 0, self._growth * evaluation.total, np.inf)
        self._scalars["bound"].assign(bound)
        self._evaluations.assign_add(1)
        self._record(evaluation)
        return evaluation

    def _steps(self, steps: tf.Tensor) -> None:
        def body(index: tf.Tensor) -> tuple[tf.Tensor]:
            step: Step = self._solver.step(self._objective)
            self._step.assign_add(1)
            self._evaluations.assign_add(step.evaluations)
            self._stalled.assign(step.stalled)
            self._record(step.evaluation)
            for name, value in step.evaluation.terms.items():
                self._terms[name].assign(value)
            return (index + 1,)

        def going(index: tf.Tensor) -> tf.Tensor:
            return (index < steps) & self._healthy() & ~self._stalled

        tf.while_loop(going, body, [tf.constant(0, tf.int64)], parallel_iterations=1)

    def _record(self, evaluation: Evaluation) -> None:
        total, best = evaluation.total, self._scalars["best"]
        self._scalars["total"].assign(total)
        self._scalars["gradient_norm"].assign(tf.sqrt(squared_sum(evaluation.gradient)))
        lower = total < best  # false for NaN
        image = self._solver.image()
        self._best.assign(tf.where(lower[:, None, None, None], image, self._best))
        best.assign(tf.where(lower, total, best))

    def _healthy(self) -> tf.Tensor:
        total = self._scalars["total"]
        return tf.reduce_all(tf.math.is_finite(total) & (total <= self._scalars["bound"]))

    def _variables(self) -> dict[str, tf.Variable]:
        named = {
            "step": self._step,
            "evaluations": self._evaluations,
            "stalled": self._stalled,
            "image": self._best,
        }
        named |= {f"scalar/{name}": variable for name, variable in self._scalars.items()}
        return named | {f"term/{name}": variable for name, variable in self._terms.items()}

    def state(self) -> dict[str, np.ndarray]:
        """The solver's state and the loop's own, by name."""
        own = {f"descent/{name}": variable.numpy() for name, variable in self._variables().items()}
        return own | {f"solver/{name}": value for name, value in self._solver.state().items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> Reading:
        """Continue from a state, in place of ``begin``, without an evaluation."""
        terms = _under(state, "descent/term/")
        self._terms = {name: tf.Variable(value) for name, value in terms.items()}
        for name, variable in self._variables().items():
            variable.assign(state[f"descent/{name}"])
        self._solver.restore(_under(state, "solver/"))
        return self.read()


def _attentive(objective: Objective, look_up: Callable[[], None] | None) -> Objective:
    """An objective that lets the host look up before every evaluation."""

    def evaluate(image: tf.Tensor) -> Evaluation:
        if look_up is not None:
            look_up()
        return objective(image)

    return evaluate


def _under(state: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
