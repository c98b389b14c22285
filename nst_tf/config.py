"""The Config tree: what one experiment is, and how Hydra learns of it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf
from yaml import YAMLError

from nst_tf.backbones import BACKBONES, Backbone, VGG19Lite
from nst_tf.checks import at_least
from nst_tf.distillation import Distillation
from nst_tf.errors import InputError
from nst_tf.evaluation import Judging
from nst_tf.images import Canvas
from nst_tf.losses import LOSSES, ContentLoss, ContentReduction, GramLoss, GramReduction, Loss, OverLayers
from nst_tf.observers import OBSERVERS, Observer
from nst_tf.optimizers import LBFGS, OPTIMIZERS, Optimizer
from nst_tf.runtime import Runtime
from nst_tf.schedule import Schedule


def relative_losses() -> dict[str, Loss]:
    """Content at conv4_2, Gram matrices at eleven layers up to conv5_1, each distance relative to its target."""
    style = [
        *("conv1_1", "stage1", "conv2_1", "stage2", "conv3_1", "conv3_2", "stage3"),
        *("conv4_1", "conv4_2", "stage4", "conv5_1"),
    ]
    return {
        "content": ContentLoss(weight=1.0, layers=["conv4_2"], reduction=ContentReduction.relative),
        "style": GramLoss(weight=70.0, layers=style, over_layers=OverLayers.mean, reduction=GramReduction.relative),
    }


@dataclass
class Config:
    """One experiment.

    Attributes:
        content: A path or ``sample:NAME``; None where no loss looks at it: then the first style sets the shape.
        style: A path or ``sample:NAME``, or a list of them; None where no loss looks at one.
        style_weights: One share a style, divided by their sum; None for equal shares.
        name: The run's folder below ``outputs/runs``.
        steps: Solver steps, over all scales.
        seed: Of everything random: noise and random weights.
        backbone: The network whose features are compared.
        losses: Named components of the objective.
        optimizer: What moves the pixels.
        image: Sizes, colours and start.
        schedule: Scales, and rules that end a run early.
        runtime: Device, threads, determinism.
        tracking: Named observers.
        evaluation: Whether and by whom the picture is scored at the end.
    """

    content: str | None = None
    style: Any = None
    style_weights: list[float] | None = None
    name: str = "stylized"
    steps: int = 200
    seed: int = 0
    backbone: Backbone = field(default_factory=VGG19Lite)
    losses: dict[str, Loss] = field(default_factory=relative_losses)
    optimizer: Optimizer = field(default_factory=LBFGS)
    image: Canvas = field(default_factory=Canvas)
    schedule: Schedule = field(default_factory=Schedule)
    runtime: Runtime = field(default_factory=Runtime)
    tracking: dict[str, Observer] = field(default_factory=lambda: {name: new() for name, new in OBSERVERS.items()})
    evaluation: Judging = field(default_factory=Judging)

    def __post_init__(self) -> None:
        at_least("steps", self.steps, 1)
        at_least("seed", self.seed, 0)
        if not isinstance(self.style, str | list | None) or not all(isinstance(s, str) for s in self.styles):
            raise InputError(f"style={self.style!r}: must be a path, sample:NAME, or a list of these")
        self._check_style_weights()
        if self.schedule.keep_state and not self.optimizer.inheritable:
            raise InputError(
                f"schedule.keep_state=true: what {type(self.optimizer).__name__} remembers of one size is no use at "
                "another: set it to false, or choose optimizer=adam, sgd or rmsprop"
            )

    def _check_style_weights(self) -> None:
        if self.style_weights is None:
            return
        if len(self.style_weights) != len(self.styles):
            raise InputError(
                f"style_weights has {len(self.style_weights)} entries for {len(self.styles)} style(s): "
                "give one a style, or leave it out for equal shares"
            )
        if min(self.style_weights) < 0 or not 0 < sum(self.style_weights) < float("inf"):
            raise InputError(f"style_weights={self.style_weights}: must be 0 or more, and not all 0")

    @property
    def styles(self) -> list[str]:
        """Where the styles come from; empty where there is none."""
        if self.style is None:
            return []
        return [self.style] if isinstance(self.style, str) else list(self.style)

    @property
    def shares(self) -> list[float]:
        """One share a style, summing to 1."""
        weights = self.style_weights or [1.0] * len(self.styles)
        return [weight / sum(weights) for weight in weights]


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
        return Config(content=said["content"], style=said["style"], style_weights=said["style_weights"])
    except (OSError, KeyError, TypeError, YAMLError) as error:
        raise InputError(f"'{path}' is not the config of a run: give a run folder") from error


def flat(config: Config | Distillation) -> dict[str, str | bool | int | float]:
    """Dotted keys to plain values, lists as text: what TensorBoard's HParams take."""
    container = OmegaConf.to_container(OmegaConf.structured(config))
    return dict(_leaves("", container))


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
    kept = sorted(f"{key}={value}" for key, value in settings.items() if not _is_under(key, aside))
    return hashlib.sha256("\n".join([*kept, *hashes]).encode()).hexdigest()


