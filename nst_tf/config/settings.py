"""A config as text and as plain values: what a run folder keeps of it, and its fingerprint."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

from nst_tf.backbones import BACKBONES
from nst_tf.config.keys import old_key, old_value, role_of
from nst_tf.config.recorded_text import registered_name
from nst_tf.config.tree import Config
from nst_tf.distillation.settings import Distillation
from nst_tf.optimizers import OPTIMIZERS
from nst_tf.runs.record import RecordedSettings
from nst_tf.util.errors import InputError
from nst_tf.util.paths import printable

PlainValue = str | bool | int | float


def to_yaml(config: Config | Distillation) -> str:
    """Return the config as YAML that can be read back."""
    return OmegaConf.to_yaml(_structured(config))


def _structured(config: Config | Distillation) -> Any:
    """Return OmegaConf's form of a config, with a text in place of each picture in memory."""
    return OmegaConf.structured(config.with_source_texts() if isinstance(config, Config) else config)


def read_recorded_pictures(path: Path) -> Config:
    """Read the pictures of a run: content, styles and their shares. All other settings have their defaults.

    Args:
        path: The run's `config.yaml`.

    Raises:
        InputError: The file is missing, or is not a config.
    """
    try:
        recorded: Any = OmegaConf.to_container(OmegaConf.load(path))
        given = {key: recorded[key] for key in ("content", "style", "style_weights")}
        return Config(**given, style_count=recorded.get("style_count"))
    except (OSError, KeyError, TypeError, YAMLError) as error:
        raise InputError(f"'{path}' is not the config of a run: give a run folder") from error


def flatten(config: Config | Distillation) -> dict[str, PlainValue]:
    """Return dotted keys with plain values, lists as text, in the form that TensorBoard's HParams take.

    Settings that the method does not read and those with ``in_hparams=False`` in their role are left out.
    """
    container = OmegaConf.to_container(_structured(config))
    return {key: value for key, value in _leaves("", container) if role_of(key).in_hparams and _is_read(config, key)}


def _is_read(config: Config | Distillation, key: str) -> bool:
    """Return whether the config's method reads a setting; a distillation has no methods and reads all."""
    return isinstance(config, Distillation) or role_of(key).method in (None, config.method.name)


def component_names(config: Config | Distillation) -> dict[str, str]:
    """Return the names of backbone and optimiser in their tables, which `flatten` lacks; none for a distillation."""
    if not isinstance(config, Config):
        return {}
    components: dict[str, tuple[Any, Mapping[str, type]]] = {
        "backbone": (config.backbone, BACKBONES),
        "optimizer": (config.optimizer, OPTIMIZERS),
    }
    return {key: registered_name(part, table) or type(part).__name__ for key, (part, table) in components.items()}


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, PlainValue]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(f"{prefix}.{key}" if prefix else str(key), child)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from _leaves(f"{prefix}.{number}", item)
    elif isinstance(value, list):
        yield prefix, f"[{','.join(str(_plain(item)) for item in value)}]"
    else:
        yield prefix, "null" if value is None else _plain(value)


def _plain(value: Any) -> Any:
    """Return the name of a choice, and every other value unchanged."""
    return value.name if isinstance(value, Enum) else value


def _writable(value: PlainValue) -> PlainValue:
    return printable(value) if isinstance(value, str) else value


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
        flat={key: _writable(value) for key, value in flatten(config).items()} | component_names(config),
        fingerprint=fingerprint(config, [*hashes, str(weights and weights["sha256"]), precision]),
        precision=precision,
        overrides=overrides,
    )


def _is_implied(key: str, value: PlainValue) -> bool:
    """Return whether a setting has the value that versions without it computed with."""
    return role_of(key).implies(value)


def fingerprint(config: Config | Distillation, hashes: Sequence[str]) -> str:
    """Return the SHA-256 over everything that decides the result of a run.

    These are the settings with ``in_fingerprint`` in their role, the hashes of inputs and weights, and the precision.
    A setting with its ``implied_value`` is left out. The number of steps is left out where a picture has one scale, so
    that a finished run can be prolonged. Settings are spelled with the names of the previous release, so that its run
    folders can be continued.

    Args:
        config: The settings.
        hashes: SHA-256 of the inputs and weights, and the precision.
    """
    prolongable = isinstance(config, Config) and len(config.schedule.plan()) == 1
    deciding = sorted(
        f"{old_key(key)}={old_value(key, value)}"
        for key, value in flatten(config).items()
        if role_of(key).in_fingerprint and not (prolongable and key == "steps") and not _is_implied(key, value)
    )
    return hashlib.sha256("\n".join([*deciding, *hashes]).encode(errors="surrogateescape")).hexdigest()
