"""A config as text and as plain values: what is kept of it, shown of it, and what of it decides a picture."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

from nst_tf.backbones import BACKBONES
from nst_tf.config.tree import Config, Method
from nst_tf.distillation import Distillation
from nst_tf.errors import InputError
from nst_tf.naming import is_under, name_of
from nst_tf.optimizers import OPTIMIZERS
from nst_tf.rerun import OF_LOSSES


def to_yaml(config: Config | Distillation) -> str:
    """The config as YAML, ready to be read again."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def read_pictures(path: Path) -> Config:
    """What a run's `config.yaml` says of its pictures: content, styles, shares; all else at its default.

    Raises:
        InputError: There is no such file, or it is no config.
    """
    try:
        said: Any = OmegaConf.to_container(OmegaConf.load(path))
        given = {key: said[key] for key in ("content", "style", "style_weights")}
        return Config(**given, style_count=said.get("style_count"))
    except (OSError, KeyError, TypeError, YAMLError) as error:
        raise InputError(f"'{path}' is not the config of a run: give a run folder") from error


def flat(config: Config | Distillation) -> dict[str, str | bool | int | float]:
    """Dotted keys to plain values, lists as text: what TensorBoard's HParams take.

    Settings that the method does not look at are left out, and printed figures, which set nothing.
    """
    container: Any = OmegaConf.to_container(OmegaConf.structured(config))
    container.pop("printed", None)
    unread = UNREAD[config.method] if isinstance(config, Config) else ()
    return {key: value for key, value in _leaves("", container) if not is_under(key, unread)}


UNREAD: dict[Method, tuple[str, ...]] = {
    Method.optimise: ("library.",),
    Method.library: (
        *("steps", "seed", "backbone.", "losses.", "optimizer.", "schedule."),
        *("image.start", "image.start_weights", "image.noise", "image.noise_scale", "image.fit_memory"),
        *("image.style_size", "image.style_fit", "image.style_scale", "image.enlarge_style"),
        *("runtime.precision", "runtime.recompute"),
    ),
}
"""Settings that a method does not look at."""


def without_effect(config: Config, overrides: Sequence[str]) -> list[str]:
    """Those of the overrides that set what the method does not look at: settings, or groups that hold nothing else."""
    settings = UNREAD[config.method]
    groups = tuple(name.rstrip(".") for name in settings if name.endswith("."))
    unread = (*settings, *groups, *(OF_LOSSES if "losses" in groups else ()))
    return [text for text in overrides if is_under(text.lstrip("+~").partition("=")[0], unread)]


def chosen(config: Config | Distillation) -> dict[str, str]:
    """Network and optimiser by their names in the tables, which `flat` does not tell; none of a distillation."""
    if not isinstance(config, Config):
        return {}
    parts: dict[str, tuple[Any, Mapping[str, type]]] = {
        "backbone": (config.backbone, BACKBONES),
        "optimizer": (config.optimizer, OPTIMIZERS),
    }
    return {group: name_of(part, table) or type(part).__name__ for group, (part, table) in parts.items()}


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, str | bool | int | float]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(f"{prefix}.{key}" if prefix else str(key), child)
    elif isinstance(value, list):
        yield prefix, f"[{','.join(str(_plain(item)) for item in value)}]"
    else:
        yield prefix, "null" if value is None else _plain(value)


def _plain(value: Any) -> Any:
    """A choice by its name; all else as it is."""
    return value.name if isinstance(value, Enum) else value


ASIDE = (
    *("name", "content", "style", "backbone.weights", "tracking.", "evaluation."),
    *("photographs", "paintings", "teacher.weights"),
    "runtime.",
)
"""Settings that do not decide a picture, and those that hashes or the precision in use speak for."""


def fingerprint(config: Config | Distillation, hashes: list[str]) -> str:
    """SHA-256 over all that decides what a run makes: settings, the hashes of its inputs and weights, the precision.

    Left out: the name, what watches, where it computes, and how long a picture of one scale goes on.
    """
    settings: dict[str, Any] = dict(flat(config))
    aside = ASIDE + (("steps",) if isinstance(config, Config) and len(config.schedule.scales) == 1 else ())
    kept = sorted(f"{key}={value}" for key, value in settings.items() if not is_under(key, aside))
    return hashlib.sha256("\n".join([*kept, *hashes]).encode()).hexdigest()
