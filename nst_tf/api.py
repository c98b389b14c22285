"""One experiment, from Python: read the pictures, run the engine, keep what it tells."""

import contextlib
import datetime
import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from nst_tf.config import Config, fingerprint, flat, to_yaml
from nst_tf.engine import Engine, Problem, is_out_of_memory
from nst_tf.errors import InputError
from nst_tf.files import write_text
from nst_tf.images import Picture, read_picture, write_picture
from nst_tf.memory import check_fits, peak_memory_mb, reset_peak_memory
from nst_tf.objective import active, columns, taps
from nst_tf.observers import Event, Failed, Finished, Observer, Started, in_order
from nst_tf.runs import FINAL, RunFolder, finite, git_commit, versions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
        status: ``completed``, ``converged``, ``diverged``, ``interrupted`` or ``failed``.
        reason: Why, in words.
        folder: Where everything about it lies.
        record: What `run.json` holds.
    """

    status: str
    reason: str
    folder: RunFolder
    record: dict[str, Any]


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
    problem = problem_of(config, content, styles)
    _check_fits(problem, device)
    run = RunFolder(Path(folder or Path("outputs/runs") / config.name))
    run.make()
    with _alone(run):
        inputs = _inputs(config, content, styles)
        hashes = [entry["sha256"] for entry in inputs.values()] + [str(weights and weights["sha256"])]
        identity = fingerprint(config, hashes)
        state = _state_to_continue(run, identity, config.steps)
        if isinstance(state, Result):
            return state
        record = _first_record(config, device) | {"fingerprint": identity, "inputs": inputs, "weights": weights}
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
        extractor=config.backbone.extractor(taps(config.losses), config.runtime.precision.value),
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


def _check_fits(problem: Problem, device: str) -> None:
    content = problem.canvas.shape(problem.content)
    styles = [problem.canvas.style_shape(style, content) for style in problem.styles]
    check_fits(problem.extractor, content, styles, device)


def _inputs(config: Config, content: Picture, styles: Sequence[Picture]) -> dict[str, dict[str, str]]:
    """Where each picture came from, and its hash: content, styles, and files that the start is made of."""
    pictures = {} if config.content is None else {"content": content}
    pictures |= {f"style:{n}": style for n, style in enumerate(styles, start=1)}
    starts = (read_picture(name, role="image.start") for name in config.image.start_files)
    pictures |= {f"start:{n}": start for n, start in enumerate(starts, start=1)}
    return {role: {"source": picture.source, "sha256": picture.sha256} for role, picture in pictures.items()}


@contextlib.contextmanager
def _alone(run: RunFolder) -> Iterator[None]:
    """Hold the folder, so that no two processes write into one."""
    try:
        with filelock.FileLock(run.lock, timeout=0):
            yield
    except filelock.Timeout as error:
        raise InputError(f"Another process is at work in '{run.path}': wait for it, or choose another name=") from error


def _state_to_continue(run: RunFolder, identity: str, steps: int) -> dict[str, np.ndarray] | Result | None:
    """The checkpoint to go on from, nothing for a fresh start, or the result of a run already done."""
    record = run.read_record()
    if not record:
        return None
    if record["fingerprint"] != identity:
        raise InputError(
            f"'{run.path}' holds a run of other settings or pictures: choose another name=, or delete the folder"
        )
    status = record["status"]
    done = status in FINAL and (status != "completed" or record["steps"] >= steps)
    if done and run.picture.exists():
        return Result(status, f"already done: {record['reason']}", run, record)
    return run.read_checkpoint()


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
    text = to_yaml(config)
    write_text(run.config, text)
    write_text(run.overrides, "".join(f"- {override}\n" for override in overrides))
    run.write_record(record)
    resumed_at = None if state is None else int(state["engine/steps"]) + int(state["descent/row"][0, 0])
    watching = Watchers(observers)
    watching.notify(Started(run, config.steps, resumed_at, columns(config.losses), text, flat(config)))
    event: Event
    for event in itertools.chain([first], events):
        watching.notify(event)
    assert isinstance(event, Finished)
    if isinstance(event, Failed) and not is_out_of_memory(event.error):
        log.error("The run failed at step %d", event.moment.step, exc_info=event.error)
    return _keep(event, problem, run, record, text)


def _keep(end: Finished, problem: Problem, run: RunFolder, record: dict[str, Any], text: str) -> Result:
    """Write the picture and the record of a run that has ended."""
    picture, moment = end.moment.picture(), end.moment
    note = {"nst_tf:config": text, "nst_tf:versions": "\n".join(f"{k} {v}" for k, v in versions().items())}
    alpha = problem.canvas.alpha(problem.content, *picture.shape[:2])
    write_picture(run.picture, picture, alpha=alpha, text=note)
    record |= {
        "status": end.status,
        "reason": end.reason,
        "steps": moment.step,
        "evaluations": moment.evaluations,
        "seconds": round(moment.seconds, 3),
        "seconds_per_evaluation": round(moment.seconds / max(1, moment.evaluations), 5),
        "peak_memory_mb": round(peak_memory_mb(record["device"])),
        "height": picture.shape[0],
        "width": picture.shape[1],
        "final": {name: finite(value) for name, value in {"total": moment.total, **moment.terms}.items()},
        "finished_at": _now(),
    }
    run.write_record(record)
    return Result(end.status, end.reason, run, record)


def _first_record(config: Config, device: str) -> dict[str, Any]:
    return {
        "status": "running",
        "reason": "",
        "name": config.name,
        "device": device,
        "versions": versions(),
        "git_commit": git_commit(),
        "started_at": _now(),
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class Watchers:
    """Observers, told of every event in order; one that fails is let go, and the run goes on.

    Args:
        observers: In the order they are told.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = list(observers)

    def notify(self, event: Event) -> None:
        """Tell all that still listen."""
        for observer in list(self._observers):
            try:
                observer.notify(event)
            except Exception as error:
                log.warning("%s stopped watching: %s: %s", type(observer).__name__, type(error).__name__, error)
                self._observers.remove(observer)
