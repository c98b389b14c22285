"""A config as text and as plain values: what is kept of it, shown of it, and what of it decides a picture."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

from nst_tf.backbones import BACKBONES
from nst_tf.config.overrides import matches_key, registered_name
from nst_tf.config.rerun import OF_LOSSES
from nst_tf.config.tree import Config, Method
from nst_tf.distillation.settings import Distillation
from nst_tf.optimizers import OPTIMIZERS
from nst_tf.runs.session import RecordedSettings
from nst_tf.util.errors import InputError


def to_yaml(config: Config | Distillation) -> str:
    """The config as YAML, ready to be read again."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def read_recorded_pictures(path: Path) -> Config:
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


def flatten(config: Config | Distillation) -> dict[str, str | bool | int | float]:
    """Dotted keys to plain values, lists as text: what TensorBoard's HParams take.

    Settings that the method does not look at are left out, and printed figures, which set nothing.
    """
    container: Any = OmegaConf.to_container(OmegaConf.structured(config))
    container.pop("printed", None)
    unread = UNREAD[config.method] if isinstance(config, Config) else ()
    return {key: value for key, value in _leaves("", container) if not matches_key(key, unread)}


UNREAD: dict[Method, tuple[str, ...]] = {
    Method.optimize: ("feedforward.",),
    Method.feedforward: (
        *("steps", "seed", "backbone.", "losses.", "optimizer.", "schedule."),
        *("image.start", "image.start_weights", "image.noise", "image.noise_scale", "image.fit_memory"),
        *("image.style_size", "image.style_fit", "image.style_scale", "image.enlarge_style"),
        *("runtime.precision", "runtime.recompute"),
    ),
}
"""Settings that a method does not look at."""


def unused_overrides(config: Config, overrides: Sequence[str]) -> list[str]:
    """Those of the overrides that set what the method does not look at: settings, or groups that hold nothing else."""
    settings = UNREAD[config.method]
    groups = tuple(name.rstrip(".") for name in settings if name.endswith("."))
    unread = (*settings, *groups, *(OF_LOSSES if "losses" in groups else ()))
    return [text for text in overrides if matches_key(text.lstrip("+~").partition("=")[0], unread)]


def component_names(config: Config | Distillation) -> dict[str, str]:
    """Network and optimiser by their names in the tables, which `flat` does not tell; none of a distillation."""
    if not isinstance(config, Config):
        return {}
    parts: dict[str, tuple[Any, Mapping[str, type]]] = {
        "backbone": (config.backbone, BACKBONES),
        "optimizer": (config.optimizer, OPTIMIZERS),
    }
    return {group: registered_name(part, table) or type(part).__name__ for group, (part, table) in parts.items()}


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


def recorded_settings(
    config: Config | Distillation,
    overrides: Sequence[str],
    hashes: Sequence[str],
    weights: Mapping[str, str | None] | None,
    precision: str | None = None,
) -> RecordedSettings:
    """Return what a run's folder records of its settings.

    Args:
        config: The settings.
        overrides: The overrides that were typed to get them.
        hashes: SHA-256 of every input but the weights.
        weights: Identity of the network's weights, as `Backbone.identity` gives it; None without a network.
        precision: What the network computes in; by default `Runtime.policy`.
    """
    precision = precision or config.runtime.policy()
    return RecordedSettings(
        name=config.name,
        steps=config.steps,
        yaml=to_yaml(config),
        flat=flatten(config) | component_names(config),
        fingerprint=fingerprint(config, [*hashes, str(weights and weights["sha256"]), precision]),
        precision=precision,
        overrides=overrides,
    )


def fingerprint(config: Config | Distillation, hashes: list[str]) -> str:
    """SHA-256 over all that decides what a run makes: settings, the hashes of its inputs and weights, the precision.

    Left out: the name, what watches, where it computes, and how long a picture of one scale goes on.
    """
    settings: dict[str, Any] = dict(flatten(config))
    aside = ASIDE + (("steps",) if isinstance(config, Config) and len(config.schedule.scales) == 1 else ())
    kept = sorted(f"{key}={value}" for key, value in settings.items() if not matches_key(key, aside))
    return hashlib.sha256("\n".join([*kept, *hashes]).encode()).hexdigest()
