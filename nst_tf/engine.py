"""The loop over scales: from pictures and settings to a run told in events."""

import contextlib
import time
from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from nst_tf.descent import UNREAD, Descent, column
from nst_tf.errors import InputError
from nst_tf.images import resize
from nst_tf.memory import is_out_of_memory
from nst_tf.observers import Failed, Finished, Moment, Progressed, Scaled
from nst_tf.problem import Problem
from nst_tf.runs import fitting_checkpoint
from nst_tf.schedule import StopRule
from nst_tf.signals import Interrupted, StopRequest

HOST_SECONDS = 2.0
"""How long the device may work before the host looks up, so that Ctrl-C is answered."""

Outcome = tuple[str, str]
"""One of `nst_tf.runs.STATUSES`, and why."""


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
        self._leg: Leg | None = None

    def run(self, state: Mapping[str, np.ndarray] | None = None) -> Iterator[Progressed | Scaled | Finished]:
        """Optimise from the start, or from a state that a `Moment` gave.

        Yields:
            `Scaled` at each size; `Progressed` at step 0 and wherever a period divides the step; one `Finished`
            (or `Failed`) last, whatever ended the run.

        Raises:
            InputError: The state, the start or the pictures cannot be used, or memory ends before there is a picture.
        """
        with self._request.heard(), tf.device(self._device):
            try:
                outcome = yield from self._legs(dict(state or {}))
            except Interrupted:
                outcome = ("interrupted", "asked to stop")
            except InputError:
                raise
            except Exception as error:
                if self._leg is None and is_out_of_memory(error):
                    raise InputError(reason_of(error)) from error
                if self._leg is None:  # nothing to show yet
                    raise
                yield Failed("failed", reason_of(error), self._moment(self._leg, lost=True), error)
                return
            assert self._leg is not None
            yield Finished(*outcome, self._moment(self._leg, lost=outcome[0] == "diverged"))

    def _legs(self, state: dict[str, np.ndarray]) -> Generator[Progressed | Scaled, None, Outcome]:
        """Scale after scale, each from the last one's picture."""
        self._seconds = float(state.get("engine/seconds", 0.0))
        outcome = ("completed", "")
        for scale in range(int(state.get("engine/scale", 0)), len(self._ends)):
            leg = self._leg = self._next_leg(scale, state)
            with self._timed():
                leg.begin_or_restore(state)
            yield Scaled(scale + 1, len(self._ends), *leg.descent.shape)
            outcome = yield from self._descend(leg, fresh=not state and scale == 0)
            if outcome[0] == "diverged":
                break
            state = {}
        return outcome

    def _next_leg(self, scale: int, state: Mapping[str, np.ndarray]) -> "Leg":
        problem, factor = self._problem, self._problem.schedule.scales[scale]
        content, styles = problem.pictures(factor)
        if self._leg is None:
            start = problem.canvas.start_image(content, styles, problem.seed)
        else:
            start = resize(self._leg.descent.image()[0], *content.shape[1:3])[None]
        objective = problem.objective(content, styles)
        descent = problem.workshop.descent(
            objective, problem.optimizer, problem.schedule, scale, tf.constant(start), self._request.look_up
        )
        if self._leg is not None and problem.schedule.keep_state:
            descent.solver.inherit(self._leg.descent.solver)
        return Leg(scale, descent, problem.schedule.stop_rule(), *self._done(state))

    def _done(self, state: Mapping[str, np.ndarray]) -> tuple[int, int]:
        """Steps and evaluations before the next scale."""
        if self._leg is None:
            return int(state.get("engine/steps", 0)), int(state.get("engine/evaluations", 0))
        reading = self._leg.reading
        return self._leg.steps + reading.step, self._leg.evaluations + reading.evaluations

    def _descend(self, leg: "Leg", fresh: bool) -> Generator[Progressed, None, Outcome]:
        """One scale: advance from boundary to boundary until something ends it; a fresh run tells its start."""
        if fresh:
            yield Progressed(self._moment(leg))
        while (outcome := self._verdict(leg)) is None:
            self._advance(leg)
            if self._is_boundary(leg.step) and leg.reading.healthy:
                yield Progressed(self._moment(leg))
        return outcome

    def _advance(self, leg: "Leg") -> None:
        self._request.look_up()
        steps = min(self._boundary(leg) - leg.step, max(1, int(HOST_SECONDS / leg.pace)))
        seconds, before = self._seconds, leg.step
        with self._timed():
            leg.advance(steps)
        leg.pace = (self._seconds - seconds) / max(1, leg.step - before)

    def _verdict(self, leg: "Leg") -> Outcome | None:
        """What ends the scale at this step, if anything does."""
        schedule, reading = self._problem.schedule, leg.reading
        if not reading.healthy:
            return (
                "diverged",
                f"the loss became {reading.total:.6g} at step {leg.step}; kept the picture of the lowest",
            )
        if reading.stalled:
            return "converged", f"the solver found nothing lower at step {leg.step}"
        if leg.step % schedule.stop_period == 0 and leg.rule(leg.step, reading.total):
            return "converged", (
                f"the loss changed by less than {schedule.stop_change:g} % over {schedule.stop_window} steps"
            )
        if leg.step >= self._ends[leg.scale]:
            return "completed", f"{leg.step} step{'s' * (leg.step != 1)}"
        return None

    def _boundary(self, leg: "Leg") -> int:
        """The next step somebody wants to look at, or the scale's last."""
        multiples = [(leg.step // period + 1) * period for period in self._periods]
        return min([*multiples, self._ends[leg.scale]])

    def _is_boundary(self, step: int) -> bool:
        return any(step % period == 0 for period in self._periods) or step == self._ends[-1]

    def _moment(self, leg: "Leg", lost: bool = False) -> Moment:
        """The run now; when it is lost, at the picture of the lowest loss."""
        reading = leg.descent.read_best() if lost else leg.descent.tell()
        image = leg.descent.best if lost else leg.descent.image
        return Moment(
            step=leg.steps + reading.step,
            steps=self._problem.steps,
            evaluations=leg.evaluations + reading.evaluations,
            seconds=self._seconds,
            total=reading.total,
            gradient_norm=reading.gradient_norm,
            terms=reading.terms,
            picture=lambda: self._problem.canvas.finish(image(), self._problem.content)[0],
            state=lambda: leg.state() | {"engine/seconds": np.array(self._seconds)},
        )

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        """Count the time spent inside as optimising."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - start


class Leg:
    """One scale of a run: its descent, its stop rule, and what was done before it.

    Args:
        scale: Number of the scale, from 0.
        descent: The compiled loop.
        rule: When the loss has stopped changing.
        steps: Steps of the scales before.
        evaluations: Evaluations of the scales before.
    """

    def __init__(self, scale: int, descent: Descent, rule: StopRule, steps: int, evaluations: int) -> None:
        self.scale, self.descent, self.rule = scale, descent, rule
        self.steps, self.evaluations = steps, evaluations
        self.reading = UNREAD
        self.pace = HOST_SECONDS  # seconds a step; until one is measured, one step at a time

    @property
    def step(self) -> int:
        """Steps over all scales."""
        return self.steps + self.reading.step

    def begin_or_restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Evaluate the start, or continue from a `state` where there is one.

        Raises:
            InputError: The state is not one of this run.
        """
        if not state:
            self.reading = self.descent.begin()
            return
        with fitting_checkpoint():
            self.rule.restore([(int(step), float(total)) for step, total in state["engine/history"]])
            self.reading = self.descent.restore(state)

    def advance(self, steps: int) -> None:
        """Take up to ``steps`` steps."""
        self.reading = self.descent.advance(steps)

    def state(self) -> dict[str, np.ndarray]:
        """All a checkpoint needs of this scale."""
        return self.descent.state() | {
            "engine/scale": np.array(self.scale),
            "engine/steps": np.array(self.steps),
            "engine/evaluations": np.array(self.evaluations),
            "engine/history": np.array(self.rule.history, np.float64).reshape(-1, 2),
        }


def step_of(state: Mapping[str, np.ndarray]) -> int:
    """The step, over all scales, that a state of a `Moment` was taken at."""
    return int(state["engine/steps"]) + int(column(state["descent/row"], "step")[0])


def reason_of(error: Exception) -> str:
    """An error in one line; those about memory in plain words."""
    if is_out_of_memory(error):
        return "out of memory: choose a smaller image.size"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
