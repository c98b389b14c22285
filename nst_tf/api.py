"""From Python: stylise a photograph, or distil the embedded network; each run in its folder."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
from nst_tf.observers import Observer, ordered_observers
from nst_tf.optimization.cache import RunCache
from nst_tf.optimization.engine import Engine, checkpoint_step
from nst_tf.optimization.footprint import check_fits, fitting_factor, is_easy
from nst_tf.optimization.problem import Problem
from nst_tf.optimization.terms import active_losses, tapped_layers, term_names
from nst_tf.runs.events import Finished, Iterate, Progressed
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.session import Result, Session, first_record, run_lock
from nst_tf.system.failures import describe_failure
from nst_tf.system.memory import reset_peak_memory
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

log = logging.getLogger(__name__)


def stylize(
    config: Config,
    folder: str | Path | None = None,
    overrides: Sequence[str] = (),
    cache: RunCache | None = None,
) -> Result:
    """Run one experiment in its folder; continue it there if it was cut short.

    Args:
        config: The experiment.
        folder: Its run folder; by default ``outputs/runs/NAME``.
        overrides: What was typed to get this config, kept for the record.
        cache: What runs of one process share, ``RunCache(keeps=True)``: then one that differs from the run before
            in weights, learning rate or start alone spares network, targets and compiling.

    Returns:
        The result; its folder holds the picture whatever ended the run.

    Raises:
        InputError: Something in the config cannot be used, or the folder holds another experiment.

    Example:
        >>> from nst_tf import Config, stylize
        >>> stylize(Config(content="photo.jpg", style="painting.jpg", steps=100)).status  # doctest: +SKIP
        'completed'
    """
    config.evaluation.check()
    device = config.runtime.prepare()
    reset_peak_memory(device)
    if idle := unused_overrides(config, overrides):
        log.info("Without effect with method=%s: %s", config.method.name, ", ".join(idle))
    if config.method is Method.feedforward:
        return _stylize_at_once(config, folder, overrides, device)
    cache = cache or RunCache()
    cache.begin_run()
    problem = build_problem(config, cache)
    weights = config.backbone.identity() if tapped_layers(config.losses) else None
    run = RunFolder(Path(folder or Path("outputs/runs") / config.name))
    problem, memory = _fitted(problem, device, run.read_record().get("size_factor"))
    inputs = _inputs(config, problem)
    hashes = [picture["sha256"] for picture in inputs.values()]
    settings = recorded_settings(config, overrides, hashes, weights)
    session = Session(settings, _observers(config), run, first_record(settings, device, inputs, weights) | memory)
    return _kept(config, session, problem, lambda: _optimize(config, session, problem))


def read_inputs(config: Config) -> tuple[Picture, list[Picture]]:
    """The pictures of an experiment: content, styles.

    Where nothing looks at the content, and none is given, the first style stands in and sets the shape.

    Raises:
        InputError: A picture that is looked at is not given, or one cannot be read.
    """
    wanted = _wanted(config)
    if config.content is None and ("content" in wanted or not config.styles):
        raise InputError("content is missing: give content=PATH or content=sample:NAME")
    if not config.styles and wanted - {"content"}:
        raise InputError("style is missing: give style=PATH or style=sample:NAME")
    styles = [read_picture(style, role="style") for style in config.styles]
    return (styles[0] if config.content is None else read_picture(config.content, role="content")), styles


def _wanted(config: Config) -> set[str]:
    """Names of the pictures that are looked at, as a loss refers to them."""
    if config.method is Method.feedforward:
        return {"content", "style:1"}
    return {name for loss in active_losses(config.losses).values() for name in loss.references(len(config.styles) or 1)}


def build_problem(config: Config, cache: RunCache | None = None) -> Problem:
    """What the engine optimises: an experiment with its pictures read and its network built."""
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


def _fitted(problem: Problem, device: str, kept: float | None) -> tuple[Problem, dict[str, float]]:
    """The problem at a size that the memory holds, and what the record says of it.

    ``size_factor`` leads to that size, 1 for the size asked for; a run that goes on keeps the one it began with.

    Raises:
        InputError: It does not fit, and ``image.fit_memory`` is off.
    """
    if not is_easy(problem.footprint(), device):
        problem.cache.clear()
    factor = kept or (fitting_factor(problem.footprint(), device) if problem.canvas.fit_memory else 1.0)
    if factor < 1:
        problem = dataclasses.replace(problem, canvas=problem.canvas.smaller(factor))
    needed, available = check_fits(problem.footprint(), device)
    return problem, {"size_factor": factor, "needed_memory_mb": round(needed), "free_memory_mb": round(available)}


def _announce(record: dict[str, Any]) -> None:
    """Say at which size and in how much memory the run will work."""
    if record["size_factor"] < 1:
        log.warning("image.fit_memory: works at %.0f %% of the size asked for", 100 * record["size_factor"])
    needed, free = (record[key] / 1024 for key in ("needed_memory_mb", "free_memory_mb"))
    log.info("Needs about %.2f GiB of memory, %.1f GiB are free; computes in %s", needed, free, record["precision"])


def _inputs(config: Config, problem: Problem | ForwardPass) -> dict[str, dict[str, str]]:
    """Where each picture came from, and its hash: content, styles, and files that the start is made of."""
    pictures = {} if config.content is None else {"content": problem.content}
    pictures |= {f"style:{n}": style for n, style in enumerate(problem.styles, start=1)}
    files = config.image.start_files if config.method is Method.optimize else []
    starts = (read_picture(name, role="image.start") for name in files)
    pictures |= {f"start:{n}": start for n, start in enumerate(starts, start=1)}
    return {role: {"source": picture.source, "sha256": picture.sha256} for role, picture in pictures.items()}


def _observers(config: Config | Distillation) -> list[Observer]:
    return ordered_observers(config.tracking.values())


def _kept(config: Config, session: Session, problem: Problem | ForwardPass, make: Callable[[], Result]) -> Result:
    """Alone in the run's folder: what is there already, or what is made now; judged if that is asked for."""
    with run_lock(session.folder), session.record_failure():
        result = session.finished_result(session.folder.picture) or make()
        _judge(config, session, problem, result)
        return result


