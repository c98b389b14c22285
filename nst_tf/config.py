"""The Config tree: what one experiment is, and how Hydra learns of it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import MISSING, DictConfig, OmegaConf
from yaml import YAMLError

from nst_tf.backbones import BACKBONES, Backbone, VGG19Lite
from nst_tf.checks import at_least, choice
from nst_tf.distillation import Distillation
from nst_tf.errors import InputError
from nst_tf.evaluation import Judging
from nst_tf.images import Canvas
from nst_tf.library import Magenta
from nst_tf.losses import LOSSES, ContentLoss, ContentReduction, GramLoss, GramReduction, Loss, OverLayers
from nst_tf.naming import is_under, register_resolvers
from nst_tf.observers import OBSERVERS, Observer
from nst_tf.optimizers import LBFGS, OPTIMIZERS, Optimizer
from nst_tf.printed import Printed
from nst_tf.rerun import read_recorded
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


class Method(Enum):
    """How a picture is made: by optimising its pixels, or by a network that was trained for it, in one pass."""

    optimise = "optimise"
    library = "library"


@dataclass
class Config:
    """One experiment.

    Attributes:
        content: A path or ``sample:NAME``; None where no loss looks at it: then the first style sets the shape.
        style: A path or ``sample:NAME``, or a list of them; None where no loss looks at one.
        style_weights: One share a style, divided by their sum; None for equal shares.
        style_count: How many of the styles take part, from the first on; None for all.
        method: ``optimise`` or ``library``, by name or as a `Method`.
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
        library: The network of ``method=library``, which looks at content, styles, sizes and colours alone.
        printed: Named figures of a paper, which a report sets beside the measured ones.
    """

    content: str | None = None
    style: Any = None
    style_weights: list[float] | None = None
    style_count: int | None = None
    method: Method = Method.optimise
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
    library: Magenta = field(default_factory=Magenta)
    printed: dict[str, Printed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.method = choice("method", self.method, Method)
        at_least("steps", self.steps, 1)
        at_least("seed", self.seed, 0)
        if not isinstance(self.style, str | list | None) or not all(isinstance(s, str) for s in self._given_styles):
            raise InputError(f"style={self.style!r}: must be a path, sample:NAME, or a list of these")
        self._check_style_count()
        self._check_style_weights()
        if self.schedule.keep_state and not self.optimizer.inheritable:
            raise InputError(
                f"schedule.keep_state=true: what {type(self.optimizer).__name__} remembers of one size is no use at "
                "another: set it to false, or choose optimizer=adam, sgd or rmsprop"
            )

    def _check_style_weights(self) -> None:
        if self.style_weights is None:
            return
        if len(self.style_weights) != len(self._given_styles):
            raise InputError(
                f"style_weights has {len(self.style_weights)} entries for {len(self._given_styles)} style(s): "
                "give one a style, or leave it out for equal shares"
            )
        if min(self.style_weights) < 0 or not 0 < sum(self.style_weights[: self.style_count]) < float("inf"):
            raise InputError(f"style_weights={self.style_weights}: must be 0 or more, and not all 0")

    def _check_style_count(self) -> None:
        if self.style_count is None:
            return
        at_least("style_count", self.style_count, 1)
        if 0 < len(self._given_styles) < self.style_count:
            raise InputError(
                f"style_count={self.style_count}: style names {len(self._given_styles)}; give 'style=[a.jpg,b.jpg,…]'"
            )

    @property
    def _given_styles(self) -> list[str]:
        if self.style is None:
            return []
        return [self.style] if isinstance(self.style, str) else list(self.style)

    @property
    def styles(self) -> list[str]:
        """Where the styles that take part come from; empty where there is none."""
        return self._given_styles[: self.style_count]

    @property
    def shares(self) -> list[float]:
        """One share a style, summing to 1."""
        weights = (self.style_weights or [1.0] * len(self._given_styles))[: self.style_count]
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
    unread = (*settings, *groups, *(("loss", "layers", "weights") if "losses" in groups else ()))
    return [text for text in overrides if is_under(text.lstrip("+~").partition("=")[0], unread)]


def chosen(config: Config | Distillation) -> dict[str, str]:
    """Network and optimiser by their names in the tables, which `flat` does not tell; none of a distillation."""
    if not isinstance(config, Config):
        return {}
    parts: dict[str, tuple[Any, Mapping[str, type]]] = {
        "backbone": (config.backbone, BACKBONES),
        "optimizer": (config.optimizer, OPTIMIZERS),
    }
    return {
        group: next((name for name, kind in table.items() if type(part) is kind), type(part).__name__)
        for group, (part, table) in parts.items()
    }


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


def composed(*overrides: str) -> Config:
    """The config of an experiment, composed as the command line does: ``composed("experiment=gatys2016", "steps=5")``.

    Raises:
        InputError: A value out of range. Hydra's own errors for what it does not know.
    """
    register()
    arguments, _ = repeating(overrides)
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        return from_hydra(compose("config", overrides=["name=composed", *arguments]))


RERUN = "rerun=picture"
"""What Hydra sees of ``rerun=PATH``: an option that holds what the picture says."""


def repeating(arguments: Sequence[str]) -> tuple[list[str], str]:
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
    recorded = read_recorded(sources[0])
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
    package = Path(__file__).parent
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


def register() -> None:
    """Give Hydra the schemas of the trees, and one of each table's entries under ``schema/GROUP/NAME``."""
    store = ConfigStore.instance()
    parts = ("backbone", "optimizer", "image", "schedule", "runtime", "evaluation", "library")
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
            "evaluation": Judging,
            "library": Magenta,
            "printed": Printed,
        },
    }
    for group, table in tables.items():
        for name, node in table.items():
            store.store(group=f"schema/{group}", name=name, node=node)
    register_resolvers()
