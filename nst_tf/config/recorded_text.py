"""The texts in a picture of a run: how a run writes them, and how they are parsed and checked.

A picture may come from elsewhere. Its texts are data: they set fields of `Config` and nothing else, no setting of Hydra
and no ``_target_``.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from nst_tf.backbones import BACKBONES
from nst_tf.config.renames import current_settings
from nst_tf.config.tree import Config, Method
from nst_tf.evaluation import EvaluationConfig
from nst_tf.feedforward import Magenta
from nst_tf.images import Canvas
from nst_tf.images.canvas import BUILT_IN_STARTS
from nst_tf.images.regions import mask_sources
from nst_tf.losses import LOSSES
from nst_tf.observers import OBSERVERS
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import OPTIMIZERS, Parametrisation
from nst_tf.runs.record import library_versions
from nst_tf.runs.record_fields import checked_entries
from nst_tf.system.runtime import Precision, Runtime
from nst_tf.util.parsing import parse_json, parse_yaml

CONFIG, VERSIONS, RUN = "nst_tf:config", "nst_tf:versions", "nst_tf:run"
"""Keywords of the texts in a picture: settings as YAML, versions as lines, facts about the run as JSON."""

COMPONENT_TABLES: dict[str, dict[str, Any]] = {
    "backbone": BACKBONES,
    "optimizer": OPTIMIZERS,
    "losses": LOSSES,
    "tracking": OBSERVERS,
}
"""Fields whose class is chosen from a table; the settings alone do not name the class."""

SETTINGS_CLASSES: dict[str, type] = {
    "image": Canvas,
    "parametrisation": Parametrisation,
    "schedule": Schedule,
    "runtime": Runtime,
    "evaluation": EvaluationConfig,
    "feedforward": Magenta,
}
"""Fields whose class is fixed."""

SCHEMA_GROUPS = {"losses": "loss", "tracking": "observer"}
"""Groups below ``schema/`` whose name differs from the field's."""

RECORDED_FACTS = ("inputs", "weights", "precision", "size_factor", "status", "steps")
"""Keys of `run.json` that a picture keeps."""

COMPONENT_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,99}", re.ASCII)
"""Names of losses, observers and published figures. Hydra's keywords, such as ``_target_``, begin with ``_``."""

MISSING = "???"
"""Text that stands for a missing value in OmegaConf, which no run can have."""


def picture_text(config: str, components: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts that a run writes into its picture: settings, versions, and facts about the run.

    Args:
        config: The settings as YAML.
        components: The objects set under each name of `COMPONENT_TABLES`.
        record: The content of `run.json`.

    Returns:
        The texts by PNG keyword: `CONFIG`, `VERSIONS` and `RUN`.
    """
    run = {"kinds": {name: _class_names(name, value) for name, value in components.items()}}
    run |= {key: record[key] for key in RECORDED_FACTS if key in record}
    lines = "\n".join(f"{name} {version}" for name, version in library_versions().items())
    return {CONFIG: config, VERSIONS: lines, RUN: json.dumps(run, ensure_ascii=False)}


def registered_name(component: Any, table: Mapping[str, Any]) -> str | None:
    """Return the name of a component's class in a table; None for a class that is not in the table."""
    return next((name for name, kind in table.items() if type(component) is kind), None)


def _class_names(field: str, component: Any) -> Any:
    """Return the name of a component's class in its table, or of each class where a field holds several."""
    if isinstance(component, dict):
        return {key: _class_names(field, value) for key, value in component.items()}
    return registered_name(component, COMPONENT_TABLES[field])


def parse_texts(text: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return settings and facts about the run.

    Raises:
        ValueError: A text is damaged or was edited; the message gives the reason.
    """
    settings, run = parse_yaml(text[CONFIG]), parse_json(text[RUN])
    _require(isinstance(settings, dict) and isinstance(run, dict), "they are no settings of a run")
    settings = current_settings(settings)
    _check_settings(settings)
    run = checked_entries(run)
    _check_run(settings, run)
    _check_recorded_inputs(settings, run)
    return settings, run


def _check_settings(settings: Mapping[str, Any]) -> None:
    known = {field.name for field in fields(Config)}
    if unknown := [key for key in settings if key not in known]:
        raise ValueError(f"{unknown[0][:60]!r} is no setting of a run")
    groups = {*SETTINGS_CLASSES, *COMPONENT_TABLES, "printed"}
    are_dictionaries = all(isinstance(settings[key], dict) for key in groups & settings.keys())
    _require(are_dictionaries, "a group of settings is no dictionary")
    if missing := [key for key in ("backbone", "runtime", "image") if key not in settings]:
        raise ValueError(f"{missing[0]} is missing")
    _require(MISSING not in _texts(settings), f"a setting is {MISSING!r}, a missing value")


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a nested setting."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _check_run(settings: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    kinds: Any = run.get("kinds")
    _require(isinstance(kinds, dict), "the classes of the run are missing")
    _require(run.get("precision") in Precision.__members__, "the precision of the run is missing")
    for field in COMPONENT_TABLES.keys() & settings.keys():
        recorded = kinds.get(field)
        several = field in SCHEMA_GROUPS
        _require(isinstance(recorded, dict) == several, f"the classes of {field} are missing")
        matches = not several or recorded.keys() == settings[field].keys()
        _require(matches, f"the classes of {field} do not belong to its settings")
        names = recorded.values() if several else [recorded]
        _require(all(isinstance(name, str | None) for name in names), f"a class of {field} is no name")
    names = [name for field in (*SCHEMA_GROUPS, "printed") for name in settings.get(field) or {}]
    if odd := [name for name in names if not COMPONENT_NAME.fullmatch(name)]:
        raise ValueError(f"{odd[0][:60]!r} is no name of a loss, an observer or a figure")
    _require(0 < run.get("size_factor", 1.0) <= 1, "size_factor is not between 0 and 1")


def _check_recorded_inputs(settings: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Check that hashes were recorded for the very files that the settings name."""
    styles, count = _as_list(settings.get("style")), settings.get("style_count")
    _require(isinstance(count, int | None), "style_count is no integer")
    feedforward = settings.get("method") == Method.feedforward.name
    optimizes = settings.get("method", Method.optimize.name) == Method.optimize.name
    starts = _as_list(settings["image"].get("start")) if optimizes else []
    files = {
        "content": _as_list(settings.get("content")),
        "style": styles[:count],
        "start": [name for name in starts if name not in BUILT_IN_STARTS],
        "colour_from": _as_list(settings["image"].get("colour_from")),
    }
    files |= mask_sources(settings.get("regions") or {}) if optimizes else {}
    recorded: dict[str, list[str]] = {role: [] for role in files}
    for role, picture in (run.get("inputs") or {}).items():
        recorded.setdefault(role.partition(":")[0], []).append(picture["source"])
    for role, sources in recorded.items():
        _require(sources == files.get(role), f"its {role[:60]} is not the one of which a hash was recorded")
    weights, network = run.get("weights"), settings.get("feedforward" if feedforward else "backbone", {})
    if weights is not None:
        same = "sha256" in weights and weights.get("weights") == network.get("weights", ...)
        _require(same, "its weights are not those of which a hash was recorded")


def _require(valid: bool, otherwise: str) -> None:
    if not valid:
        raise ValueError(otherwise)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
