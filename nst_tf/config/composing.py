"""Composition: Hydra learns the schemas, composes a config, and the config becomes live objects."""

import functools
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import MISSING, DictConfig, OmegaConf

from nst_tf.config.config_store import share_config_store, store_schema
from nst_tf.config.hydra_composition import speed_up_composition
from nst_tf.config.overrides import override_keys, register_resolvers, split_override
from nst_tf.config.recorded_text import COMPONENT_TABLES, SCHEMA_GROUPS, SETTINGS_CLASSES
from nst_tf.config.renames import current_overrides
from nst_tf.config.rerun import read_recorded_run
from nst_tf.config.tree import Config
from nst_tf.config.typed_values import quote_typed_values
from nst_tf.distillation.settings import Distillation
from nst_tf.runs.published import PublishedFigure
from nst_tf.util.errors import InputError
from nst_tf.util.paths import path_exists

RERUN = "rerun=picture"
"""The override that Hydra sees in place of ``rerun=PATH``; the option ``picture`` holds the picture's settings."""

SCHEMAS: dict[str, dict[str, Any]] = {
    **{SCHEMA_GROUPS.get(field, field): table for field, table in COMPONENT_TABLES.items()},
    "part": SETTINGS_CLASSES | {"printed": PublishedFigure},
}
"""Options of each group ``schema/GROUP``, with their classes."""

TREE_GROUP = "schema/tree"
"""Group of the schemas of whole configs; the first entry of a primary config chooses one."""

FIELDS_BY_NAME = ("losses", "tracking", "printed")
"""Fields that hold named objects."""


def from_hydra(config: DictConfig) -> Any:
    """Return the live objects of a composed config: a `Config`, or a `Distillation`.

    Raises:
        InputError: A key that no class declares, or a value out of range; the message names its place.
    """
    _refuse_unknown(config, "")
    for field in FIELDS_BY_NAME:
        for name, node in config.get(field, {}).items():
            try:
                OmegaConf.to_object(node)
            except InputError as error:
                raise InputError(f"{field}.{name}: {error}") from error
    return OmegaConf.to_object(config)


def _refuse_unknown(node: Any, prefix: str) -> None:
    """Refuse keys that no class declares; Hydra accepts any key with a leading ``+``."""
    if not isinstance(node, DictConfig) or node._is_none() or node._is_missing():
        return
    kind = OmegaConf.get_type(node)
    keys = [str(key) for key in node]
    known = [field.name for field in fields(kind)] if is_dataclass(kind) else keys
    for key in keys:
        if key not in known:
            raise InputError(f"Unknown key '{prefix}{key}': available: {', '.join(known)}")
        _refuse_unknown(node._get_node(key), f"{prefix}{key}.")


def compose_config(*overrides: str) -> Config:
    """Return the config of an experiment, composed as the command line does.

    Args:
        overrides: Overrides as typed: ``compose_config("experiment=gatys2016", "steps=5")``.

    Raises:
        InputError: A value out of range. Hydra raises its own errors for unknown keys and options.
    """
    register_schemas()
    arguments, _ = expand_rerun(typed_overrides(overrides))
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        return from_hydra(compose("config", overrides=["name=composed", *arguments]))


def typed_overrides(arguments: Sequence[str]) -> list[str]:
    """Return command-line arguments under their current names, and with quotes around the values that need them."""
    groups = {folder.name for folder in configs_folder().iterdir() if folder.is_dir()}
    return quote_typed_values(current_overrides(arguments), groups)


def expand_rerun(arguments: Sequence[str]) -> tuple[list[str], str]:
    """Register the settings of the picture in ``rerun=PATH`` as an option that Hydra can compose.

    Args:
        arguments: The command-line arguments.

    Returns:
        The arguments with `RERUN` in place of ``rerun=PATH``, and the replaced argument; empty where there is none.

    Raises:
        InputError: The picture cannot be repeated, or not with the other settings; its inputs have moved or changed.
    """
    reruns = [text for text in arguments if text.startswith("rerun=")]
    sources = [source for source in map(_rerun_source, reruns) if source is not None]
    if not sources:
        return list(arguments), ""
    if len(reruns) > 1 or not isinstance(sources[0], str):
        raise InputError(f"{' '.join(reruns)}: give one picture or run folder")
    recorded = read_recorded_run(sources[0])
    typed = override_keys([text for text in arguments if text not in reruns])
    node = recorded.hydra_node(typed)
    recorded.check_sources(typed)
    ConfigStore.instance().store(group="rerun", name="picture", package="_global_", node=node)
    return [RERUN if text in reruns else text for text in arguments], reruns[0]


def _rerun_source(override: str) -> Any:
    """Return the value of ``rerun=``. An existing path needs no quotes, although run names hold ``=`` and commas."""
    _, text = split_override(override)
    return text if path_exists(text) else OverridesParser.create().parse_overrides([override])[0].value()


def configs_folder() -> Path:
    """Return the folder of the YAML files: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside, beside = package / "configs", package.parent / "configs"
    return inside if inside.is_dir() else beside


@functools.cache
def register_schemas() -> None:
    """Register the schemas of both trees, and those of every table under ``schema/GROUP/NAME``, once per process."""
    share_config_store()
    speed_up_composition()
    store_picture_tree("picture", Config)
    store_schema(
        "schema_distill", functools.partial(_schema, Distillation, ("teacher", "runtime"), by_name=("tracking",))
    )
    for group, options in SCHEMAS.items():
        for name, kind in options.items():
            store_schema(name, functools.partial(OmegaConf.structured, kind), f"schema/{group}")
    register_resolvers()


def store_picture_tree(name: str, tree: type[Config]) -> None:
    """Register the schema of `Config`, or of a class derived from it, as an option of `TREE_GROUP`."""
    groups = ("backbone", "optimizer", *SETTINGS_CLASSES)
    store_schema(name, functools.partial(_schema, tree, groups, by_name=("losses", "tracking")), TREE_GROUP)


def _schema(tree: type, groups: Sequence[str], by_name: Sequence[str]) -> DictConfig:
    """Return the schema of a tree without defaults for what YAML files choose.

    Args:
        tree: `Config`, a class derived from it, or `Distillation`.
        groups: Fields whose class a group chooses.
        by_name: Fields of named objects.
    """
    schema = OmegaConf.structured(tree)
    for field in groups:
        schema[field] = MISSING
    for field in by_name:
        schema[field] = {}
    return schema
