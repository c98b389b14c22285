"""The Python entry points: stylise a photograph, or train the embedded network, each in its run folder.

`stylize` and `distill` go through the same stages: prepare the device, read the inputs, record the settings, lock the
run folder, do the work, and write the result.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nst_tf.backbones import digest
from nst_tf.config.copies import copy_path, has_written, write_copy
from nst_tf.config.effects import overrides_without_effect, phase_settings_without_effect
from nst_tf.config.inputs import input_record, read_inputs, weights_identity, with_pictures_read
from nst_tf.config.recorded_text import COMPONENT_TABLES, picture_text
from nst_tf.config.settings import recorded_settings
from nst_tf.config.tree import Config, Method
from nst_tf.distillation.building import (
    TrainingPictures,
    build_trainer,
    export,
    exported_size,
    read_training_pictures,
    training_execution,
)
from nst_tf.distillation.settings import Distillation
from nst_tf.distillation.trainer import term_names as distillation_terms
from nst_tf.evaluation.recording import record_scores
from nst_tf.feedforward import ForwardPass
from nst_tf.images import Recolouring, read_picture, write_picture
from nst_tf.observers import ordered_observers
from nst_tf.optimization.batch import BatchEngine, batches
from nst_tf.optimization.cache import RunCache
from nst_tf.optimization.engine import Engine, checkpoint_step
from nst_tf.optimization.execution import Execution, choose_execution, recorded_threads
from nst_tf.optimization.phases import tapped_in
from nst_tf.optimization.problem import Problem
from nst_tf.runs.events import Alpha, Event, Finished, InputPictures, Iterate, Progressed
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.record import first_record
from nst_tf.runs.session import Observation, Result, Session, run_lock
from nst_tf.system.failures import describe_failure
from nst_tf.system.memory import reset_peak_memory
from nst_tf.system.runtime import Runtime
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

__all__ = ["BatchJob", "Result", "build_problem", "distill", "stylize", "stylize_batch"]

log = logging.getLogger(__name__)

PictureMaker: TypeAlias = Problem | ForwardPass | Recolouring
"""The inputs and settings from which a method makes its picture."""

State: TypeAlias = Mapping[str, np.ndarray] | None
"""The arrays of a checkpoint; None for a new run."""


def stylize(
    config: Config,
    folder: str | Path | None = None,
    overrides: Sequence[str] = (),
    cache: RunCache | None = None,
    sweep: str | Path | None = None,
    targets: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> Result:
    """Run one experiment in its run folder, and continue it there if it was interrupted.

    Args:
        config: The experiment.
        folder: The run folder. Default ``outputs/runs/NAME``.
        overrides: Overrides that led to this config, for the record.
        cache: Cache for several runs in one process, ``RunCache(keeps=True)``. A run that differs from the one before
            only in weights, learning rate or start then reuses its network, targets and compiled steps.
        sweep: Folder of the sweep that the run belongs to. Its runs with ``runtime.precision=auto`` share one
            precision.
        targets: Targets of losses without references, such as the frame before of a film; see `Problem`. They belong to
            the fingerprint of the run.

    Returns:
        The result. Its folder holds a picture, even when the run was interrupted, diverged or failed.

    Raises:
        InputError: A setting cannot be used, or the folder holds another experiment.

    Example:
        >>> from nst_tf import Config, stylize
        >>> stylize(Config(content="photo.jpg", style="painting.jpg", steps=100)).status  # doctest: +SKIP
        'completed'
    """
    run = _prepare(config, folder, overrides, cache or RunCache(), sweep, targets, says_what_is_unread=True)
    session, picture = run.session, run.session.folder.picture
    with run_lock(session.folder), session.record_failure():
        result = session.finished_result(picture)
        if result is None:
            result = _make_picture(run)
        elif run.copy is not None and not has_written(result.record, run.copy):
            _write_copy(run, result, read_picture(str(picture)).pixels)
        _judge(run, result)
        return result


class BatchJob(NamedTuple):
    """One of several runs that are computed at once; its attributes are the arguments of `stylize`."""

    config: Config
    folder: Path
    overrides: Sequence[str] = ()


def stylize_batch(jobs: Sequence[BatchJob], cache: RunCache, sweep: Path | None = None) -> int:
    """Make the pictures of several runs at once, where they can share one compiled step.

    Each run has its own folder, curvature pairs, stop rule and checkpoint, and the result that it has alone, up to
    rounding. Runs that cannot share a step with another, that are refused, or whose checkpoints are at different steps
    are left out; so are those that are done. Call `stylize` for every run afterwards: it finds what is done, judges it,
    and computes or refuses the others.

    Args:
        jobs: The runs.
        cache: See `stylize`. It must keep networks, ``RunCache(keeps=True)``, since runs of one step have one network.
        sweep: See `stylize`.

    Returns:
        The number of runs that were computed.
    """
    with contextlib.ExitStack() as stack:
        runs = [run for job in jobs if (run := _prepare_for_batch(job, cache, sweep, stack)) is not None]
        if len(runs) < 2:
            return 0
        problems = [run.problem for run in runs if isinstance(run.problem, Problem)]
        parts = batches(problems, runs[0].session.record["device"])
        alike = [group for part in parts for group in _by_checkpoint([runs[n] for n in part])]
        groups = [group for group in alike if len(group) > 1]
        for group in groups:
            log.info("runtime.batch: computes %d runs at once", len(group))
            _optimize_batch(group)
    return sum(map(len, groups))


def distill(
    settings: Distillation,
    folder: str | Path | None = None,
    overrides: Sequence[str] = (),
    sweep: str | Path | None = None,
) -> Result:
    """Train ``vgg19_lite`` in a run folder, and continue there if the training was interrupted.

    Args:
        settings: Settings of the training.
        folder: The run folder. Default ``outputs/distillations/NAME``.
        overrides: Overrides that led to these settings, for the record.
        sweep: See `stylize`.

    Returns:
        The result. Its folder holds ``vgg19_lite.weights.h5``, a file for ``backbone.weights``.

    Raises:
        InputError: The teacher cannot be loaded, a folder has no pictures, or the run folder holds another training.
    """
    run = RunFolder(Path(folder or Path("outputs/distillations") / settings.name))
    earlier = run.read_record()
    pictures = read_training_pictures(settings)
    settings.teacher.check(())
    teacher = settings.teacher.identity()
    device = _prepare_device(settings.runtime, earlier)
    execution = training_execution(settings, earlier, None if sweep is None else Path(sweep))
    recorded = recorded_settings(settings, overrides, [pictures.sha256], teacher, execution.precision)
    record = first_record(recorded, device, pictures.counts, teacher) | {"execution": execution.record()}
    session = Session(recorded, ordered_observers(settings.tracking.values()), run, record)
    with run_lock(run), tf.device(device):
        return session.finished_result(run.weights) or _train(settings, session, pictures, execution)


def _prepare_device(runtime: Runtime, record: Mapping[str, Any]) -> str:
    """Configure TensorFlow, reset the peak memory, and return the device's name."""
    device = runtime.prepare(recorded_threads(record))
    reset_peak_memory(device)
    return device


