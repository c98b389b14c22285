"""The Python entry points: stylise a photograph, or train the embedded network, each in its run folder.

`stylize` and `distill` go through the same stages: prepare the device, read the inputs, record the settings, lock the
run folder, do the work, and write the result.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nst_tf.backbones import digest
from nst_tf.config.rerun import COMPONENT_TABLES, picture_text
from nst_tf.config.settings import recorded_settings, unused_overrides
from nst_tf.config.tree import Config, Method
from nst_tf.distillation.building import TrainingPictures, build_trainer, export, read_training_pictures
from nst_tf.distillation.settings import Distillation
from nst_tf.distillation.trainer import term_names as distillation_terms
from nst_tf.evaluation.recording import record_scores
from nst_tf.feedforward import ForwardPass
from nst_tf.images import Picture, read_picture, write_picture
from nst_tf.observers import ordered_observers
from nst_tf.optimization.cache import RunCache
from nst_tf.optimization.engine import Engine, checkpoint_step
from nst_tf.optimization.problem import Problem
from nst_tf.optimization.terms import active_losses, tapped_layers, term_names
from nst_tf.runs.events import Event, Finished, Iterate, Progressed
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.record import first_record
from nst_tf.runs.session import Result, Session, run_lock
from nst_tf.system.failures import describe_failure
from nst_tf.system.memory import reset_peak_memory
from nst_tf.system.runtime import Runtime
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

__all__ = ["Result", "build_problem", "distill", "read_inputs", "stylize"]

log = logging.getLogger(__name__)


def stylize(
    config: Config,
    folder: str | Path | None = None,
    overrides: Sequence[str] = (),
    cache: RunCache | None = None,
) -> Result:
    """Run one experiment in its run folder, and continue it there if it was interrupted.

    Args:
        config: The experiment.
        folder: The run folder. Default ``outputs/runs/NAME``.
        overrides: Overrides that led to this config, for the record.
        cache: Cache for several runs in one process, ``RunCache(keeps=True)``. A run that differs from the one before
            only in weights, learning rate or start then reuses its network, targets and compiled steps.

    Returns:
        The result. Its folder holds a picture, even when the run was interrupted, diverged or failed.

    Raises:
        InputError: A setting cannot be used, or the folder holds another experiment.

    Example:
        >>> from nst_tf import Config, stylize
        >>> stylize(Config(content="photo.jpg", style="painting.jpg", steps=100)).status  # doctest: +SKIP
        'completed'
    """
    config.evaluation.check()
    device = _prepare_device(config.runtime)
    if unused := unused_overrides(config, overrides):
        log.info("Without effect with method=%s: %s", config.method.name, ", ".join(unused))
    if config.method is Method.feedforward:
        config = dataclasses.replace(config, steps=1)
    run = RunFolder(Path(folder or Path("outputs/runs") / config.name))
    problem, memory = _build(config, cache or RunCache(), device, run)
    session = _open_session(config, overrides, device, run, problem, memory)
    with run_lock(run), session.record_failure():
        result = session.finished_result(run.picture) or _make_picture(config, session, problem)
        _judge(config, session, problem, result)
        return result


def distill(settings: Distillation, folder: str | Path | None = None, overrides: Sequence[str] = ()) -> Result:
    """Train ``vgg19_lite`` in a run folder, and continue there if the training was interrupted.

    Args:
        settings: Settings of the training.
        folder: The run folder. Default ``outputs/distillations/NAME``.
        overrides: Overrides that led to these settings, for the record.

    Returns:
        The result. Its folder holds ``vgg19_lite.weights.h5``, a file for ``backbone.weights``.

    Raises:
        InputError: The teacher cannot be loaded, a folder has no pictures, or the run folder holds another training.
    """
    device = _prepare_device(settings.runtime)
    run = RunFolder(Path(folder or Path("outputs/distillations") / settings.name))
    pictures = read_training_pictures(settings)
    teacher = settings.teacher.identity()
    recorded = recorded_settings(settings, overrides, [pictures.sha256], teacher)
    record = first_record(recorded, device, pictures.counts, teacher)
    session = Session(recorded, ordered_observers(settings.tracking.values()), run, record)
    with run_lock(run):
        return session.finished_result(run.weights) or _train(settings, session, pictures)


def _prepare_device(runtime: Runtime) -> str:
    """Configure TensorFlow, reset the peak memory, and return the device's name."""
    device = runtime.prepare()
    reset_peak_memory(device)
    return device


# Inputs


def read_inputs(config: Config) -> tuple[Picture, list[Picture]]:
    """Return the pictures of an experiment: the content, and a list of the styles.

    If no loss refers to the content and none is given, the first style takes its place and determines the shape.

    Raises:
        InputError: A picture that a loss refers to is not given, or a picture cannot be read.
    """
    required = _required_pictures(config)
    if config.content is None and ("content" in required or not config.styles):
        raise InputError("content is missing: give content=PATH or content=sample:NAME")
    if not config.styles and required - {"content"}:
        raise InputError("style is missing: give style=PATH or style=sample:NAME")
    styles = [read_picture(style, role="style") for style in config.styles]
    content = styles[0] if config.content is None else read_picture(config.content, role="content")
    return content, styles


def _required_pictures(config: Config) -> set[str]:
    """Return the pictures that the losses refer to, such as ``content`` and ``style:1``."""
    if config.method is Method.feedforward:
        return {"content", "style:1"}
    style_count = len(config.styles) or 1
    return {name for loss in active_losses(config.losses).values() for name in loss.references(style_count)}


