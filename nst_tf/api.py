"""From Python: stylise a photograph, or distil the embedded network; each run in its folder."""

import dataclasses
import itertools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from nst_tf.backbones import Extractor, digest
from nst_tf.config import Config, fingerprint, flat, to_yaml
from nst_tf.distillation import Distillation, Material, build, export, read_material, terms
from nst_tf.engine import Engine, Problem
from nst_tf.errors import InputError
from nst_tf.files import write_text
from nst_tf.images import Picture, read_picture, write_picture
from nst_tf.memory import check_fits, fitting_factor, reset_peak_memory
from nst_tf.objective import active, columns, taps
from nst_tf.observers import Finished, Started, in_order
from nst_tf.recording import Result, alone, first_record, last_record, state_to_continue, watch
from nst_tf.runs import RunFolder, versions

log = logging.getLogger(__name__)


def stylize(config: Config, folder: str | Path | None = None, overrides: Sequence[str] = ()) -> Result:
    """Run one experiment in its folder; continue it there if it was cut short.

    Args:
        config: The experiment.
        folder: Its run folder; by default ``outputs/runs/NAME``.
        overrides: What was typed to get this config, kept for the record.

    Returns:
        The result; its folder holds the picture whatever ended the run.

    Raises:
        InputError: Something in the config cannot be used, or the folder holds another experiment.

    Example:
        >>> from nst_tf import Config, stylize
        >>> stylize(Config(content="photo.jpg", style="painting.jpg", steps=100)).status  # doctest: +SKIP
        'completed'
    """
    device = config.runtime.prepare()
    reset_peak_memory(device)
    content, styles = read_inputs(config)
    weights = config.backbone.identity() if taps(config.losses) else None
    run = RunFolder(Path(folder or Path("outputs/runs") / config.name))
    problem, memory = _fitted(problem_of(config, content, styles), device, run.read_record().get("size_factor"))
    run.make()
    with alone(run):
        inputs = _inputs(config, content, styles)
        hashes = [entry["sha256"] for entry in inputs.values()] + [str(weights and weights["sha256"])]
        identity = fingerprint(config, [*hashes, config.runtime.policy()])
        state = state_to_continue(run, run.picture, identity, config.steps)
        if isinstance(state, Result):
            return state
        record = first_record(config.name, device) | {"fingerprint": identity, "inputs": inputs, "weights": weights}
        record |= {"precision": config.runtime.policy()} | memory
        return _run(config, problem, run, record, state, overrides)


def read_inputs(config: Config) -> tuple[Picture, list[Picture]]:
    """The pictures of an experiment: content, styles.

    Where nothing looks at the content, and none is given, the first style stands in and sets the shape.
    """
    wanted = {name for loss in active(config.losses).values() for name in loss.references(len(config.styles) or 1)}
    if config.content is None and ("content" in wanted or not config.styles):
        raise InputError("content is missing: give content=PATH or content=sample:NAME")
    if not config.styles and wanted - {"content"}:
        raise InputError("style is missing: give style=PATH or style=sample:NAME")
    styles = [read_picture(style, role="style") for style in config.styles]
    return (styles[0] if config.content is None else read_picture(config.content, role="content")), styles


def problem_of(config: Config, content: Picture, styles: Sequence[Picture]) -> Problem:
    """What the engine optimises, out of an experiment and its pictures."""
    return Problem(
        extractor=config.backbone.extractor(taps(config.losses), config.runtime.policy(), config.runtime.recompute),
        losses=config.losses,
        optimizer=config.optimizer,
        canvas=config.image,
        schedule=config.schedule,
        steps=config.steps,
        seed=config.seed,
        content=content,
        styles=styles,
        shares=config.shares,
    )


def _fitted(problem: Problem, device: str, kept: float | None) -> tuple[Problem, dict[str, float]]:
    """The problem at a size that the memory holds, and what the record says of it.

    ``size_factor`` leads to that size, 1 for the size asked for; a run that goes on keeps the one it began with.

    Raises:
        InputError: It does not fit, and ``image.fit_memory`` is off.
    """
    factor = kept or (fitting_factor(*_footprint(problem), device) if problem.canvas.fit_memory else 1.0)
    if factor < 1:
        problem = dataclasses.replace(problem, canvas=problem.canvas.smaller(factor))
    needed, available = check_fits(*_footprint(problem), device)
    return problem, {"size_factor": factor, "needed_memory_mb": round(needed), "free_memory_mb": round(available)}


