"""One job of the command line: a composed config is run, and its result printed."""

import logging
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from nst_tf.cli.video import film_places, is_film, stylize_film
from nst_tf.util.errors import InputError
from nst_tf.util.paths import command_folder

log = logging.getLogger(__name__)


def run_job(config: DictConfig, rerun: str = "") -> str:
    """Run one composed config, print where the results lie, and return the run's status.

    The same sweep may run in several processes at once, which divide its runs among them: a run that another process
    computes is left to that process, and its status here is ``claimed``.

    Args:
        config: The config as Hydra composed it.
        rerun: The typed ``rerun=PATH``; empty where none was typed.

    Raises:
        InputError: A setting cannot be used. The run's folder is removed if nothing was written into it.
    """
    from nst_tf.cli.announcement import announcement
    from nst_tf.config.composing import from_hydra
    from nst_tf.config.overridden import overridden_choices
    from nst_tf.runs.claims import claim_folder
    from nst_tf.runs.folder import RunFolder
    from nst_tf.runs.session import RunClaimedError

    folder = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    try:
        if is_unnamed := _is_unnamed(config, folder):
            folder = claim_folder(folder.path)
        with command_folder(HydraConfig.get().runtime.cwd):
            settings = from_hydra(config)
            if is_unnamed:
                settings.name = folder.path.name
            for sentence in overridden_choices(HydraConfig.get()):
                log.warning(sentence)
            log.info(announcement(settings, folder.path))
            result = _run(settings, folder, _typed_overrides(rerun))
    except RunClaimedError:
        if sweep_folder() is None or _is_search():  # a search needs the score of each of its runs
            raise
        print(f"claimed: another process computes this run\n  run folder   {folder.path}", flush=True)
        return "claimed"
    except InputError:
        folder.remove_if_empty()  # Hydra has made it
        raise
    print(f"{result.status}: {result.reason}")
    for name, place in _places(result.folder, settings).items():
        print(f"  {name:<11}  {place}", flush=True)
    return result.status


def _is_unnamed(config: DictConfig, folder: Any) -> bool:
    """Return whether the folder of a single run is named after the time, because no name was given."""
    settings: Any = OmegaConf.to_container(config, resolve=False)
    name = settings["name"]
    return sweep_folder() is None and str(name).startswith("${now:") and config.name == folder.path.name


def _typed_overrides(rerun: str) -> list[str]:
    """Return the overrides of the run, with the picture's path where Hydra saw `RERUN`."""
    from nst_tf.config.composing import RERUN

    task = HydraConfig.get().overrides.task
    raw: Any = OmegaConf.to_container(task, resolve=False)  # keeps the escapes of `${` in file names
    texts = [typed if "\\${" in typed else text for typed, text in zip(raw, task, strict=True)]
    return [rerun if text == RERUN else text for text in texts]


def _run(settings: Any, folder: Any, overrides: list[str]) -> Any:
    """Stylise with a `Config`, or train with a `Distillation`."""
    from nst_tf.api import distill, stylize
    from nst_tf.config.tree import Config
    from nst_tf.optimization.cache import run_cache

    sweep = sweep_folder()
    if is_film(settings):
        return stylize_film(settings, folder.path, overrides, sweep)
    if not isinstance(settings, Config):
        return distill(settings, folder.path, overrides, sweep)

    def compute() -> Any:
        return stylize(settings, folder.path, overrides, run_cache(), sweep)

    if sweep is None:
        return compute()
    from nst_tf.cli.equal_runs import run_once

    return run_once(settings, folder, overrides, sweep, compute)


def sweep_folder() -> Path | None:
    """Return the folder of the sweep that the job belongs to; None if it is a single run."""
    hydra = HydraConfig.get()
    if hydra.mode is not RunMode.MULTIRUN:
        return None
    return Path(hydra.runtime.cwd, hydra.sweep.dir)


def _places(folder: Any, settings: Any) -> dict[str, Any]:
    """Return what a finished run leaves, by the names that are printed."""
    from nst_tf.config.tree import Config

    if is_film(settings):
        return film_places(folder)
    product = {"picture": folder.picture} if isinstance(settings, Config) else {"weights": folder.weights}
    command = {"TensorBoard": f"tensorboard --logdir {folder.tensorboard}"} if folder.has_events else {}
    return product | {"run folder": folder.path} | command


def _is_search() -> bool:
    return bool(HydraConfig.get().sweeper.get("minimise"))


def search_score() -> float | None:
    """Return the score of the finished run that a search minimises; None if the command is no search."""
    if not _is_search():
        return None
    names = HydraConfig.get().sweeper.minimise
    from nst_tf.evaluation.search import score
    from nst_tf.runs.folder import RunFolder

    return score(RunFolder(Path(HydraConfig.get().runtime.output_dir)), names)
