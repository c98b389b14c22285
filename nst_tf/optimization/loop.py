"""The compiled inner loop: n steps of one solver on one picture, then one read by the host."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nst_tf.optimizers import Evaluation, Optimizer, Solver, Step
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import squared_sum

RECORD_COUNTERS = ("step", "evaluations", "stalled", "total", "gradient_norm")
"""What stands before the terms in a row of the loop's record."""


class StepRecord(NamedTuple):
    """What the host learns from one read.

    Attributes:
        step: Steps taken at this scale.
        evaluations: Evaluations of the objective at this scale.
        total: The loss of the picture at this step.
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


NO_RECORD = StepRecord(0, 0, math.nan, math.nan, {}, stalled=False, healthy=False)
"""Before the first evaluation."""


class CompiledLoop:
    """A solver and its objective, compiled into ``advance(n)``.

    The loop stops of itself when a loss is not finite, when it exceeds ``growth`` times the start's, or when
    the solver stalls. The picture of the lowest loss so far is kept beside the current one, with its record; and with
    ``average`` a mean of the pictures, which then is the picture that is given out and told of.

    Attributes:
        solver: The solver.
        shape: Height and width of the picture.

    Args:
        solver: The solver, on its start picture.
        objective: Picture, and ``inputs``, to `Evaluation`.
        growth: How many times the start's loss counts as divergence.
        raise_if_stopped: Called before each evaluation in the steps of a solver on the host; may raise to stop it there.
        average: Decay of the mean, see `nst_tf.optimization.schedule.Schedule`; 0 for none.
        inputs: Tensors, in any nesting, which the objective takes beside the picture; not compiled into the step.
    """

    def __init__(
        self,
        solver: Solver,
        objective: Callable[..., Evaluation],
        growth: float = math.inf,
        raise_if_stopped: Callable[[], None] | None = None,
        average: float = 0.0,
        inputs: Sequence[Any] = (),
    ) -> None:
        compiled = solver.compiled
        self.solver, self._growth, self._look_up, self._decay = solver, growth, raise_if_stopped, average
        self._inputs = inputs
        self._compiled = tf.function(objective, autograph=False)
        self._objective = objective if compiled else self._attentive
        self._advance = tf.function(self._steps, autograph=False) if compiled else self._steps
        image = solver.image()
        self.shape = (int(image.shape[1]), int(image.shape[2]))
        self._best_image = tf.Variable(image, trainable=False)
        self._mean_image = tf.Variable(image, trainable=False) if average else None
        self._told = NO_RECORD
        self._names: list[str] = []
        self._row: Any = None  # until the terms are known
        self._best_row: Any = None
        self._bound: Any = None

    def reset(
        self,
        optimizer: Optimizer,
        start: tf.Tensor,
        inputs: Sequence[Any],
        growth: float = math.inf,
        raise_if_stopped: Callable[[], None] | None = None,
    ) -> None:
        """Be as new from another start, without compiling again.

        Args:
            optimizer: Of the same `Optimizer.form` as the solver's own.
            start: ``(B, H, W, 3)``, of the same shape.
            inputs: Of the same shapes.
            growth: See `CompiledLoop`.
            raise_if_stopped: See `CompiledLoop`.
        """
        self.solver.reset(optimizer, start)
        self._inputs, self._growth, self._look_up = inputs, growth, raise_if_stopped
        for kept in (self._best_image, self._mean_image):
            if kept is not None:
                kept.assign(self.solver.image())
        self._told, self._names = NO_RECORD, []

    def begin(self) -> StepRecord:
        """Evaluate the start picture: step 0."""
        evaluation = self._evaluate(self.solver.image())
        self.solver.begin(evaluation)
        row = _row(evaluation, tf.zeros([1], tf.float64), tf.ones([1], tf.float64), tf.constant(False))
        total = evaluation.total.numpy()
        bound = np.where(total > 0, self._growth * total.astype(np.float64), np.inf)
        self._keep(list(evaluation.terms), row.numpy(), row.numpy(), bound)
        return self.read()

    def advance(self, steps: int) -> StepRecord:
        """Take up to ``steps`` steps on the device, then read."""
        self._advance(tf.constant(steps, tf.int64), *self._inputs)
        return self.read()

    def read(self) -> StepRecord:
        """The record of the solver's picture, in one transfer."""
        return self._step_record(self._row)

    def tell(self) -> StepRecord:
        """The record of `image`: the solver's, or the mean's, evaluated for whoever watches and not counted."""
        record = self.read()
        if self._mean_image is None or record.step == 0:
            return record
        if self._told.step != record.step:
            step, evaluations, stalled = tf.unstack(self._row[:, :3], axis=1)
            row = _row(self._evaluate(self._mean_image.read_value()), step, evaluations, stalled)
            self._told = self._step_record(row)._replace(healthy=record.healthy)
        return self._told

    def read_best(self) -> StepRecord:
        """The record of the picture of the lowest loss so far."""
        return self._step_record(self._best_row) if self._names else NO_RECORD

    def image(self) -> np.ndarray:
        """The picture now, ``(B, H, W, 3)`` float32: the solver's, or the mean."""
        return (self.solver.image() if self._mean_image is None else self._mean_image).numpy()

    def best(self) -> np.ndarray:
        """The picture of the lowest loss so far, ``(B, H, W, 3)`` float32; the start before there is a loss."""
        return self._best_image.numpy()

    def state(self) -> dict[str, np.ndarray]:
        """The solver's state and the loop's own, by name."""
        own = {
            "descent/names": np.array(self._names),
            "descent/row": self._row.numpy(),
            "descent/best_row": self._best_row.numpy(),
            "descent/bound": self._bound.numpy(),
            "descent/best_image": self._best_image.numpy(),
        }
        if self._mean_image is not None:
            own["descent/mean_image"] = self._mean_image.numpy()
        return own | {f"solver/{name}": value for name, value in self.solver.state().items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> StepRecord:
        """Continue from a state, in place of ``begin``, without an evaluation."""
        names = [str(name) for name in state["descent/names"]]
        self._keep(names, *(state[f"descent/{part}"] for part in ("row", "best_row", "bound")))
        self._best_image.assign(state["descent/best_image"])
        if self._mean_image is not None:
            self._mean_image.assign(state["descent/mean_image"])
        prefix = "solver/"
        self.solver.restore({name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)})
        return self.read()

    def _keep(self, names: list[str], row: np.ndarray, best_row: np.ndarray, bound: np.ndarray) -> None:
        """Set up the loop's record: float64 rows ``(B, counters and terms)``, which hold counts and float32 alike."""
        self._names = names
        if self._row is None:
            self._row, self._best_row, self._bound = tf.Variable(row), tf.Variable(best_row), tf.Variable(bound)
        else:
            for variable, value in zip((self._row, self._best_row, self._bound), (row, best_row, bound), strict=True):
                variable.assign(value)

    def _step_record(self, row: tf.Tensor | tf.Variable) -> StepRecord:
        values = dict(zip([*RECORD_COUNTERS, *self._names], row.numpy()[0].tolist(), strict=True))
        step, evaluations, stalled, total, gradient_norm = (values.pop(name) for name in RECORD_COUNTERS)
        healthy = math.isfinite(total) and total <= self._bound.numpy()[0]
        return StepRecord(int(step), int(evaluations), total, gradient_norm, values, bool(stalled), bool(healthy))

    def _evaluate(self, image: tf.Tensor) -> Evaluation:
        return self._compiled(image, *self._inputs)

    def _attentive(self, image: tf.Tensor, *inputs: Any) -> Evaluation:
        """An objective on the host, which looks up before every evaluation."""
        if self._look_up is not None:
            self._look_up()
        return self._compiled(image, *inputs)

    def _steps(self, steps: tf.Tensor, *inputs: Any) -> None:
        def objective(image: tf.Tensor) -> Evaluation:
            return self._objective(image, *inputs)

        def body(index: tf.Tensor) -> tuple[tf.Tensor]:
            self._record(self.solver.step(objective))
            return (index + 1,)

        def going(index: tf.Tensor) -> tf.Tensor:
            total, stalled = column(self._row, "total"), column(self._row, "stalled")
            healthy = tf.math.is_finite(total) & (total <= self._bound)
            return (index < steps) & tf.reduce_all(healthy & (stalled == 0))

        tf.while_loop(going, body, [tf.constant(0, tf.int64)], parallel_iterations=1)

    def _record(self, step: Step) -> None:
        last = self._row.read_value()
        evaluations = column(last, "evaluations") + tf.cast(step.evaluations, tf.float64)
        row = _row(step.evaluation, column(last, "step") + 1, evaluations, step.stalled)
        lower = column(row, "total") < column(self._best_row, "total")  # (B,); false for NaN
        self._best_row.assign(tf.where(lower[:, None], row, self._best_row))
        image = self.solver.image()
        self._best_image.assign(tf.where(lower[:, None, None, None], image, self._best_image))
        if self._mean_image is not None:
            share = (1 - self._decay) / (1 - self._decay ** (row[:, 0] + 1))  # of the newest of n + 1 pictures
            share = tf.cast(share, tf.float32)[:, None, None, None]
            self._mean_image.assign_add(share * (image - self._mean_image))
        self._row.assign(row)


def column(rows: Any, counter: str) -> Any:
    """One of `COUNTERS` in rows of the record ``(B, n)``, ``(B,)``."""
    return rows[:, RECORD_COUNTERS.index(counter)]


def _row(evaluation: Evaluation, step: tf.Tensor, evaluations: tf.Tensor, stalled: tf.Tensor) -> tf.Tensor:
    """`COUNTERS` and terms of each picture, ``(B, n)`` float64."""
    gradient_norm = tf.sqrt(squared_sum(evaluation.gradient))
    values = [step, evaluations, stalled, evaluation.total, gradient_norm, *evaluation.terms.values()]
    return tf.stack([tf.broadcast_to(tf.cast(v, tf.float64), evaluation.total.shape) for v in values], axis=1)
