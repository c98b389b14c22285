"""One job of the command line: a composed config is run, and its result printed."""

import functools
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from nst_tf.util.errors import InputError


@functools.cache
def run_cache() -> Any:
    """Return the cache that the runs of a sweep share within a process."""
    from nst_tf.optimization.cache import RunCache

    return RunCache(keeps=True)


def run_job(config: DictConfig, rerun: str = "") -> str:
    """Run one composed config, print where the results lie, and return the run's status.

    Args:
        config: The config as Hydra composed it.
        rerun: The typed ``rerun=PATH``; empty where none was typed.

    Raises:
        InputError: A setting cannot be used. The run's folder is removed if nothing was written into it.
    """
    from nst_tf.config.composing import from_hydra
    from nst_tf.runs.folder import RunFolder

    folder = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    try:
        settings = from_hydra(config)
        result = _run(settings, folder, _typed_overrides(rerun))
    except InputError:
        folder.remove_if_empty()  # Hydra has made it
        raise
    print(f"{result.status}: {result.reason}")
    for name, place in _places(result.folder, settings).items():
        print(f"  {name:<11}  {place}", flush=True)
    return result.status


def _typed_overrides(rerun: str) -> list[str]:
    """Return the overrides of the run, with the picture's path where Hydra saw `RERUN`."""
    from nst_tf.config.composing import RERUN

    return [rerun if text == RERUN else text for text in HydraConfig.get().overrides.task]


def _run(settings: Any, folder: Any, overrides: list[str]) -> Any:
    """Stylise with a `Config`, or train with a `Distillation`."""
    from nst_tf.api import distill, stylize
    from nst_tf.config.tree import Config

    if isinstance(settings, Config):
        return stylize(settings, folder.path, overrides, run_cache())
    return distill(settings, folder.path, overrides)


def _places(folder: Any, settings: Any) -> dict[str, Any]:
    """Return what a finished run leaves, by the names that are printed."""
    from nst_tf.config.tree import Config

    product = {"picture": folder.picture} if isinstance(settings, Config) else {"weights": folder.weights}
    logged = folder.tensorboard.exists()
    command = {"TensorBoard": f"tensorboard --logdir {folder.tensorboard}"} if logged else {}
    return product | {"run folder": folder.path} | command


def search_score() -> float | None:
    """Return the score of the finished run that a search minimises; None if the command is no search."""
    if not (names := HydraConfig.get().sweeper.get("minimise")):
        return None
    from nst_tf.evaluation.search import score
    from nst_tf.runs.folder import RunFolder

    return score(RunFolder(Path(HydraConfig.get().runtime.output_dir)), names)
