"""Several runs at once: their pictures are a batch of one compiled step.

Every loss, norm and line search is per picture, so that each run has the result that it would have alone, up to
rounding, with its own curvature pairs, stop and checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from nst_tf.optimization.cache import static_configs
from nst_tf.optimization.engine import (
    Advance,
    Answer,
    Begin,
    Build,
    Engine,
    Renew,
    Request,
    TimedRecord,
    Work,
    build_loop,
)
from nst_tf.optimization.footprint import Footprint, fits
from nst_tf.optimization.loop import CompiledLoop, LoopRow
from nst_tf.optimization.loop_state import joined_states
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.phases import active_in
from nst_tf.optimization.problem import Problem
from nst_tf.optimization.terms import TermInputs
from nst_tf.runs.events import Event
from nst_tf.system.signals import StopRequest
from nst_tf.util.lazy import tf

Waiting: TypeAlias = "dict[int, Request]"
"""The request that each run waits for, by its number in the batch."""


def batch_key(problem: Problem) -> Any:
    """Return what runs of one batch have in common, besides the shapes of their targets; None for a run by itself.

    These are the network, the settings that a compiled step contains, the schedule and the sizes.
    """
    phases = problem.schedule.plan()
    losses = active_in(phases, problem.losses)
    alone = problem.tile is not None or problem.schedule.keep_state or not problem.optimizer.supports_batch
    if alone or not all(loss.supports_batch for loss in losses):
        return None
    footprint = problem.footprint()
    return (
        id(problem.extractor),
        problem.execution.jit_compile,
        [static_configs(phase.losses_of(problem.losses)) for phase in phases],
        repr((problem.optimizer, problem.schedule, problem.parametrisation, problem.steps)),
        footprint.content,
        tuple(footprint.styles),
        problem.region_names,
        problem.seed if any(loss.draws for loss in losses) else None,
    )


def batches(problems: Sequence[Problem], device: str) -> list[list[int]]:
    """Return the numbers of the problems that are computed at once, in the order of the first of each.

    A batch that does not fit into the free memory is halved.
    """
    alike: list[tuple[Any, list[int]]] = []
    for number, problem in enumerate(problems):
        key = batch_key(problem)
        found = next((numbers for other, numbers in alike if key is not None and other == key), None)
        if found is None:
            alike.append((key, [number]))
        else:
            found.append(number)
    return [part for _, numbers in alike for part in _fitting([problems[n] for n in numbers], numbers, device)]


def _fitting(problems: Sequence[Problem], numbers: list[int], device: str) -> list[list[int]]:
    """Divide a batch into parts that fit into memory."""
    size = len(numbers)
    while size > 1 and not fits(_of_batch(problems[0].footprint(), size), device):
        size = (size + 1) // 2
    return [numbers[first : first + size] for first in range(0, len(numbers), size)]


def _of_batch(footprint: Footprint, size: int) -> Footprint:
    """Return the footprint of ``size`` pictures: that of one picture of as many pixels."""
    height, width = footprint.content
    return replace(footprint, content=(size * height, width))


def joined_objective(objectives: Sequence[Objective]) -> Objective:
    """Return the objective of a batch, with one set of targets, weights and factors for each picture.

    Args:
        objectives: Objectives of the same losses and shapes. Tensors that all of them share are not repeated.
    """
    first = objectives[0]
    inputs = [objective.inputs for objective in objectives]
    return first.with_inputs({name: _joined([each[name] for each in inputs]) for name in inputs[0]})


def _joined(inputs: Sequence[TermInputs]) -> TermInputs:
    """Return the inputs of a term for a batch; its draw is the same for all pictures."""
    without_draws = [each._replace(draw={}) for each in inputs]
    joined: TermInputs = tf.nest.map_structure(lambda *values: _joined_values(values), *without_draws)
    return joined._replace(draw=inputs[0].draw)


def _joined_values(values: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return numbers as ``(B,)`` and tensors ``(1, …)`` as ``(B, …)``, or the one tensor that all pictures share."""
    first = values[0]
    if first.shape.rank and all(value is first for value in values):
        return first
    return tf.concat(values, 0) if first.shape.rank else tf.stack(values)