def _optimize(config: Config, session: Session, problem: Problem) -> Result:
    """Run the engine in the folder; nothing is written before start, targets and state are known to be sound."""
    state = session.state()
    events = Engine(problem, session.periods, session.record["device"]).run(state)
    first = next(events)
    _announce(session.record)
    session.begin()
    resumed_at = None if state is None else checkpoint_step(state)
    end = session.observe(itertools.chain([first], events), term_names(problem.losses), resumed_at)
    picture = end.iterate.picture()
    _write(config, session, problem, end, picture)
    return session.end(end, height=picture.shape[0], width=picture.shape[1])


def _stylize_at_once(config: Config, folder: str | Path | None, overrides: Sequence[str], device: str) -> Result:
    """Run a network that was trained to stylise: one step, without losses."""
    config = dataclasses.replace(config, steps=1)
    content, styles = read_inputs(config)
    problem = ForwardPass(config.image, content, styles, config.shares)
    run = RunFolder(Path(folder or Path("outputs/runs") / config.name))
    inputs = _inputs(config, problem)
    hashes = [picture["sha256"] for picture in inputs.values()]
    weights = config.feedforward.identity()
    settings = recorded_settings(config, overrides, hashes, weights, precision="float32")
    session = Session(settings, _observers(config), run, first_record(settings, device, inputs, weights))
    return _kept(config, session, problem, lambda: _pass(config, session, problem))