def _is_under(key: str, names: tuple[str, ...]) -> bool:
    """Whether a dotted key is one of the names, or lies in a group of those that end in a dot."""
    return key in names or key.startswith(tuple(name for name in names if name.endswith(".")))


def from_hydra(config: DictConfig) -> Any:
    """A composed config as live objects: a `Config`, or a `Distillation`.

    Raises:
        InputError: A key that nothing reads, or a value out of range, named with its place.
    """
    _refuse_unknown(config, "")
    for group in ("losses", "tracking"):
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


def composed(*overrides: str) -> Config:
    """The config of an experiment, composed as the command line does: ``composed("experiment=gatys2016", "steps=5")``.

    Raises:
        InputError: A value out of range. Hydra's own errors for what it does not know.
    """
    register()
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        return from_hydra(compose("config", overrides=["name=composed", *overrides]))


def configs_folder() -> Path:
    """Where the YAML files lie: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parent
    inside, beside = package / "configs", package.parent / "configs"
    return inside if inside.is_dir() else beside


NOT_TELLING = (
    *("content", "style", "backbone.weights", "name", "sweep", "experiment"),
    *("launcher", "tracking", "tracking.", "evaluation", "evaluation.", "runtime.device", "runtime.threads"),
)
"""Overrides that do not tell the runs of a sweep apart, or are paths."""


def folder_name(overrides: list[str], length: int = 120) -> str:
    """Overrides as a folder's name: no slashes, not too long for a file system, the same under every launcher."""
    telling = [text for text in overrides if not _is_under(text.lstrip("+~").partition("=")[0], NOT_TELLING)]
    name = ",".join(telling).replace("/", "_").encode()[:length]
    return name.decode(errors="ignore").rstrip(",")


def _schema(kind: type, parts: Sequence[str], named: Sequence[str]) -> DictConfig:
    """A tree with its groups open: each takes what its table or its YAML gives, and nothing else."""
    schema = OmegaConf.structured(kind)
    for group in parts:
        schema[group] = MISSING
    for group in named:
        schema[group] = {}
    return schema


def register() -> None:
    """Give Hydra the schemas of the trees, and one of each table's entries under ``schema/GROUP/NAME``."""
    store = ConfigStore.instance()
    parts = ("backbone", "optimizer", "image", "schedule", "runtime", "evaluation")
    store.store(name="schema", node=_schema(Config, parts, named=("losses", "tracking")))
    store.store(name="schema_distill", node=_schema(Distillation, ("teacher", "runtime"), named=("tracking",)))
    tables: dict[str, dict[str, Any]] = {
        "backbone": BACKBONES,
        "loss": LOSSES,
        "optimizer": OPTIMIZERS,
        "observer": OBSERVERS,
        "part": {"image": Canvas, "schedule": Schedule, "runtime": Runtime, "evaluation": Judging},
    }
    for group, table in tables.items():
        for name, node in table.items():
            store.store(group=f"schema/{group}", name=name, node=node)
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