@dataclasses.dataclass
class _Run:
    """A run of `stylize` before it begins.

    Attributes:
        config: The experiment, which holds its pictures.
        session: Its run folder and record.
        problem: What makes the picture.
        copy: Path of an additional copy of the result; None for none.
    """

    config: Config
    session: Session
    problem: PictureMaker
    copy: Path | None


def _prepare(
    config: Config,
    folder: str | Path | None,
    overrides: Sequence[str],
    cache: RunCache,
    sweep: str | Path | None,
    targets: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    says_what_is_unread: bool = False,
) -> _Run:
    """Check an experiment, read its pictures and build its network; see `stylize`."""
    config.evaluation.check()
    _check_network(config)
    run = RunFolder(Path(folder or Path("outputs/runs") / config.name))
    earlier = run.read_record()
    config = with_pictures_read(config, earlier)
    copy = copy_path(config, earlier)
    unread_by_reason = overrides_without_effect(config, overrides) if says_what_is_unread else {}
    for reason, unread in unread_by_reason.items():
        log.warning("Without effect (%s): %s", reason, ", ".join(unread))
    if says_what_is_unread and (unread := phase_settings_without_effect(config)):
        log.warning("Without effect (no such setting in this run): schedule.phases with %s", ", ".join(unread))
    device = _prepare_device(config.runtime, earlier)
    if config.method is not Method.optimize:
        config = dataclasses.replace(config, steps=1)
    sweep_folder = None if sweep is None else Path(sweep)
    problem, plans = _build(config, cache, device, earlier, sweep_folder, targets or {})
    return _Run(config, _open_session(config, overrides, device, run, problem, plans), problem, copy)


