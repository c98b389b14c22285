"""The loop over scales: from pictures and settings to a run told in events."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np

from nst_tf.images import resize
from nst_tf.optimization.loop import NO_RECORD, CompiledLoop, column
from nst_tf.optimization.problem import Problem
from nst_tf.optimization.schedule import StopRule
from nst_tf.runs.events import Failed, Finished, Iterate, Progressed, Scaled
from nst_tf.runs.folder import checkpoint_errors
from nst_tf.system.failures import describe_failure, is_out_of_memory
from nst_tf.system.signals import Interrupted, StopRequest
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

HOST_SECONDS = 2.0
"""How long the device may work before the host looks up, so that Ctrl-C is answered."""

Outcome = tuple[str, str]
"""One of `nst_tf.runs.folder.STATUSES`, and why."""


class Engine:
    """Optimises one problem and tells of it in events.

    Args:
        problem: What to optimise.
        periods: Numbers of steps at whose multiples somebody wants to look.
        device: TensorFlow's name of the device.
    """

    def __init__(self, problem: Problem, periods: Sequence[int], device: str = "/CPU:0") -> None:
        self._problem, self._device = problem, device
        rule = [problem.schedule.stop_period] if problem.schedule.stop_change else []
        self._periods = sorted({*periods, *rule})
        self._ends = problem.schedule.ends(problem.steps)
        self._seconds = 0.0
        self._request = StopRequest()
        self._level: PyramidLevel | None = None

    def run(self, state: Mapping[str, np.ndarray] | None = None) -> Iterator[Progressed | Scaled | Finished]:
        """Optimise from the start, or from a state that a `Iterate` gave.

        Yields:
            `Scaled` at each size; `Progressed` at step 0 and wherever a period divides the step; one `Finished`
            (or `Failed`) last, whatever ended the run.

        Raises:
            InputError: The state, the start or the pictures cannot be used, or memory ends before there is a picture.
        """
        with self._request.catch_signals(), tf.device(self._device):
            try:
                outcome = yield from self._levels(dict(state or {}))
            except Interrupted:
                outcome = ("interrupted", "asked to stop")
            except InputError:
                raise
            except Exception as error:
                if self._level is None and is_out_of_memory(error):
                    raise InputError(describe_failure(error)) from error
                if self._level is None:  # nothing to show yet
                    raise
                yield Failed("failed", describe_failure(error), self._iterate(self._level, lost=True), error)
                return
            assert self._level is not None
            yield Finished(*outcome, self._iterate(self._level, lost=outcome[0] == "diverged"))

    def _levels(self, state: dict[str, np.ndarray]) -> Generator[Progressed | Scaled, None, Outcome]:
        """Scale after scale, each from the last one's picture."""
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
        problem, factor = self._problem, self._problem.schedule.scales[scale]
        content, styles = problem.pictures(factor)
        if self._level is None:
            start = problem.canvas.start_image(content, styles, problem.seed)
        else:
            start = resize(self._level.loop.image()[0], *content.shape[1:3])[None]
        objective = problem.objective(content, styles)
        loop = problem.cache.loop(
            objective, problem.optimizer, problem.schedule, scale, tf.constant(start), self._request.raise_if_stopped
        )
        if self._level is not None and problem.schedule.keep_state:
            loop.solver.warm_start(self._level.loop.solver)
        return PyramidLevel(scale, loop, problem.schedule.stop_rule(), *self._done(state))

    def _done(self, state: Mapping[str, np.ndarray]) -> tuple[int, int]:
        """Steps and evaluations before the next scale."""
        if self._level is None:
            return int(state.get("engine/steps", 0)), int(state.get("engine/evaluations", 0))
        record = self._level.record
        return self._level.steps + record.step, self._level.evaluations + record.evaluations

    def _run_level(self, level: PyramidLevel, fresh: bool) -> Generator[Progressed, None, Outcome]:
        """One scale: advance from boundary to boundary until something ends it; a fresh run tells its start."""
        if fresh:
            yield Progressed(self._iterate(level))
        while (outcome := self._verdict(level)) is None:
            self._advance(level)
            if self._is_boundary(level.step) and level.record.healthy:
                yield Progressed(self._iterate(level))
        return outcome

    def _advance(self, level: PyramidLevel) -> None:
        self._request.raise_if_stopped()
        steps = min(self._boundary(level) - level.step, max(1, int(HOST_SECONDS / level.pace)))
        seconds, before = self._seconds, level.step
        with self._timed():
            level.advance(steps)
        level.pace = (self._seconds - seconds) / max(1, level.step - before)

    def _verdict(self, level: PyramidLevel) -> Outcome | None:
        """What ends the scale at this step, if anything does."""
        schedule, record = self._problem.schedule, level.record
        if not record.healthy:
            return (
                "diverged",
                f"the loss became {record.total:.6g} at step {level.step}; kept the picture of the lowest",
            )
        if record.stalled:
            return "converged", f"the solver found nothing lower at step {level.step}"
        if level.step % schedule.stop_period == 0 and level.rule(level.step, record.total):
            return "converged", (
                f"the loss changed by less than {schedule.stop_change:g} % over {schedule.stop_window} steps"
            )
        if level.step >= self._ends[level.scale]:
            return "completed", f"{level.step} step{'s' * (level.step != 1)}"
        return None

    def _boundary(self, level: PyramidLevel) -> int:
        """The next step somebody wants to look at, or the scale's last."""
        multiples = [(level.step // period + 1) * period for period in self._periods]
        return min([*multiples, self._ends[level.scale]])

    def _is_boundary(self, step: int) -> bool:
        return any(step % period == 0 for period in self._periods) or step == self._ends[-1]

    def _iterate(self, level: PyramidLevel, lost: bool = False) -> Iterate:
        """The run now; when it is lost, at the picture of the lowest loss."""
        record = level.loop.read_best() if lost else level.loop.tell()
        image = level.loop.best if lost else level.loop.image
        return Iterate(
            step=level.steps + record.step,
            steps=self._problem.steps,
            evaluations=level.evaluations + record.evaluations,
            seconds=self._seconds,
            total=record.total,
            gradient_norm=record.gradient_norm,
            terms=record.terms,
            picture=lambda: self._problem.canvas.finish(image(), self._problem.content)[0],
            state=lambda: level.state() | {"engine/seconds": np.array(self._seconds)},
        )

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        """Count the time spent inside as optimising."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - start


class PyramidLevel:
    """One scale of a run: its descent, its stop rule, and what was done before it.

    Args:
        scale: Number of the scale, from 0.
        descent: The compiled loop.
        rule: When the loss has stopped changing.
        steps: Steps of the scales before.
        evaluations: Evaluations of the scales before.
    """

    def __init__(self, scale: int, loop: CompiledLoop, rule: StopRule, steps: int, evaluations: int) -> None:
        self.scale, self.loop, self.rule = scale, loop, rule
        self.steps, self.evaluations = steps, evaluations
        self.record = NO_RECORD
        self.pace = HOST_SECONDS  # seconds a step; until one is measured, one step at a time

    @property
    def step(self) -> int:
        """Steps over all scales."""
        return self.steps + self.record.step

    def begin_or_restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Evaluate the start, or continue from a `state` where there is one.

        Raises:
            InputError: The state is not one of this run.
        """
        if not state:
            self.record = self.loop.begin()
            return
        with checkpoint_errors():
            self.rule.restore([(int(step), float(total)) for step, total in state["engine/history"]])
            self.record = self.loop.restore(state)

    def advance(self, steps: int) -> None:
        """Take up to ``steps`` steps."""
        self.record = self.loop.advance(steps)

    def state(self) -> dict[str, np.ndarray]:
        """All a checkpoint needs of this scale."""
        return self.loop.state() | {
            "engine/scale": np.array(self.scale),
            "engine/steps": np.array(self.steps),
            "engine/evaluations": np.array(self.evaluations),
            "engine/history": np.array(self.rule.history, np.float64).reshape(-1, 2),
        }


def checkpoint_step(state: Mapping[str, np.ndarray]) -> int:
    """The step, over all scales, that a state of a `Iterate` was taken at."""
    return int(state["engine/steps"]) + int(column(state["descent/row"], "step")[0])
