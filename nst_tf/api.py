"""From Python: stylise a photograph, or distil the embedded network; each run in its folder."""

import dataclasses
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from nst_tf.backbones import digest
from nst_tf.config import Config, Method, without_effect
from nst_tf.distillation import Distillation, Material, build, export, read_material, terms
from nst_tf.engine import Engine, reason_of, step_of
from nst_tf.errors import InputError
from nst_tf.images import Picture, read_picture, write_picture
from nst_tf.library import ForwardPass
from nst_tf.memory import check_fits, fitting_factor, is_easy, reset_peak_memory
from nst_tf.objective import active, columns, taps
from nst_tf.observers import Finished, Moment, Progressed
from nst_tf.problem import Problem
from nst_tf.recording import Job, Result, alone, first_record, keep_scores
from nst_tf.rerun import TABLES, note
from nst_tf.runs import RunFolder
from nst_tf.workshop import Workshop

log = logging.getLogger(__name__)


def stylize(
    config: Config,
    folder: str | Path | None = None,
    overrides: Sequence[str] = (),
    workshop: Workshop | None = None,
) -> Result:
    """Run one experiment in its folder; continue it there if it was cut short.

    Args:
        config: The experiment.
        folder: Its run folder; by default ``outputs/runs/NAME``.
        overrides: What was typed to get this config, kept for the record.
        workshop: What runs of one process share, ``Workshop(keeps=True)``: then one that differs from the run before
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
    if idle := without_effect(config, overrides):
        log.info("Without effect with method=%s: %s", config.method.name, ", ".join(idle))
    if config.method is Method.library:
        return _stylize_at_once(config, folder, overrides, device)
    workshop = workshop or Workshop()
    workshop.begin_run()
    problem = problem_of(config, workshop)
    weights = config.backbone.identity() if taps(config.losses) else None
    run = RunFolder(Path(folder or Path("outputs/runs") / config.name))
    problem, memory = _fitted(problem, device, run.read_record().get("size_factor"))
    inputs = _inputs(config, problem)
    hashes = [picture["sha256"] for picture in inputs.values()]
    job = Job(config, overrides, run, first_record(config, device, inputs, hashes, weights) | memory)
    return _kept(job, problem, lambda: _optimise(job, problem))


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
    if config.method is Method.library:
        return {"content", "style:1"}
    return {name for loss in active(config.losses).values() for name in loss.references(len(config.styles) or 1)}


def problem_of(config: Config, workshop: Workshop | None = None) -> Problem:
    """What the engine optimises: an experiment with its pictures read and its network built."""
    workshop = workshop or Workshop()
    content, styles = read_inputs(config)
    return Problem(
        extractor=workshop.extractor(config.backbone, taps(config.losses), config.runtime),
        losses=config.losses,
        optimizer=config.optimizer,
        canvas=config.image,
        schedule=config.schedule,
        steps=config.steps,
        seed=config.seed,
        content=content,
        styles=styles,
        shares=config.shares,
        workshop=workshop,
    )


def _fitted(problem: Problem, device: str, kept: float | None) -> tuple[Problem, dict[str, float]]:
    """The problem at a size that the memory holds, and what the record says of it.

    ``size_factor`` leads to that size, 1 for the size asked for; a run that goes on keeps the one it began with.

    Raises:
        InputError: It does not fit, and ``image.fit_memory`` is off.
    """
    if not is_easy(problem.footprint(), device):
        problem.workshop.clear()
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
    files = config.image.start_files if config.method is Method.optimise else []
    starts = (read_picture(name, role="image.start") for name in files)
    pictures |= {f"start:{n}": start for n, start in enumerate(starts, start=1)}
    return {role: {"source": picture.source, "sha256": picture.sha256} for role, picture in pictures.items()}


def _kept(job: Job[Config], problem: Problem | ForwardPass, make: Callable[[], Result]) -> Result:
    """Alone in the run's folder: what is there already, or what is made now; judged if that is asked for."""
    with alone(job.folder), job.told():
        result = job.done(job.folder.picture) or make()
        _judge(job, problem, result)
        return result