class BatchEngine:
    """Optimises several problems at once, and yields the events of each.

    The runs go through their phases together. A run that ends leaves the others going. A picture that is no longer
    finite, or whose solver has stalled, is taken out of the batch, which is then compiled anew.

    Args:
        problems: Problems of one `batch_key`.
        periods: The periods of each run's observers, see `Engine`.
        device: TensorFlow's name of the device.
    """

    def __init__(self, problems: Sequence[Problem], periods: Sequence[Sequence[int]], device: str = "/CPU:0") -> None:
        self._problems, self._device, self._request = problems, device, StopRequest()
        self._engines = [
            Engine(problem, each, device, self._request) for problem, each in zip(problems, periods, strict=True)
        ]
        self._builds: dict[int, Build] = {}
        self._rows: dict[int, LoopRow] = {}

    def run(self, states: Sequence[Mapping[str, np.ndarray] | None]) -> Iterator[tuple[int, Event]]:
        """Optimise each problem from the start or from its state, see `Engine.run`.

        Args:
            states: The state of each run at the same step, or None of all for new runs.

        Yields:
            The number of a run and its event.
        """
        with self._request.catch_signals(), tf.device(self._device):
            works = {n: engine.work(state) for n, (engine, state) in enumerate(zip(self._engines, states, strict=True))}
            answers = dict.fromkeys(works, Answer())
            waiting: Waiting = {}
            while works:
                for number, answer in answers.items():
                    yield from self._until_request(number, works, answer, waiting)
                for number in set(self._rows) - set(works):
                    self._leave(number)
                answers = self._compute(waiting)
                for number in answers:
                    del waiting[number]

    def _until_request(
        self, number: int, works: dict[int, Work], answer: Answer, waiting: Waiting
    ) -> Iterator[tuple[int, Event]]:
        """Let a run go on until it waits for a computation, or has ended; yield its events."""
        work = works[number]
        try:
            item = work.send(answer.given) if answer.error is None else work.throw(answer.error)
            while not isinstance(item, Request):
                yield number, item
                item = next(work)
            waiting[number] = item
        except StopIteration:
            del works[number]

    def _compute(self, waiting: Waiting) -> dict[int, Answer]:
        """Compute the requests of one kind for all runs that wait for it: a new phase once all runs are at its end."""
        for kind in (Begin, Renew, Advance, Build):
            requests = {number: request for number, request in waiting.items() if isinstance(request, kind)}
            if requests:
                return self._answers(requests, _COMPUTATIONS[kind])
        return {}

    def _answers(
        self, requests: dict[int, Any], compute: Callable[[BatchEngine, dict[int, Any]], dict[int, Any]]
    ) -> dict[int, Answer]:
        try:
            return {number: Answer(given) for number, given in compute(self, requests).items()}
        except BaseException as error:  # each run records it, as a run alone does
            return {number: Answer(error=error) for number in requests}

    def _build(self, builds: dict[int, Build]) -> dict[int, LoopRow]:
        """Build one loop for all runs, at the beginning of a phase."""
        self._builds, self._rows = dict(builds), {}
        loop = self._loop(list(builds.values()))
        self._rows = {number: LoopRow(loop, index) for index, number in enumerate(builds)}
        return dict(self._rows)

    def _loop(self, builds: Sequence[Build]) -> CompiledLoop:
        """Return the loop of several runs, or of one that is left."""
        first = builds[0]
        if len(builds) > 1:
            starts = tf.concat([build.start for build in builds], 0)
            first = first._replace(objective=joined_objective([build.objective for build in builds]), start=starts)
        return build_loop(self._problems[0], first, self._request)

    def _begin(self, begins: dict[int, Begin]) -> dict[int, TimedRecord]:
        states = [begin.state for begin in begins.values()]
        loop = self._shared_loop()
        state = joined_states(states, loop.solver) if states[0] else {}
        return self._records(begins, Answer.timed(Begin(LoopRow(loop), state)))

    def _renew(self, renewals: dict[int, Renew]) -> dict[int, TimedRecord]:
        """Renew the targets of the runs that ask for it; those of the others stay."""
        objectives = [
            renewals[number].objective if number in renewals else self._builds[number].objective
            for number in self._rows
        ]
        for number, renewal in renewals.items():
            self._builds[number] = self._builds[number]._replace(objective=renewal.objective)
        return self._records(renewals, Answer.timed(Renew(LoopRow(self._shared_loop()), joined_objective(objectives))))

    def _advance(self, advances: dict[int, Advance]) -> dict[int, TimedRecord]:
        for number in set(self._rows) - set(advances):  # a run that waits for the next phase
            self._leave(number)
        steps = min(advance.steps for advance in advances.values())
        return self._records(advances, Answer.timed(Advance(LoopRow(self._shared_loop()), steps)))

    def _records(self, numbers: Sequence[int] | Mapping[int, Any], timed: TimedRecord) -> dict[int, TimedRecord]:
        return {number: TimedRecord(self._rows[number].read(), timed.seconds) for number in numbers}

    def _shared_loop(self) -> CompiledLoop:
        return next(iter(self._rows.values())).loop

    def _leave(self, number: int) -> None:
        """Take a picture out of the batch, whose run has ended or waits for the next phase."""
        row = self._rows.pop(number)
        record = row.read()
        if not self._rows or (record.healthy and not record.stalled):
            row.loop.leave_out(row.index)
            return
        states = [each.state() for each in self._rows.values()]
        loop = self._loop([self._builds[each] for each in self._rows])
        loop.restore(joined_states(states, loop.solver) if len(states) > 1 else states[0])
        for index, each in enumerate(self._rows.values()):
            each.loop, each.index = loop, index


_COMPUTATIONS: dict[type, Callable[[BatchEngine, dict[int, Any]], dict[int, Any]]] = {
    Build: BatchEngine._build,
    Begin: BatchEngine._begin,
    Renew: BatchEngine._renew,
    Advance: BatchEngine._advance,
}
