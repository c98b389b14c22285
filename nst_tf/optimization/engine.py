"""The optimisation over phases, as a stream of events."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nst_tf.optimization.loop import NO_RECORD, CompiledLoop, LoopRow, StepRecord, column
from nst_tf.optimization.loop_state import loop_arrays
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.problem import Problem
from nst_tf.optimization.schedule import StopRule
from nst_tf.optimizers import Optimizer
from nst_tf.runs.events import Failed, Finished, Iterate, Progressed, Scaled
from nst_tf.runs.folder import checkpoint_errors
from nst_tf.system.failures import describe_failure, is_out_of_memory
from nst_tf.system.signals import Interrupted, StopRequest
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

HOST_SECONDS = 2.0
"""Longest time, in seconds, that the device works before the host checks for Ctrl-C."""

ANCHOR = "engine/anchor"
"""Name in a checkpoint of the picture to which targets that follow the picture were matched last."""

Outcome = tuple[str, str]
"""The status of a run, one of `nst_tf.runs.folder.STATUSES`, and its reason."""


class Build(NamedTuple):
    """Request for the compiled loop of a phase; the answer is its `LoopRow`.

    Attributes:
        scale: Index of the phase, from 0.
        objective: The objective.
        optimizer: Settings of the optimiser.
        start: The start picture, ``(1, H, W, 3)``.
        before: The loop of the phase before; None in the first.
        keeps_state: Whether the solver takes over the state of that loop. Otherwise the loop may be used again.
    """

    scale: int
    objective: Objective
    optimizer: Optimizer
    start: tf.Tensor
    before: LoopRow | None
    keeps_state: bool


def build_loop(problem: Problem, build: Build, request: StopRequest) -> CompiledLoop:
    """Return the loop that a request asks for, compiled or kept by the problem's cache.

    Args:
        problem: The problem, or one of a batch.
        build: The request; its objective and start may be those of a batch.
        request: The request to stop that a solver on the host obeys.
    """
    return problem.cache.loop(
        build.objective,
        build.optimizer,
        problem.schedule,
        build.scale,
        build.start,
        request.raise_if_stopped,
        problem.parametrisation,
        None if build.before is None or build.keeps_state else build.before.loop,
        problem.execution.jit_compile,
    )


class Begin(NamedTuple):
    """Request to evaluate the start of a loop, or to restore a state that is not empty."""

    loop: LoopRow
    state: Mapping[str, np.ndarray]


class Advance(NamedTuple):
    """Request for up to ``steps`` steps of a loop."""

    loop: LoopRow
    steps: int


class Renew(NamedTuple):
    """Request to continue a loop with the targets of another objective."""

    loop: LoopRow
    objective: Objective


class TimedRecord(NamedTuple):
    """Answer to `Begin`, `Advance` and `Renew`: the record of the picture, and the seconds that it took."""

    record: StepRecord
    seconds: float


Request = Build | Begin | Advance | Renew

Work: TypeAlias = "Generator[Progressed | Scaled | Finished | Request, Any, None]"
"""A run as a generator of its events and of requests for computations, which expects their answers."""


class Answer(NamedTuple):
    """The answer to a request of a run: the value that it asked for, or the error that the computation raised."""

    given: Any = None
    error: BaseException | None = None

    @classmethod
    def of(cls, request: Request, build: Callable[[Build], LoopRow]) -> Answer:
        """Compute what a request asks for; ``build`` makes loops."""
        try:
            return cls(build(request) if isinstance(request, Build) else cls.timed(request))
        except BaseException as error:
            return cls(error=error)

    @staticmethod
    def timed(request: Begin | Advance | Renew) -> TimedRecord:
        """Let the loop of a request compute, and return the record of its picture with the seconds that it took."""
        loop, began = request.loop.loop, time.perf_counter()
        match request:
            case Begin(state=state):
                with checkpoint_errors() if state else contextlib.nullcontext():
                    loop.restore(state) if state else loop.begin()
            case Advance(steps=steps):
                loop.advance(steps)
            case Renew(objective=objective):
                loop.renew([objective.inputs])
        return TimedRecord(request.loop.read(), time.perf_counter() - began)


class Engine:
    """Optimises one problem and yields events.

    Args:
        problem: The problem.
        periods: The observers' periods: an event is yielded at each step that is a multiple of one of them.
        device: TensorFlow's name of the device.
        request: The request to stop that the run obeys; None for one of its own.
    """

    def __init__(
        self,
        problem: Problem,
        periods: Sequence[int],
        device: str = "/CPU:0",
        request: StopRequest | None = None,
    ) -> None:
        self._problem, self._device = problem, device
        rule = [problem.schedule.stop_period] if problem.schedule.stop_change else []
        self._periods = sorted({*periods, *rule})
        self._phases, self._ends = problem.schedule.plan(), problem.schedule.ends(problem.steps)
        self._columns = problem.term_names if len(self._phases) > 1 else []
        self._seconds = 0.0
        self._request = request or StopRequest()
        self._level: PyramidLevel | None = None

    def run(self, state: Mapping[str, np.ndarray] | None = None) -> Iterator[Progressed | Scaled | Finished]:
        """Optimise from the start, or continue from the state of an `Iterate`.

        Yields:
            `Scaled` at each phase, `Progressed` at step 0 and at each multiple of a period, and one `Finished` (or
            `Failed`) last. Every run ends with a picture, even when it is interrupted, diverges or fails.

        Raises:
            InputError: The state, the start or the pictures cannot be used, or memory ends before there is a picture.
        """
        with self._request.catch_signals(), tf.device(self._device):
            work, answer = self.work(state), Answer()
            with contextlib.suppress(StopIteration):
                while True:
                    item = work.send(answer.given) if answer.error is None else work.throw(answer.error)
                    if isinstance(item, Request):
                        answer = Answer.of(item, self._loop_of)
                    else:
                        answer = Answer()
                        yield item

    def work(self, state: Mapping[str, np.ndarray] | None = None) -> Work:
        """Do all of a run but the computations, which it asks for by `Request`s; see `run`.

        So one caller computes the runs of a batch at once, see `nst_tf.optimization.batch.BatchEngine`.
        """
        try:
            outcome = yield from self._run_levels(dict(state or {}))
        except Interrupted:
            outcome = ("interrupted", "asked to stop")
        except InputError:
            raise
        except Exception as error:
            if self._level is None and is_out_of_memory(error):
                raise InputError(describe_failure(error)) from error
            if self._level is None:  # there is no picture yet
                raise
            yield Failed("failed", describe_failure(error), self._iterate(self._level, best=True), error)
            return
        assert self._level is not None
        yield Finished(*outcome, self._iterate(self._level, best=outcome[0] == "diverged"))

    def _run_levels(self, state: dict[str, np.ndarray]) -> Generator[Progressed | Scaled | Request, Any, Outcome]:
        """Run the phases in order, each from the picture of the one before."""
        self._seconds = float(state.get("engine/seconds", 0.0))
        outcome = ("completed", "")
        for scale in range(int(state.get("engine/scale", 0)), len(self._ends)):
            yield from self._begin_level(scale, state)
            assert self._level is not None
            yield Scaled(scale + 1, len(self._ends), *self._level.loop.shape)
            outcome = yield from self._run_level(self._level, fresh=not state and scale == 0)
            if outcome[0] == "diverged":
                break
            state = {}
        return outcome

    def _begin_level(self, scale: int, state: Mapping[str, np.ndarray]) -> Generator[Request, Any, None]:
        """Make the next phase the present one, and evaluate its start or restore its state."""
        problem, phase = self._problem, self._phases[scale]
        content, styles = problem.pictures(phase.scale)
        before = None if self._level is None else self._level.loop
        image = None if self._level is None else (self._level.loop.image(), self._phases[self._level.scale].scale)
        start = tf.constant(problem.start(phase, content, styles, image))
        targets = Targets(problem.objective(content, styles, scale), tf.constant(content))
        objective = targets.follow(state.get(ANCHOR, start))
        optimizer = phase.optimizer_of(problem.optimizer)
        loop = yield Build(scale, objective, optimizer, start, before, problem.schedule.keep_state)
        level = PyramidLevel(scale, loop, targets, problem.schedule.stop_rule(), *self._counts_before(state))
        self._level = level
        level.restore_rule(state)
        level.record = yield from self._timed(Begin(loop, state))

    def _loop_of(self, build: Build) -> LoopRow:
        """Return the compiled loop of this run alone."""
        loop = build_loop(self._problem, build, self._request)
        if build.before is not None and build.keeps_state:
            loop.solver.warm_start(build.before.loop.solver)
        return LoopRow(loop)

    def _counts_before(self, state: Mapping[str, np.ndarray]) -> tuple[int, int]:
        """Return the steps and evaluations of all scales before the next one."""
        if self._level is None:
            return int(state.get("engine/steps", 0)), int(state.get("engine/evaluations", 0))
        return self._level.step, self._level.evaluations

    def _run_level(self, level: PyramidLevel, fresh: bool) -> Generator[Progressed | Request, Any, Outcome]:
        """Advance one phase from boundary to boundary until it ends; a fresh run reports its start first."""
        if fresh:
            yield Progressed(self._iterate(level))
        while (outcome := self._outcome(level)) is None:
            yield from self._advance(level)
            if self._is_boundary(level.step) and level.record.healthy:
                yield Progressed(self._iterate(level))
        return outcome

    def _advance(self, level: PyramidLevel) -> Generator[Request, Any, None]:
        """Take steps up to the next boundary, with targets that are matched to the picture first where that is due."""
        self._request.raise_if_stopped()
        if level.rematches_now:
            objective = level.targets.follow(level.loop.solver_image())
            level.record = yield from self._timed(Renew(level.loop, objective))
        steps = min(self._next_boundary(level) - level.step, max(1, int(HOST_SECONDS / level.seconds_per_step)))
        seconds, before = self._seconds, level.step
        level.record = yield from self._timed(Advance(level.loop, steps))
        level.seconds_per_step = (self._seconds - seconds) / max(1, level.step - before)

    def _timed(self, request: Request) -> Generator[Request, Any, StepRecord]:
        """Ask for a computation, add its time to the run's seconds, and return the record."""
        timed: TimedRecord = yield request
        self._seconds += timed.seconds
        return timed.record

    def _outcome(self, level: PyramidLevel) -> Outcome | None:
        """Return how the scale ends at this step, or None if it continues."""
        schedule, record = self._problem.schedule, level.record
        if not record.healthy:
            return "diverged", f"{_divergence(record)} at step {level.step}; kept the picture of the lowest loss"
        if record.stalled:
            return "converged", f"the solver found nothing lower at step {level.step}"
        if level.step % schedule.stop_period == 0 and level.rule(level.step, level.comparable_total):
            return "converged", (
                f"the loss changed by less than {schedule.stop_change:g} % over {schedule.stop_window} steps"
            )
        if level.step >= self._ends[level.scale]:
            return "completed", f"{level.step} step{'s' * (level.step != 1)}"
        return None

    def _next_boundary(self, level: PyramidLevel) -> int:
        """Return the next multiple of a period, or the last step of the scale if that comes first."""
        multiples = [(level.step // period + 1) * period for period in self._periods]
        rematches = [level.next_rematch] if level.next_rematch else []
        return min([*multiples, *rematches, self._ends[level.scale]])

    def _is_boundary(self, step: int) -> bool:
        return any(step % period == 0 for period in self._periods) or step == self._ends[-1]

    def _iterate(self, level: PyramidLevel, best: bool = False) -> Iterate:
        """Return the present iterate, or with ``best`` the one of the lowest loss at this scale."""
        record = level.loop.read_best() if best else level.loop.read_reported()
        factor = self._phases[level.scale].scale
        image = level.loop.best if best else level.loop.image
        return Iterate(
            step=level.steps_before + record.step,
            steps=self._problem.steps,
            evaluations=level.evaluations_before + record.evaluations,
            seconds=self._seconds,
            total=record.total,
            gradient_norm=record.gradient_norm,
            terms=dict.fromkeys(self._columns, math.nan) | record.terms,
            picture=lambda: self._problem.finish(image(), factor)[0],
            state=lambda: level.state() | {"engine/seconds": np.array(self._seconds)},
        )


class Targets:
    """The objective of a phase, with targets that may follow the picture.

    Args:
        objective: The objective, with the targets that the references give.
        content: The content at the size of the phase, ``(1, H, W, 3)``.
    """

    def __init__(self, objective: Objective, content: tf.Tensor) -> None:
        self._objective, self._content = objective, content
        self._anchor: np.ndarray | None = None
        self.period = objective.rematch_period

    def follow(self, image: tf.Tensor | np.ndarray) -> Objective:
        """Return the objective with its targets matched to a picture ``(1, H, W, 3)``, where a loss asks for it."""
        if not self._objective.anchors:
            return self._objective
        self._anchor = np.asarray(image)
        return self._objective.anchored(tf.constant(image), self._content)

    def state(self) -> dict[str, np.ndarray]:
        """Return the picture to which the targets were matched last, for a checkpoint."""
        return {} if self._anchor is None else {ANCHOR: self._anchor}


class PyramidLevel:
    """One phase of a run: its compiled loop, its stop rule, and the counts of the scales before it.

    Args:
        scale: Index of the phase, from 0.
        loop: The compiled loop.
        targets: The objective and its targets, which may follow the picture.
        rule: The rule that detects convergence.
        steps_before: Steps of the scales before.
        evaluations_before: Evaluations of the scales before.
    """

    def __init__(
        self,
        scale: int,
        loop: LoopRow,
        targets: Targets,
        rule: StopRule,
        steps_before: int,
        evaluations_before: int,
    ) -> None:
        self.scale, self.loop, self.targets, self.rule = scale, loop, targets, rule
        self.steps_before, self.evaluations_before = steps_before, evaluations_before
        self.record = NO_RECORD
        self.seconds_per_step = HOST_SECONDS  # one step at a time until a step has been timed

    @property
    def step(self) -> int:
        """Steps over all scales so far."""
        return self.steps_before + self.record.step

    @property
    def evaluations(self) -> int:
        """Evaluations over all scales so far."""
        return self.evaluations_before + self.record.evaluations

    def restore_rule(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the losses that the stop rule has seen, from a `state` if it is not empty.

        Raises:
            InputError: The state does not fit this run.
        """
        with checkpoint_errors():
            self.rule.restore([(int(step), float(total)) for step, total in state["engine/history"]] if state else [])

    @property
    def next_rematch(self) -> int | None:
        """The step, over all phases, at which the targets are next matched to the picture; None for never."""
        period = self.targets.period
        return None if period is None else self.steps_before + (self.record.step // period + 1) * period

    @property
    def comparable_total(self) -> float:
        """The loss of the present picture under the draws of the start, by which the stop rule compares steps."""
        return self.loop.comparable_total()

    @property
    def rematches_now(self) -> bool:
        """True if the targets are matched to the picture before the next step."""
        period = self.targets.period
        return period is not None and self.record.step > 0 and self.record.step % period == 0

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays of a checkpoint: the loop's, the solver's, and those under ``engine/``."""
        return (
            self.loop.state()
            | self.targets.state()
            | {
                "engine/scale": np.array(self.scale),
                "engine/steps": np.array(self.steps_before),
                "engine/evaluations": np.array(self.evaluations_before),
                "engine/history": np.array(self.rule.history, np.float64).reshape(-1, 2),
            }
        )


def _divergence(record: StepRecord) -> str:
    """Return the quantity that made a record unhealthy, and its value, in words."""
    if math.isfinite(record.total) and not math.isfinite(record.gradient_norm):
        return f"the norm of the gradient became {record.gradient_norm:.6g}"
    return f"the loss became {record.total:.6g}"


def checkpoint_step(state: Mapping[str, np.ndarray]) -> int:
    """Return the step, over all scales, of a checkpoint's arrays."""
    return int(state["engine/steps"]) + int(column(loop_arrays(state)["row"], "step")[0])
