"""The compiled inner loop: n steps of one solver on one picture, then one transfer to the host."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from nst_tf.optimization.loop_state import joined_arrays, loop_arrays, row_of_state, solver_arrays
from nst_tf.optimizers import Evaluation, Optimizer, Solver, Step
from nst_tf.util.compilation import compile_function
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import squared_sum

RECORD_COUNTERS = ("step", "evaluations", "stalled", "total", "gradient_norm")
"""Names of the first columns of a record row; the terms of the loss follow."""


class StepRecord(NamedTuple):
    """The loss of one picture and the counters at its step, as the host reads them.

    Attributes:
        step: Steps taken at this scale.
        evaluations: Evaluations of the objective at this scale.
        total: The loss of the picture.
        gradient_norm: Euclidean norm of ∂total/∂picture.
        terms: Named parts of the loss.
        stalled: Whether the solver found no lower loss.
        healthy: Whether picture, loss and gradient are finite, and the loss is below the bound of divergence.
    """

    step: int
    evaluations: int
    total: float
    gradient_norm: float
    terms: dict[str, float]
    stalled: bool
    healthy: bool


NO_RECORD = StepRecord(0, 0, math.nan, math.nan, {}, stalled=False, healthy=False)
"""The record before the first evaluation."""


class CompiledLoop:
    """A solver and its objective, compiled into ``advance(n)``.

    The loop ends early when the picture, its loss or its gradient is not finite, when the loss exceeds ``growth`` times
    the loss of the start, or when the solver stalls. It keeps the picture of the lowest loss with its record. With
    ``average``, the exponential moving average of the pictures is the picture that is reported and saved.

    An objective that ``changes_by_step`` has other draws at other steps, so that losses of two steps are not
    comparable. The loop then reports the loss under the draws of the start, and keeps the last healthy picture in place
    of that of the lowest loss.

    Attributes:
        solver: The solver.
        form: What determines the compiled step, as `nst_tf.optimization.cache.RunCache` compares it; None if unknown.
        batch: Number of pictures, B.
        shape: Height and width of the pictures.

    Args:
        solver: The solver, at its start picture.
        objective: Function of the picture and ``inputs`` that returns an `Evaluation`.
        growth: Factor of the start's loss above which the loop has diverged.
        raise_if_stopped: Function called before each evaluation of a solver that runs on the host. It may raise to
            stop the solver.
        average: Decay of the moving average, see `nst_tf.optimization.schedule.Schedule`; 0 for none.
        inputs: Nested tensors that the objective takes beside the picture. They are arguments of the compiled step,
            not constants in it.
        changes_by_step: Whether the objective also takes the step, an int64 scalar.
    """

    def __init__(
        self,
        solver: Solver,
        objective: Callable[..., Evaluation],
        growth: float = math.inf,
        raise_if_stopped: Callable[[], None] | None = None,
        average: float = 0.0,
        inputs: Sequence[Any] = (),
        changes_by_step: bool = False,
    ) -> None:
        self._changes_by_step = changes_by_step
        self.form: Hashable = None
        self.solver, self._growth, self._raise_if_stopped, self._decay = solver, growth, raise_if_stopped, average
        self._inputs = inputs
        self._compiled_objective = compile_function(objective)
        self._objective = self._compiled_objective if solver.compiled else self._interruptible_objective
        self._advance = compile_function(self._take_steps) if solver.compiled else self._take_steps
        self._is_compiled = False
        image = solver.image()
        self.batch = int(image.shape[0])
        self._in_use = tf.Variable(tf.ones([self.batch], tf.bool), trainable=False)
        self.shape = (int(image.shape[1]), int(image.shape[2]))
        self._best_image = tf.Variable(image, trainable=False)
        self._mean_image = tf.Variable(image, trainable=False) if average else None
        self._reported_row: tf.Tensor | None = None  # of the step in _reported_step
        self._reported_step = 0
        self._term_names: list[str] = []
        self._row: Any = None  # the rows become variables once the number of terms is known
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
        """Return to the state of a new loop with another start, without compiling again.

        Args:
            optimizer: Settings with the same `Optimizer.static_config` as the solver's.
            start: ``(B, H, W, 3)``, of the same shape as before.
            inputs: Of the same structure and shapes as before.
            growth: See `CompiledLoop`.
            raise_if_stopped: See `CompiledLoop`.
        """
        self.solver.reset(optimizer, start)
        self._in_use.assign(tf.ones_like(self._in_use))
        self._inputs, self._growth, self._raise_if_stopped = inputs, growth, raise_if_stopped
        for variable in (self._best_image, self._mean_image):
            if variable is not None:
                variable.assign(self.solver.image())
        self._reported_row, self._term_names = None, []

    def leave_out(self, index: int) -> None:
        """Let the loop go on whatever becomes of a picture of the batch, whose run has ended."""
        self._in_use.assign(tf.tensor_scatter_nd_update(self._in_use, [[index]], [False]))

    def begin(self) -> StepRecord:
        """Evaluate the start picture and return its record, step 0. The first time, it also compiles the step."""
        image = self.solver.image()
        compiles = self.solver.compiled and not self._is_compiled
        evaluation = self._evaluate_while_compiling(image) if compiles else self._evaluate(image)
        self._start_from(evaluation, image)
        return self.read()

    def _evaluate_while_compiling(self, image: tf.Tensor) -> Evaluation:
        """Evaluate the start picture in another thread, while this one compiles the step.

        Both trace the objective first. The step then needs the names of the terms alone, so that an evaluation of
        zeros stands for that of the start. Zero steps compile it and change nothing.
        """
        arguments = (image, *self._inputs, *self._step_input(None))
        outputs = self._compiled_objective.get_concrete_function(*arguments).structured_outputs
        zeros = tf.zeros([self.batch])
        with ThreadPoolExecutor(max_workers=1) as thread:
            evaluation = thread.submit(self._evaluate_on, image.device, image)
            self._start_from(Evaluation(zeros, tf.zeros_like(image), dict.fromkeys(outputs.terms, zeros)), image)
            self._advance(tf.constant(0, tf.int64), *self._inputs)
            self._is_compiled = True
            return evaluation.result()

    def _evaluate_on(self, device: str, image: tf.Tensor) -> Evaluation:
        with tf.device(device):  # a scope holds in its own thread alone
            return self._evaluate(image)

    def _start_from(self, evaluation: Evaluation, image: tf.Tensor) -> None:
        """Make an evaluation that of step 0, in the solver and in the rows."""
        self.solver.begin(evaluation)
        row = _record_row(evaluation, image, tf.zeros([1], tf.float64), tf.ones([1], tf.float64), tf.constant(False))
        total = evaluation.total.numpy().astype(np.float64)
        bound = np.multiply(self._growth, total, out=np.full_like(total, np.inf), where=total > 0)
        self._assign_rows(list(evaluation.terms), row.numpy(), row.numpy(), bound)

    def renew(self, inputs: Sequence[Any]) -> StepRecord:
        """Continue with other inputs of the objective, such as targets that follow the picture; costs an evaluation.

        The lowest loss is that of the present picture again, since earlier losses are not comparable.
        """
        self._inputs = inputs
        image = self.solver.image()
        step, evaluations, stalled = tf.unstack(self._row[:, :3], axis=1)
        evaluation = self._evaluate(image, step)
        self.solver.begin(evaluation)
        row = _record_row(evaluation, image, step, evaluations + 1, stalled).numpy()
        self._assign_rows(self._term_names, row, row, self._bound.numpy())
        self._best_image.assign(image)
        self._reported_row = None
        return self.read()

    def advance(self, steps: int) -> StepRecord:
        """Take up to ``steps`` steps on the device and return the last one's record."""
        self._advance(tf.constant(steps, tf.int64), *self._inputs)
        return self.read()

    def read(self, index: int = 0) -> StepRecord:
        """Return the record of the solver's picture, in one transfer; ``index`` is its number in the batch."""
        return self._step_record(self._row, index)

    def read_reported(self, index: int = 0) -> StepRecord:
        """Return the record of `image`: the solver's picture, or the moving average.

        The moving average, or a picture under the draws of the start, is evaluated at most once a step. That evaluation
        serves the observers and the stop rule alone and is not counted.
        """
        record = self.read(index)
        if record.step == 0 or not (self._changes_by_step or self._mean_image is not None):
            return record
        if self._reported_row is None or self._reported_step != record.step:
            step, evaluations, stalled = tf.unstack(self._row[:, :3], axis=1)
            image = self.solver.image() if self._mean_image is None else self._mean_image.read_value()
            self._reported_row = _record_row(self._evaluate(image), image, step, evaluations, stalled)
            self._reported_step = record.step
        return self._step_record(self._reported_row, index)._replace(healthy=record.healthy)

    def comparable_total(self, index: int = 0) -> float:
        """Return the loss of the solver's picture under the draws of the start, ``nan`` if it is not finite."""
        if self._changes_by_step and self._mean_image is None:
            return self.read_reported(index).total
        return self.read(index).total

    def read_best(self, index: int = 0) -> StepRecord:
        """Return the record of the picture of the lowest loss so far, or `NO_RECORD`."""
        return self._step_record(self._best_row, index) if self._term_names else NO_RECORD

    def image(self) -> np.ndarray:
        """Return the reported picture, ``(B, H, W, 3)`` float32: the solver's, or the moving average."""
        return (self.solver.image() if self._mean_image is None else self._mean_image).numpy()

    def best(self) -> np.ndarray:
        """Return the picture of the lowest loss so far, ``(B, H, W, 3)`` float32; before any loss, the start."""
        return self._best_image.numpy()

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays of a checkpoint, see `nst_tf.optimization.loop_state`."""
        arrays = {
            "names": np.array(self._term_names),
            "row": self._row.numpy(),
            "best_row": self._best_row.numpy(),
            "bound": self._bound.numpy(),
            "best_image": self._best_image.numpy(),
        }
        if self._mean_image is not None:
            arrays["mean_image"] = self._mean_image.numpy()
        return joined_arrays(arrays, self.solver.state())

    def restore(self, state: Mapping[str, np.ndarray]) -> StepRecord:
        """Continue from the arrays of a checkpoint, instead of ``begin``, without an evaluation.

        Raises:
            KeyError: An array is missing.
        """
        arrays = loop_arrays(state)
        names = [str(name) for name in arrays["names"]]
        self._assign_rows(names, *(arrays[name] for name in ("row", "best_row", "bound")))
        self._best_image.assign(arrays["best_image"])
        if self._mean_image is not None:
            self._mean_image.assign(arrays["mean_image"])
        self.solver.restore(solver_arrays(state))
        return self.read()

    def _assign_rows(self, names: list[str], row: np.ndarray, best_row: np.ndarray, bound: np.ndarray) -> None:
        """Set the rows ``(B, counters and terms)``: float64, which holds counts and float32 values exactly."""
        self._term_names = names
        if self._row is None:
            self._row, self._best_row, self._bound = tf.Variable(row), tf.Variable(best_row), tf.Variable(bound)
        else:
            for variable, value in zip((self._row, self._best_row, self._bound), (row, best_row, bound), strict=True):
                variable.assign(value)

    def _step_record(self, row: tf.Tensor | tf.Variable, index: int) -> StepRecord:
        values = dict(zip([*RECORD_COUNTERS, *self._term_names], row.numpy()[index].tolist(), strict=True))
        step, evaluations, stalled, total, gradient_norm = (values.pop(name) for name in RECORD_COUNTERS)
        healthy = bool(self._is_healthy(row)[index])
        return StepRecord(int(step), int(evaluations), total, gradient_norm, values, bool(stalled), healthy)

    def _is_healthy(self, rows: Any) -> tf.Tensor:
        """Return `StepRecord.healthy` of record rows ``(B, n)``, ``(B,)``."""
        total = column(rows, "total")
        return tf.math.is_finite(total) & tf.math.is_finite(column(rows, "gradient_norm")) & (total <= self._bound)

    def _evaluate(self, image: tf.Tensor, step: tf.Tensor | None = None) -> Evaluation:
        """Evaluate a picture with the draws of a step ``(B,)``, by default those of the start."""
        return self._compiled_objective(image, *self._inputs, *self._step_input(step))

    def _step_input(self, step: tf.Tensor | None) -> list[tf.Tensor]:
        """Return the last argument of an objective that ``changes_by_step``, and nothing for any other."""
        if not self._changes_by_step:
            return []
        return [tf.constant(0, tf.int64) if step is None else tf.cast(step[0], tf.int64)]

    def _interruptible_objective(self, image: tf.Tensor, *inputs: Any) -> Evaluation:
        if self._raise_if_stopped is not None:
            self._raise_if_stopped()
        return self._compiled_objective(image, *inputs)

    def _take_steps(self, steps: tf.Tensor, *inputs: Any) -> None:
        def body(index: tf.Tensor) -> tuple[tf.Tensor]:
            step = self._step_input(column(self._row.read_value(), "step") + 1)
            self._record(self.solver.step(lambda image: self._objective(image, *inputs, *step)))
            return (index + 1,)

        def may_continue(index: tf.Tensor) -> tf.Tensor:
            may = self._is_healthy(self._row) & (column(self._row, "stalled") == 0)
            return (index < steps) & tf.reduce_all(may | ~self._in_use)

        tf.while_loop(may_continue, body, [tf.constant(0, tf.int64)], parallel_iterations=1)

    def _record(self, step: Step) -> None:
        """Update the rows, the best picture and the moving average after a step."""
        previous = self._row.read_value()
        evaluations = column(previous, "evaluations") + tf.cast(step.evaluations, tf.float64)
        image = self.solver.image()
        row = _record_row(step.evaluation, image, column(previous, "step") + 1, evaluations, step.stalled)
        lower = self._is_healthy(row)  # (B,)
        if not self._changes_by_step:
            lower &= column(row, "total") < column(self._best_row, "total")
        self._best_row.assign(tf.where(lower[:, None], row, self._best_row))
        self._best_image.assign(tf.where(lower[:, None, None, None], image, self._best_image))
        if self._mean_image is not None:
            self._mean_image.assign_add(self._newest_share(column(row, "step")) * (image - self._mean_image))
        self._row.assign(row)

    def _newest_share(self, step: tf.Tensor) -> tf.Tensor:
        """Return the weight of the newest of n + 1 pictures in their mean, ``(1 − d) / (1 − dⁿ⁺¹)``, ``(B, 1, 1, 1)``.

        ``tf.train.ExponentialMovingAverage`` does not give this mean: its ``zero_debias`` ignores variables, so the
        start has the weight ``dⁿ`` there instead of ``(1 − d) dⁿ / (1 − dⁿ⁺¹)``.
        """
        share = (1 - self._decay) / (1 - self._decay ** (step + 1))
        return tf.cast(share, tf.float32)[:, None, None, None]


class LoopRow:
    """One picture of a compiled loop, as its run sees it; a loop of several pictures is shared by their runs.

    Attributes:
        loop: The compiled loop.
        index: Number of the picture in the batch, from 0.
    """

    def __init__(self, loop: CompiledLoop, index: int = 0) -> None:
        self.loop, self.index = loop, index

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.loop.shape

    def solver_image(self) -> tf.Tensor:
        """Return the solver's picture, ``(1, H, W, 3)``."""
        return self._own(self.loop.solver.image())

    def image(self) -> np.ndarray:
        """Return the reported picture, ``(1, H, W, 3)``, see `CompiledLoop.image`."""
        return self._own(self.loop.image())

    def best(self) -> np.ndarray:
        """Return the picture of the lowest loss, ``(1, H, W, 3)``."""
        return self._own(self.loop.best())

    def read(self) -> StepRecord:
        """Return the record of the solver's picture."""
        return self.loop.read(self.index)

    def read_reported(self) -> StepRecord:
        """Return the record of `image`, see `CompiledLoop.read_reported`."""
        return self.loop.read_reported(self.index)

    def read_best(self) -> StepRecord:
        """Return the record of the picture of the lowest loss, or `NO_RECORD`."""
        return self.loop.read_best(self.index)

    def comparable_total(self) -> float:
        """Return the loss by which the stop rule compares steps, see `CompiledLoop.comparable_total`."""
        return self.loop.comparable_total(self.index)

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays of the checkpoint of this picture alone."""
        state = self.loop.state()
        return state if self.loop.batch == 1 else row_of_state(state, self.index, self.loop.solver)

    def _own(self, pictures: Any) -> Any:
        return pictures[self.index : self.index + 1]


def column(rows: Any, counter: str) -> Any:
    """Return one of `RECORD_COUNTERS`, ``(B,)``, from record rows ``(B, n)``."""
    return rows[:, RECORD_COUNTERS.index(counter)]


def _record_row(
    evaluation: Evaluation, image: tf.Tensor, step: tf.Tensor, evaluations: tf.Tensor, stalled: tf.Tensor
) -> tf.Tensor:
    """Return `RECORD_COUNTERS` and terms of each picture, ``(B, n)`` float64.

    The loss of a picture that is not finite is NaN. A network does not always give NaN for such a picture, because the
    ReLU that oneDNN fuses with a convolution turns NaN into 0. The norm of the gradient is computed in float64, so that
    it is finite if every value of the gradient is.
    """
    total = tf.where(tf.reduce_all(tf.math.is_finite(image), [1, 2, 3]), evaluation.total, float("nan"))
    gradient_norm = tf.sqrt(squared_sum(tf.cast(evaluation.gradient, tf.float64)))
    counters = [step, evaluations, stalled, total, gradient_norm]
    columns = [tf.broadcast_to(tf.cast(value, tf.float64), evaluation.total.shape) for value in counters]
    rows = tf.stack(columns, axis=1)
    if not evaluation.terms:
        return rows
    return tf.concat([rows, tf.cast(tf.stack(list(evaluation.terms.values()), axis=1), tf.float64)], axis=1)
