"""The command ``video``: its schema, its job, and the places that it prints."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

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
    """Stylise a film.

    Raises:
        InputError: The command is a sweep, or see `nst_tf.video.stylizing.stylize_video`.
    """
    from nst_tf.video.stylizing import stylize_video

    if sweep is not None:
        raise InputError("video: a sweep over films is not offered. Run the command once for each film, without -m.")
    return stylize_video(settings, folder, overrides)


def film_places(folder: Any) -> dict[str, Path]:
    """Return what a stylised film leaves, by the names that are printed.

    Args:
        folder: A `nst_tf.video.folder.VideoFolder`.
    """
    places = {"film": folder.film(".mp4"), "lossless": folder.film(".mkv"), "page": folder.page}
    return {name: path for name, path in places.items() if path.exists()} | {"folder": folder.path}