def _pass(config: Config, session: Session, problem: ForwardPass) -> Result:
    """Make the picture in the folder; nothing is written before it is there."""
    network = config.feedforward.network(config.runtime.threads)
    if network.size:
        log.info("feedforward.weights: computes at %dx%d, whatever the picture's size", *reversed(network.size))
    try:
        with tf.device(session.record["device"]):
            begun = time.perf_counter()
            picture = problem.picture(network)[0]
            seconds = time.perf_counter() - begun
    except (tf.errors.OpError, MemoryError, RuntimeError, ValueError) as error:
        raise InputError(f"feedforward.weights: {describe_failure(error)}") from error
    session.begin()
    nan = float("nan")
    iterate = Iterate(1, 1, 1, seconds, nan, nan, terms={}, picture=lambda: picture, state=dict)
    end = session.observe(iter([Progressed(iterate), Finished("completed", "one forward pass", iterate)]), [], None)
    _write(config, session, problem, end, picture)
    return session.end(end, height=picture.shape[0], width=picture.shape[1])


def _judge(config: Config, session: Session, problem: Problem | ForwardPass, result: Result) -> None:
    """Score the picture as it was saved; where that fails, the run stands as it is, without scores."""
    settings = config.evaluation
    if not settings.enabled or result.status == "interrupted" or "scores" in result.record:
        return
    try:
        picture = read_picture(str(result.folder.picture)).pixels
        content = None if config.content is None else problem.content
        with tf.device(session.record["device"]):
            scores = settings.judge().scores(picture, content, problem.styles, problem.shares)
        record_scores(result.folder, result.record, scores)
        log.info("Judged by %s", scores)
    except Exception as error:
        reason = error if isinstance(error, InputError) else describe_failure(error)
        log.warning("The picture was not judged: %s", reason)


def _write(
    config: Config, session: Session, problem: Problem | ForwardPass, end: Finished, picture: np.ndarray
) -> None:
    """Write the picture, in it all that is needed to repeat the run."""
    components = {name: getattr(config, name) for name in COMPONENT_TABLES}
    text = picture_text(
        session.settings.yaml, components, session.record | {"status": end.status, "steps": end.iterate.step}
    )
    alpha = problem.canvas.alpha(problem.content, *picture.shape[:2])
    write_picture(session.folder.picture, picture, alpha=alpha, text=text)


def distill(settings: Distillation, folder: str | Path | None = None, overrides: Sequence[str] = ()) -> Result:
    """Train ``vgg19_lite`` in a run folder; continue there if it was cut short.

    Args:
        settings: How.
        folder: Its run folder; by default ``outputs/distillations/NAME``.
        overrides: What was typed to get these settings, kept for the record.

    Returns:
        The result; its folder holds ``vgg19_lite.weights.h5``, for ``backbone.weights``.

    Raises:
        InputError: The teacher cannot be loaded, a folder has no pictures, or the run folder holds another training.
    """
    device = settings.runtime.prepare()
    reset_peak_memory(device)
    pictures = read_training_pictures(settings)
    teacher = settings.teacher.identity()
    run = RunFolder(Path(folder or Path("outputs/distillations") / settings.name))
    recorded = recorded_settings(settings, overrides, [pictures.sha256], teacher)
    session = Session(recorded, _observers(settings), run, first_record(recorded, device, pictures.counts, teacher))
    with run_lock(run):
        return session.finished_result(run.weights) or _train(settings, session, pictures)


def _train(settings: Distillation, session: Session, pictures: TrainingPictures) -> Result:
    """Train in the folder; nothing is written before teacher and state are known to be sound."""
    state = session.state()
    with tf.device(session.record["device"]):
        trainer = build_trainer(settings, pictures, session.periods, state)
        session.begin()
        resumed_at = None if state is None else trainer.step
        end = session.observe(trainer.run(), distillation_terms(settings), resumed_at)
        export(trainer.student, session.folder.weights)
    return session.end(end, sha256=digest(session.folder.weights, "sha256"))
