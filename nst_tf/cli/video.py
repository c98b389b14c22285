"""The command ``video``: its schema, its job, the places that it prints, and the comparison of films."""

import argparse
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from nst_tf.util.errors import InputError

STANDARD = "standard"
"""Option of the group ``temporal`` for an experiment without one of its own name."""


def register_video() -> None:
    """Let Hydra know the schema of `nst_tf.video.VideoConfig`, and the function that ``configs/video.yaml`` calls."""
    from nst_tf.config.composing import store_picture_tree
    from nst_tf.video import VideoConfig

    store_picture_tree("video", VideoConfig)
    OmegaConf.register_new_resolver("temporal_option", temporal_option, replace=True)


def temporal_option(experiment: str | None) -> str:
    """Return the option of the group ``temporal`` that belongs to an experiment: that of its name, or `STANDARD`."""
    from nst_tf.config.composing import configs_folder

    is_option = experiment is not None and (configs_folder() / "temporal" / f"{experiment}.yaml").is_file()
    return str(experiment) if is_option else STANDARD


def is_film(settings: Any) -> bool:
    """Return whether settings are those of a film."""
    from nst_tf.config.tree import Config

    return isinstance(settings, Config) and hasattr(settings, "video")


def stylize_film(settings: Any, folder: Path, overrides: list[str], sweep: Path | None) -> Any:
    """Stylise a film. In a sweep, it has the name of its folder.

    Raises:
        InputError: See `nst_tf.video.stylizing.stylize_video`.
    """
    from nst_tf.video.stylizing import stylize_video

    if sweep is not None:
        settings.name = folder.name
    return stylize_video(settings, folder, overrides)


def is_film_sweep(config: DictConfig) -> bool:
    """Return whether the config of a sweep is that of films."""
    return "video" in config


def compare_films(arguments: argparse.Namespace) -> Path | None:
    """Write the comparison of films, if the folders of the command ``compare`` hold films.

    Returns:
        Path of the page; None if the folders hold none.

    Raises:
        InputError: An option of runs was given, or see `nst_tf.video.comparison.write_comparison`.
    """
    from nst_tf.reports.finding import find_films

    if not any(find_films(folder)[0] for folder in arguments.folders):
        return None
    of_runs = {"--best": arguments.best, "--at-most": arguments.at_most, "--at-least": arguments.at_least}
    for option, value in (of_runs | {"--spread": arguments.spread or None}).items():
        if value is not None:
            raise InputError(f"{option}: concerns runs, and the folders hold films: leave it out")
    from nst_tf.video.comparison import write_comparison

    return write_comparison(arguments.folders, arguments.report)


def film_places(folder: Any) -> dict[str, Path]:
    """Return what a stylised film leaves, by the names that are printed.

    Args:
        folder: A `nst_tf.video.folder.VideoFolder`.
    """
    places = {"film": folder.film(".mp4"), "lossless": folder.film(".mkv"), "page": folder.page}
    return {name: path for name, path in places.items() if path.exists()} | {"folder": folder.path}