def _announce(record: dict[str, Any]) -> None:
    """Say at which size and in how much memory the run will work."""
    if record["size_factor"] < 1:
        log.warning("image.fit_memory: works at %.0f %% of the size asked for", 100 * record["size_factor"])
    needed, free = (record[key] / 1024 for key in ("needed_memory_mb", "free_memory_mb"))
    log.info("Needs about %.2f GiB of memory, %.1f GiB are free; computes in %s", needed, free, record["precision"])


def _footprint(problem: Problem) -> tuple[Extractor, tuple[int, int], list[tuple[int, int]], int]:
    """What decides the memory of a problem: network, shapes of content and styles, the optimiser's copies."""
    content = problem.canvas.shape(problem.content)
    styles = [problem.canvas.style_shape(style, content) for style in problem.styles]
    return problem.extractor, content, styles, problem.optimizer.copies


def _inputs(config: Config, content: Picture, styles: Sequence[Picture]) -> dict[str, dict[str, str]]:
    """Where each picture came from, and its hash: content, styles, and files that the start is made of."""
    pictures = {} if config.content is None else {"content": content}
    pictures |= {f"style:{n}": style for n, style in enumerate(styles, start=1)}
    starts = (read_picture(name, role="image.start") for name in config.image.start_files)
    pictures |= {f"start:{n}": start for n, start in enumerate(starts, start=1)}
    return {role: {"source": picture.source, "sha256": picture.sha256} for role, picture in pictures.items()}


def _run(
    config: Config,
    problem: Problem,
    run: RunFolder,
    record: dict[str, Any],
    state: dict[str, np.ndarray] | None,
    overrides: Sequence[str],
) -> Result:
    """Run the engine in the folder; nothing is written before start, targets and state are known to be sound."""
    observers = in_order(config.tracking.values())
    periods = [period for observer in observers for period in observer.periods]
    events = Engine(problem, periods, record["device"]).run(state)
    first = next(events)
    _announce(record)
    text = _begin_record(run, config, overrides, record)
    resumed_at = None if state is None else int(state["engine/steps"]) + int(state["descent/row"][0, 0])
    started = Started(run, config.steps, resumed_at, columns(config.losses), text, flat(config))
    end = watch(itertools.chain([first], events), observers, started)
    return _keep(end, problem, run, record, text)


def _keep(end: Finished, problem: Problem, run: RunFolder, record: dict[str, Any], text: str) -> Result:
    """Write the picture and the record of a run that has ended."""
    picture = end.moment.picture()
    note = {"nst_tf:config": text, "nst_tf:versions": "\n".join(f"{k} {v}" for k, v in versions().items())}
    alpha = problem.canvas.alpha(problem.content, *picture.shape[:2])
    write_picture(run.picture, picture, alpha=alpha, text=note)
    record |= last_record(end, record["device"]) | {"height": picture.shape[0], "width": picture.shape[1]}
    run.write_record(record)
    return Result(end.status, end.reason, run, record)


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
    run.make()
    with alone(run):
        identity = fingerprint(settings, [material.sha256, str(teacher["sha256"]), settings.runtime.policy()])
        state = state_to_continue(run, run.weights, identity, settings.steps)
        if isinstance(state, Result):
            return state
        record = first_record(settings.name, device)
        record |= {"fingerprint": identity, "inputs": material.counts, "weights": teacher}
        return _distill(settings, material, run, record, state, overrides)


def _distill(
    settings: Distillation,
    material: Material,
    run: RunFolder,
    record: dict[str, Any],
    state: dict[str, np.ndarray] | None,
    overrides: Sequence[str],
) -> Result:
    observers = in_order(settings.tracking.values())
    with tf.device(record["device"]):
        trainer = build(settings, material, [period for observer in observers for period in observer.periods], state)
        text = _begin_record(run, settings, overrides, record)
        resumed_at = None if state is None else trainer.step
        end = watch(
            trainer.run(), observers, Started(run, settings.steps, resumed_at, terms(settings), text, flat(settings))
        )
        export(trainer.student, run.weights)
    record |= last_record(end, record["device"]) | {"sha256": digest(run.weights, "sha256")}
    run.write_record(record)
    return Result(end.status, end.reason, run, record)


def _begin_record(
    run: RunFolder, config: Config | Distillation, overrides: Sequence[str], record: dict[str, Any]
) -> str:
    """Write the config, what was typed and the first record; return the config as text."""
    text = to_yaml(config)
    write_text(run.config, text)
    run.write_overrides(overrides)
    run.write_record(record)
    return text