def _prepare_for_batch(job: BatchJob, cache: RunCache, sweep: Path | None, stack: contextlib.ExitStack) -> _Run | None:
    """Prepare and lock a run; None if it is refused, done, claimed by another process, or no optimisation."""
    if job.config.method is not Method.optimize:
        return None
    try:
        run = _prepare(job.config, job.folder, job.overrides, cache, sweep)
        with contextlib.ExitStack() as own:
            own.enter_context(run_lock(run.session.folder))
            if run.session.finished_result(run.session.folder.picture) is not None:
                return None
            own.enter_context(run.session.record_failure())
            stack.push(own.pop_all())
            return run
    except InputError:  # `stylize` says it
        return None


def _by_checkpoint(runs: Sequence[_Run]) -> list[list[tuple[_Run, State]]]:
    """Divide runs, with their checkpoints, by the step from which they are resumed; new ones are a part too."""
    groups: dict[int | None, list[tuple[_Run, State]]] = {}
    for run in runs:
        state = run.session.state()
        groups.setdefault(None if state is None else checkpoint_step(state), []).append((run, state))
    return list(groups.values())


# Problem, memory and record


def build_problem(
    config: Config,
    cache: RunCache | None = None,
    record: Mapping[str, Any] | None = None,
    sweep: Path | None = None,
) -> Problem:
    """Return the problem that the engine optimises, with its pictures read and its network built.

    Args:
        config: An experiment with ``method=optimize``.
        cache: See `stylize`.
        record: Content of `run.json` of the run that is resumed, which keeps its execution.
        sweep: See `stylize`.

    Raises:
        InputError: A picture is missing or cannot be read, or the network cannot be built.
    """
    cache = cache or RunCache()
    content, styles = read_inputs(config)
    layers = tapped_in(config.schedule.plan(), config.losses)
    canvas = config.image.resolved(content).with_start_read()
    size = canvas.extended_shape(content)
    execution = choose_execution(config.backbone, layers, config.runtime, size, record, sweep)
    with tf.device(config.runtime.device_name()):  # otherwise TensorFlow puts the weights on the first GPU
        extractor = cache.extractor(config.backbone, layers, config.runtime, execution)
    return Problem(
        extractor=extractor,
        execution=execution,
        losses=config.losses,
        optimizer=config.optimizer,
        canvas=canvas,
        schedule=config.schedule,
        steps=config.steps,
        seed=config.seed,
        content=content,
        styles=styles,
        shares=config.shares,
        regions=config.regions.with_masks_read(config.image.limits),
        parametrisation=config.parametrisation,
        cache=cache,
    )


def _build(
    config: Config,
    cache: RunCache,
    device: str,
    record: Mapping[str, Any],
    sweep: Path | None,
    targets: Mapping[str, Mapping[str, np.ndarray]],
) -> tuple[PictureMaker, dict[str, Any]]:
    """Return what makes the picture, and for the record its memory and execution.

    A problem is reduced to a size that fits into memory if ``image.fit_memory`` asks for it. A resumed run, whose
    ``record`` is that of `run.json`, keeps the size that it started with.
    """
    if config.method is Method.feedforward:
        content, styles = read_inputs(config)
        return ForwardPass(config.image, content, styles, config.shares), {}
    if config.method is Method.recolour:
        return Recolouring(config.image, *read_inputs(config), config.shares), {}
    cache.begin_run()
    problem = dataclasses.replace(build_problem(config, cache, record, sweep), targets=targets)
    problem, plan = problem.fit_memory(device, record)
    read_as = {"layers_read_as": dict(counterparts)} if (counterparts := problem.extractor.counterparts) else {}
    chosen = {"execution": problem.execution.record(), "margin": config.image.margin_at()}
    return problem, plan.record() | chosen | read_as