def _input_record(config: Config, problem: Problem | ForwardPass) -> dict[str, dict[str, str]]:
    """Return the source and the SHA-256 of each picture: content, styles, and the files of the start."""
    pictures = {} if config.content is None else {"content": problem.content}
    pictures |= {f"style:{n}": style for n, style in enumerate(problem.styles, start=1)}
    files = config.image.start_files if config.method is Method.optimize else []
    starts = (read_picture(name, role="image.start") for name in files)
    pictures |= {f"start:{n}": start for n, start in enumerate(starts, start=1)}
    return {role: {"source": picture.source, "sha256": picture.sha256} for role, picture in pictures.items()}


# Problem, memory and record


def build_problem(config: Config, cache: RunCache | None = None) -> Problem:
    """Return the problem that the engine optimises, with its pictures read and its network built.

    Args:
        config: An experiment with ``method=optimize``.
        cache: See `stylize`.

    Raises:
        InputError: A picture is missing or cannot be read, or the network cannot be built.
    """
    cache = cache or RunCache()
    content, styles = read_inputs(config)
    return Problem(
        extractor=cache.extractor(config.backbone, tapped_layers(config.losses), config.runtime),
        losses=config.losses,
        optimizer=config.optimizer,
        canvas=config.image,
        schedule=config.schedule,
        steps=config.steps,
        seed=config.seed,
        content=content,
        styles=styles,
        shares=config.shares,
        cache=cache,
    )


def _build(
    config: Config, cache: RunCache, device: str, run: RunFolder
) -> tuple[Problem | ForwardPass, dict[str, float]]:
    """Return what makes the picture, and for the record its memory.

    A problem is reduced to a size that fits into memory if ``image.fit_memory`` asks for it. A resumed run keeps the
    size that it started with.
    """
    if config.method is Method.feedforward:
        content, styles = read_inputs(config)
        return ForwardPass(config.image, content, styles, config.shares), {}
    cache.begin_run()
    problem, plan = build_problem(config, cache).fit_memory(device, run.read_record().get("size_factor"))
    return problem, plan.record()


def _open_session(
    config: Config,
    overrides: Sequence[str],
    device: str,
    run: RunFolder,
    problem: Problem | ForwardPass,
    memory: Mapping[str, float],
) -> Session:
    """Return the session of a run, with its settings and its first record."""
    inputs = _input_record(config, problem)
    hashes = [picture["sha256"] for picture in inputs.values()]
    precision = "float32" if config.method is Method.feedforward else None
    weights = _weights_identity(config)
    settings = recorded_settings(config, overrides, hashes, weights, precision)
    record = {**first_record(settings, device, inputs, weights), **memory}
    return Session(settings, ordered_observers(config.tracking.values()), run, record)


def _weights_identity(config: Config) -> dict[str, str | None] | None:
    """Return the identity of the network's weights, or None if no loss reads its features."""
    if config.method is Method.feedforward:
        return config.feedforward.identity()
    return config.backbone.identity() if tapped_layers(config.losses) else None


def _log_memory(record: Mapping[str, Any]) -> None:
    if record["size_factor"] < 1:
        log.warning("image.fit_memory: works at %.0f %% of the size asked for", 100 * record["size_factor"])
    needed, free = (record[key] / 1024 for key in ("needed_memory_mb", "free_memory_mb"))
    log.info("Needs about %.2f GiB of memory, %.1f GiB are free; computes in %s", needed, free, record["precision"])


# The run itself


def _make_picture(config: Config, session: Session, problem: Problem | ForwardPass) -> Result:
    """Make the picture and write it with everything that is needed to repeat the run."""
    end = _pass_forward(config, session, problem) if isinstance(problem, ForwardPass) else _optimize(session, problem)
    picture = end.iterate.picture()
    height, width = picture.shape[:2]
    components = {name: getattr(config, name) for name in COMPONENT_TABLES}
    outcome = {"status": end.status, "steps": end.iterate.step}
    text = picture_text(session.settings.yaml, components, session.record | outcome)
    alpha = problem.canvas.alpha(problem.content, height, width)
    write_picture(session.folder.picture, picture, alpha=alpha, text=text)
    return session.end(end, height=height, width=width)


def _optimize(session: Session, problem: Problem) -> Finished:
    """Run the engine; nothing is written before its first event, when start, targets and checkpoint are valid."""
    state = session.state()
    events: Iterator[Event] = Engine(problem, session.periods, session.record["device"]).run(state)
    first = next(events)
    _log_memory(session.record)
    session.begin()
    resumed_at = None if state is None else checkpoint_step(state)
    return session.observe(itertools.chain([first], events), term_names(problem.losses), resumed_at)


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
    session.begin()
    nan = float("nan")
    iterate = Iterate(1, 1, 1, seconds, nan, nan, terms={}, picture=lambda: picture, state=dict)
    return session.observe(iter([Progressed(iterate), Finished("completed", "one forward pass", iterate)]), [], None)


def _judge(config: Config, session: Session, problem: Problem | ForwardPass, result: Result) -> None:
    """Score the saved picture if that is asked for; if it fails, the run keeps its result without scores."""
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


def _train(settings: Distillation, session: Session, pictures: TrainingPictures) -> Result:
    """Train the student; nothing is written before the teacher and the checkpoint are loaded."""
    state = session.state()
    with tf.device(session.record["device"]):
        trainer = build_trainer(settings, pictures, session.periods, state)
        session.begin()
        resumed_at = None if state is None else trainer.step
        end = session.observe(trainer.run(), distillation_terms(settings), resumed_at)
        export(trainer.student, session.folder.weights)
    return session.end(end, sha256=digest(session.folder.weights, "sha256"))
