"""How Hydra learns of the trees, and a composed config becomes live objects."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import MISSING, DictConfig, OmegaConf

from nst_tf.backbones import BACKBONES
from nst_tf.config.overrides import register_resolvers
from nst_tf.config.rerun import read_recorded_run
from nst_tf.config.tree import Config
from nst_tf.distillation.settings import Distillation
from nst_tf.evaluation import EvaluationConfig
from nst_tf.feedforward import Magenta
from nst_tf.images import Canvas
from nst_tf.losses import LOSSES
from nst_tf.observers import OBSERVERS
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import OPTIMIZERS
from nst_tf.runs.published import PublishedFigure
from nst_tf.system.runtime import Runtime
from nst_tf.util.errors import InputError


def from_hydra(config: DictConfig) -> Any:
    """A composed config as live objects: a `Config`, or a `Distillation`.

    Raises:
        InputError: A key that nothing reads, or a value out of range, named with its place.
    """
    _refuse_unknown(config, "")
    for group in ("losses", "tracking", "printed"):
        for name, node in config.get(group, {}).items():
            try:
                OmegaConf.to_object(node)
            except InputError as error:
                raise InputError(f"{group}.{name}: {error}") from error
    return OmegaConf.to_object(config)


def _refuse_unknown(node: Any, path: str) -> None:
    """A leading + adds any key to Hydra's config; here one that no class declares is a misspelling."""
    if not isinstance(node, DictConfig) or node._is_none() or node._is_missing():
        return
    kind = OmegaConf.get_type(node)
    keys = [str(key) for key in node]
    known = [field.name for field in fields(kind)] if is_dataclass(kind) else keys
    for key in keys:
        if key not in known:
            raise InputError(f"Unknown key '{path}{key}': available: {', '.join(known)}")
        _refuse_unknown(node._get_node(key), f"{path}{key}.")


def compose_config(*overrides: str) -> Config:
    """The config of an experiment, composed as the command line does: ``composed("experiment=gatys2016", "steps=5")``.

    Raises:
        InputError: A value out of range. Hydra's own errors for what it does not know.
    """
    register_schemas()
    arguments, _ = expand_rerun(overrides)
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        return from_hydra(compose("config", overrides=["name=composed", *arguments]))


RERUN = "rerun=picture"
"""What Hydra sees of ``rerun=PATH``: an option that holds what the picture says."""


def expand_rerun(arguments: Sequence[str]) -> tuple[list[str], str]:
    """Make ``rerun=PATH`` known to Hydra.

    Args:
        arguments: What is typed; of what sets a key, the key is looked at.

    Returns:
        The arguments with `RERUN` in its place, and what was typed there; empty where nothing was.

    Raises:
        InputError: The picture cannot be repeated, or not with the other settings; its inputs have moved or changed.
    """
    asked = [text for text in arguments if text.startswith("rerun=")]
    sources = [source for source in map(_source, asked) if source is not None]
    if not sources:
        return list(arguments), ""
    if len(asked) > 1 or not isinstance(sources[0], str):
        raise InputError(f"{' '.join(asked)}: give one picture or run folder")
    recorded = read_recorded_run(sources[0])
    typed = {text.lstrip("+~").partition("=")[0] for text in arguments if "=" in text and text not in asked}
    node = recorded.node(typed)
    recorded.check(typed)
    ConfigStore.instance().store(group="rerun", name="picture", package="_global_", node=node)
    return [RERUN if text in asked else text for text in arguments], asked[0]


def _source(override: str) -> Any:
    """The value of ``rerun=``; a path that exists is taken as it stands, since names of runs hold ``=`` and commas."""
    text = override.partition("=")[2]
    return text if Path(text).expanduser().exists() else OverridesParser.create().parse_override(override).value()


def configs_folder() -> Path:
    """Where the YAML files lie: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside, beside = package / "configs", package.parent / "configs"
    return inside if inside.is_dir() else beside


def _schema(kind: type, parts: Sequence[str], named: Sequence[str]) -> DictConfig:
    """A tree with its groups open: each takes what its table or its YAML gives, and nothing else."""
    schema = OmegaConf.structured(kind)
    for group in parts:
        schema[group] = MISSING
    for group in named:
        schema[group] = {}
    return schema


def register_schemas() -> None:
    """Give Hydra the schemas of the trees, and one of each table's entries under ``schema/GROUP/NAME``."""
    store = ConfigStore.instance()
    parts = ("backbone", "optimizer", "image", "schedule", "runtime", "evaluation", "feedforward")
    store.store(name="schema", node=_schema(Config, parts, named=("losses", "tracking")))
    store.store(name="schema_distill", node=_schema(Distillation, ("teacher", "runtime"), named=("tracking",)))
    tables: dict[str, dict[str, Any]] = {
        "backbone": BACKBONES,
        "loss": LOSSES,
        "optimizer": OPTIMIZERS,
        "observer": OBSERVERS,
        "part": {
            "image": Canvas,
            "schedule": Schedule,
            "runtime": Runtime,
            "evaluation": EvaluationConfig,
            "feedforward": Magenta,
            "printed": PublishedFigure,
        },
    }
    for group, table in tables.items():
        for name, node in table.items():
            store.store(group=f"schema/{group}", name=name, node=node)
    register_resolvers()