def _open_session(
    config: Config,
    overrides: Sequence[str],
    device: str,
    run: RunFolder,
    problem: PictureMaker,
    plans: Mapping[str, Any],
) -> Session:
    """Return the session of a run, with its settings and its first record."""
    inputs = input_record(config)
    hashes = [picture["sha256"] for picture in inputs.values()]
    if isinstance(problem, Problem):
        hashes += [_array_hash(array) for arrays in problem.targets.values() for array in arrays.values()]
    precision = problem.execution.precision if isinstance(problem, Problem) else "float32"
    weights = weights_identity(config)
    settings = recorded_settings(config, overrides, hashes, weights, precision)
    record = {**first_record(settings, device, inputs, weights), **plans}
    return Session(settings, ordered_observers(config.tracking.values()), run, record)


def _array_hash(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _check_network(config: Config) -> None:
    """Reject absent weights and unknown layers, as far as both are known before TensorFlow is loaded."""
    if config.method is Method.feedforward:
        config.feedforward.locate()
    elif config.method is Method.optimize and (layers := tapped_in(config.schedule.plan(), config.losses)):
        config.backbone.check(layers)


def _log_plans(record: Mapping[str, Any], execution: Execution) -> None:
    if record["size_factor"] < 1:
        log.warning("image.fit_memory: works at %.0f %% of the size asked for", 100 * record["size_factor"])
    if "tile" in record:
        history = f", with {record['history']} curvature pairs" if "history" in record else ""
        log.info("image.tile: computes tiles of %d pixels%s", record["tile"], history)
    needed, free = (record[key] / 1024 for key in ("needed_memory_mb", "free_memory_mb"))
    log.info("Needs about %.2f GiB of memory, %.1f GiB are free; computes in %s", needed, free, execution.describe())


# The run itself


def _make_picture(run: _Run) -> Result:
    """Make the picture and write it with everything that is needed to repeat the run."""
    if isinstance(run.problem, Problem):
        end = _optimize(run.session, run.problem)
    elif isinstance(run.problem, ForwardPass):
        end = _pass_forward(run.config, run.session, run.problem)
    else:
        end = _recolour(run.session, run.problem)
    return _write_result(run, end)


def _write_result(run: _Run, end: Finished) -> Result:
    """Write the picture of a run that has ended, its last record, and the copy that ``output`` asks for."""
    config, session = run.config, run.session
    picture = end.iterate.picture()
    height, width = picture.shape[:2]
    components = {name: getattr(config, name) for name in COMPONENT_TABLES}
    outcome = {"status": end.status, "steps": end.iterate.step}
    text = picture_text(session.settings.yaml, components, session.record | outcome)
    alpha = _content_alpha(run.problem)(height, width)
    write_picture(session.folder.picture, picture, alpha=alpha, text=text, reserved=True)
    result = session.end(end, height=height, width=width)
    if run.copy is not None:
        _write_copy(run, result, picture)
    return result


def _write_copy(run: _Run, result: Result, picture: np.ndarray) -> None:
    """Write the copy of the result that ``output`` asks for."""
    assert run.copy is not None
    alpha = _content_alpha(run.problem)(*picture.shape[:2])
    write_copy(run.config, run.copy, result, picture, alpha, run.problem.content.metadata)


def _content_alpha(problem: PictureMaker) -> Alpha:
    """Return the function that gives the content's transparency at the size of a saved picture."""
    return functools.partial(problem.canvas.alpha, problem.content)


def _input_pictures(session: Session, problem: PictureMaker) -> InputPictures:
    """Return the function that gives the content, unless the first style stands for it, and the styles."""
    names = [f"style_{number}" if number > 1 else "style" for number in range(1, len(problem.styles) + 1)]
    pictures = dict(zip(names, problem.styles, strict=True))
    if "content" in session.record["inputs"]:
        pictures = {"content": problem.content, **pictures}
    return lambda: {name: picture.pixels for name, picture in pictures.items()}


def _largest_picture(problem: PictureMaker) -> int:
    """Return the bytes of the picture's pixels with alpha, which a PNG hardly exceeds."""
    return 4 * math.prod(problem.canvas.shape(problem.content))


def _optimize(session: Session, problem: Problem) -> Finished:
    """Run the engine; nothing is written before its first event, when start, targets and checkpoint are valid."""
    state = session.state()
    events: Iterator[Event] = Engine(problem, session.periods, session.record["device"]).run(state)
    first = next(events)
    observation = _begin(session, problem, state)
    return session.observe(itertools.chain([first], events), observation)


def _begin(session: Session, problem: Problem, state: State) -> Observation:
    """Write the first record of an optimisation, and start its observers."""
    _log_plans(session.record, problem.execution)
    session.begin(session.folder.picture, _largest_picture(problem))
    resumed_at = None if state is None else checkpoint_step(state)
    inputs = _input_pictures(session, problem)
    return session.start_observing(problem.term_names, resumed_at, _content_alpha(problem), inputs)


def _optimize_batch(batch: Sequence[tuple[_Run, State]]) -> None:
    """Optimise several runs at once from their checkpoints; each is written as soon as it ends."""
    runs, states = zip(*batch, strict=True)
    problems = [run.problem for run in runs if isinstance(run.problem, Problem)]
    sessions = [run.session for run in runs]
    periods = [session.periods for session in sessions]
    observations: dict[int, Observation] = {}
    for number, event in BatchEngine(problems, periods, sessions[0].record["device"]).run(states):
        if number not in observations:
            sessions[number].record["batch"] = len(runs)
            observations[number] = _begin(sessions[number], problems[number], states[number])
        observations[number].notify(event)
        if isinstance(event, Finished):
            _write_result(runs[number], observations[number].end())


def _pass_forward(config: Config, session: Session, problem: ForwardPass) -> Finished:
    """Run the network once; nothing is written before the picture exists. A forward pass has no losses."""
    network = config.feedforward.network(config.runtime.threads)
    if network.size:
        log.info("feedforward.weights: computes at %dx%d, whatever the picture's size", *reversed(network.size))
    try:
        with tf.device(session.record["device"]):
            start = time.perf_counter()
            picture = problem.picture(network)[0]
            seconds = time.perf_counter() - start
    except (tf.errors.OpError, MemoryError, RuntimeError, ValueError) as error:
        raise InputError(f"feedforward.weights: {describe_failure(error)}") from error
    return _observe_one_step(session, problem, picture, seconds, "one forward pass")


def _recolour(session: Session, problem: Recolouring) -> Finished:
    """Recolour the content; nothing is written before the picture exists."""
    start = time.perf_counter()
    picture = problem.picture()[0]
    return _observe_one_step(session, problem, picture, time.perf_counter() - start, "colours transferred")


def _observe_one_step(
    session: Session, problem: ForwardPass | Recolouring, picture: np.ndarray, seconds: float, reason: str
) -> Finished:
    """Begin the session, and send its observers a finished picture as one step without losses."""
    session.begin(session.folder.picture, _largest_picture(problem))
    nan = float("nan")
    iterate = Iterate(1, 1, 1, seconds, nan, nan, terms={}, picture=lambda: picture, state=dict)
    events: list[Event] = [Progressed(iterate), Finished("completed", reason, iterate)]
    observation = session.start_observing([], None, _content_alpha(problem), _input_pictures(session, problem))
    return session.observe(iter(events), observation)


def _judge(run: _Run, result: Result) -> None:
    """Score the saved picture if that is asked for; if it fails, the run keeps its result without scores."""
    config, session, problem = run.config, run.session, run.problem
    if not config.evaluation.enabled or result.status == "interrupted" or "scores" in result.record:
        return
    try:
        picture = read_picture(str(result.folder.picture)).pixels
        content = None if config.content is None else problem.content
        with tf.device(session.record["device"]):
            scores = config.evaluation.judge().scores(picture, content, problem.styles, problem.shares)
        record_scores(result.folder, result.record, scores)
        log.info("Judged by %s", scores)
    except Exception as error:
        reason = error if isinstance(error, InputError) else describe_failure(error)
        log.warning("The picture was not judged: %s", reason)


def _train(settings: Distillation, session: Session, pictures: TrainingPictures, execution: Execution) -> Result:
    """Train the student; nothing is written before the teacher and the checkpoint are loaded."""
    state = session.state()
    with tf.device(session.record["device"]):
        trainer = build_trainer(settings, pictures, session.periods, state, execution)
        session.begin(session.folder.weights, exported_size(trainer.student))
        resumed_at = None if state is None else trainer.step
        observation = session.start_observing(distillation_terms(settings), resumed_at)
        end = session.observe(trainer.run(), observation)
        export(trainer.student, session.folder.weights)
    return session.end(end, sha256=digest(session.folder.weights, "sha256"))