def _optimise(job: Job[Config], problem: Problem) -> Result:
    """Run the engine in the folder; nothing is written before start, targets and state are known to be sound."""
    state = job.state()
    events = Engine(problem, job.periods, job.record["device"]).run(state)
    first = next(events)
    _announce(job.record)
    job.begin()
    resumed_at = None if state is None else step_of(state)
    end = job.watch(itertools.chain([first], events), columns(problem.losses), resumed_at)
    picture = end.moment.picture()
    _write(job, problem, end, picture)
    return job.end(end, height=picture.shape[0], width=picture.shape[1])


def _stylize_at_once(config: Config, folder: str | Path | None, overrides: Sequence[str], device: str) -> Result:
    """Run a network that was trained to stylise: one step, without losses."""
    config = dataclasses.replace(config, steps=1)
    content, styles = read_inputs(config)
    problem = ForwardPass(config.image, content, styles, config.shares)
    run = RunFolder(Path(folder or Path("outputs/runs") / config.name))
    inputs = _inputs(config, problem)
    hashes = [picture["sha256"] for picture in inputs.values()]
    record = first_record(config, device, inputs, hashes, config.library.identity(), precision="float32")
    job = Job(config, overrides, run, record)
    return _kept(job, problem, lambda: _pass(job, problem))


def _pass(job: Job[Config], problem: ForwardPass) -> Result:
    """Make the picture in the folder; nothing is written before it is there."""
    network = job.settings.library.network(job.settings.runtime.threads)
    if network.size:
        log.info("library.weights: computes at %dx%d, whatever the picture's size", *reversed(network.size))
    try:
        with tf.device(job.record["device"]):
            begun = time.perf_counter()
            picture = problem.picture(network)[0]
            seconds = time.perf_counter() - begun
    except (tf.errors.OpError, MemoryError, RuntimeError, ValueError) as error:
        raise InputError(f"library.weights: {reason_of(error)}") from error
    job.begin()
    nan = float("nan")
    moment = Moment(1, 1, 1, seconds, nan, nan, terms={}, picture=lambda: picture, state=dict)
    end = job.watch(iter([Progressed(moment), Finished("completed", "one forward pass", moment)]), [], None)
    _write(job, problem, end, picture)
    return job.end(end, height=picture.shape[0], width=picture.shape[1])


def _judge(job: Job[Config], problem: Problem | ForwardPass, result: Result) -> None:
    """Score the picture as it was saved; where that fails, the run stands as it is, without scores."""
    settings = job.settings.evaluation
    if not settings.enabled or result.status == "interrupted" or "scores" in result.record:
        return
    try:
        picture = read_picture(str(result.folder.picture)).pixels
        content = None if job.settings.content is None else problem.content
        with tf.device(job.record["device"]):
            scores = settings.judge().scores(picture, content, problem.styles, problem.shares)
        keep_scores(result.folder, result.record, scores)
        log.info("Judged by %s", scores)
    except Exception as error:
        reason = error if isinstance(error, InputError) else reason_of(error)
        log.warning("The picture was not judged: %s", reason)


def _write(job: Job[Config], problem: Problem | ForwardPass, end: Finished, picture: np.ndarray) -> None:
    """Write the picture, in it all that is needed to repeat the run."""
    components = {name: getattr(job.settings, name) for name in TABLES}
    text = note(job.text, components, job.record | {"status": end.status, "steps": end.moment.step})
    alpha = problem.canvas.alpha(problem.content, *picture.shape[:2])
    write_picture(job.folder.picture, picture, alpha=alpha, text=text)


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
    material = read_material(settings)
    teacher = settings.teacher.identity()
    run = RunFolder(Path(folder or Path("outputs/distillations") / settings.name))
    record = first_record(settings, device, material.counts, [material.sha256], teacher)
    job = Job(settings, overrides, run, record)
    with alone(run):
        return job.done(run.weights) or _train(job, material)


def _train(job: Job[Distillation], material: Material) -> Result:
    """Train in the folder; nothing is written before teacher and state are known to be sound."""
    state = job.state()
    with tf.device(job.record["device"]):
        trainer = build(job.settings, material, job.periods, state)
        job.begin()
        resumed_at = None if state is None else trainer.step
        end = job.watch(trainer.run(), terms(job.settings), resumed_at)
        export(trainer.student, job.folder.weights)
    return job.end(end, sha256=digest(job.folder.weights, "sha256"))
