"""The optimisation over phases, as a stream of events."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np

from nst_tf.optimization.loop import NO_RECORD, CompiledLoop, StepRecord, column, loop_arrays
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.problem import Problem
from nst_tf.optimization.schedule import StopRule
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


class Engine:
    """Optimises one problem and yields events.

    Args:
        problem: The problem.
        periods: The observers' periods: an event is yielded at each step that is a multiple of one of them.
        device: TensorFlow's name of the device.
    """

    def __init__(self, problem: Problem, periods: Sequence[int], device: str = "/CPU:0") -> None:
        self._problem, self._device = problem, device
        rule = [problem.schedule.stop_period] if problem.schedule.stop_change else []
        self._periods = sorted({*periods, *rule})
        self._phases, self._ends = problem.schedule.plan(), problem.schedule.ends(problem.steps)
        self._columns = problem.term_names if len(self._phases) > 1 else []
        self._seconds = 0.0
        self._request = StopRequest()
        self._level: PyramidLevel | None = None

    def run(self, state: Mapping[str, np.ndarray] | None = None) -> Iterator[Progressed | Scaled | Finished]:
        """Optimise from the start, or continue from the state of an `Iterate`.

        Yields:
            `Scaled` at each size, `Progressed` at step 0 and at each multiple of a period, and one `Finished` (or
            `Failed`) last. Every run ends with a picture, even when it is interrupted, diverges or fails.

        Raises:
            InputError: The state, the start or the pictures cannot be used, or memory ends before there is a picture.
        """
        with self._request.catch_signals(), tf.device(self._device):
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

    def _run_levels(self, state: dict[str, np.ndarray]) -> Generator[Progressed | Scaled, None, Outcome]:
        """Run the phases in order, each from the picture of the one before."""
        self._seconds = float(state.get("engine/seconds", 0.0))
        outcome = ("completed", "")
        for scale in range(int(state.get("engine/scale", 0)), len(self._ends)):
            level = self._level = self._next_level(scale, state)
            with self._timed():
                level.begin_or_restore(state)
            yield Scaled(scale + 1, len(self._ends), *level.loop.shape)
            outcome = yield from self._run_level(level, fresh=not state and scale == 0)
            if outcome[0] == "diverged":
                break
            state = {}
        return outcome

    def _next_level(self, scale: int, state: Mapping[str, np.ndarray]) -> PyramidLevel:
        problem, phase = self._problem, self._phases[scale]
        content, styles = problem.pictures(phase.scale)
        before = None if self._level is None else (self._level.loop.image(), self._phases[self._level.scale].scale)
        start = tf.constant(problem.start(phase, content, styles, before))
        optimizer = phase.optimizer_of(problem.optimizer)
        targets = Targets(problem.objective(content, styles, scale), tf.constant(content))
        loop = problem.cache.loop(
            targets.follow(state.get(ANCHOR, start)),
            optimizer,
            problem.schedule,
            scale,
            start,
            self._request.raise_if_stopped,
            problem.parametrisation,
        )
        if self._level is not None and problem.schedule.keep_state:
            loop.solver.warm_start(self._level.loop.solver)
        return PyramidLevel(scale, loop, targets, problem.schedule.stop_rule(), *self._counts_before(state))

    def _counts_before(self, state: Mapping[str, np.ndarray]) -> tuple[int, int]:
        """Return the steps and evaluations of all scales before the next one."""
        if self._level is None:
            return int(state.get("engine/steps", 0)), int(state.get("engine/evaluations", 0))
        return self._level.step, self._level.evaluations

    def _run_level(self, level: PyramidLevel, fresh: bool) -> Generator[Progressed, None, Outcome]:
        """Advance one scale from boundary to boundary until it ends; a fresh run reports its start first."""
        if fresh:
            yield Progressed(self._iterate(level))
        while (outcome := self._outcome(level)) is None:
            self._advance(level)
            if self._is_boundary(level.step) and level.record.healthy:
                yield Progressed(self._iterate(level))
        return outcome

    def _advance(self, level: PyramidLevel) -> None:
        self._request.raise_if_stopped()
        steps = min(self._next_boundary(level) - level.step, max(1, int(HOST_SECONDS / level.seconds_per_step)))
        seconds, before = self._seconds, level.step
        with self._timed():
            level.advance(steps)
        level.seconds_per_step = (self._seconds - seconds) / max(1, level.step - before)

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

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        """Add the time spent in the block to the run's seconds."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - start


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
        loop: CompiledLoop,
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

    def begin_or_restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Evaluate the start, or continue from a `state` if it is not empty.

        Raises:
            InputError: The state does not fit this run.
        """
        if not state:
            self.record = self.loop.begin()
            return
        with checkpoint_errors():
            self.rule.restore([(int(step), float(total)) for step, total in state["engine/history"]])
            self.record = self.loop.restore(state)

    @property
    def next_rematch(self) -> int | None:
        """The step, over all phases, at which the targets are next matched to the picture; None for never."""
        period = self.targets.period
        return None if period is None else self.steps_before + (self.record.step // period + 1) * period

    @property
    def comparable_total(self) -> float:
        """The loss of the present picture under the draws of the start, by which the stop rule compares steps."""
        return self.loop.comparable_total()

    def advance(self, steps: int) -> None:
        """Take up to ``steps`` steps, with targets that are matched to the picture first where that is due."""
        period = self.targets.period
        if period is not None and self.record.step and self.record.step % period == 0:
            self.loop.renew([self.targets.follow(self.loop.solver.image()).inputs])
        self.record = self.loop.advance(steps)

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
