"""What a picture says of the run that made it, and how that run is repeated: ``rerun=stylized.png``."""

import json
import logging
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from nst_tf._version import __version__
from nst_tf.backbones import BACKBONES
from nst_tf.config.overrides import registered_name
from nst_tf.feedforward import Magenta
from nst_tf.images import Canvas, read_picture, read_text
from nst_tf.losses import LOSSES
from nst_tf.observers import OBSERVERS
from nst_tf.optimizers import OPTIMIZERS
from nst_tf.runs.folder import RunFolder, versions
from nst_tf.util.errors import InputError

log = logging.getLogger(__name__)

CONFIG, VERSIONS, RUN = "nst_tf:config", "nst_tf:versions", "nst_tf:run"
"""Keys of a picture's text."""

COMPONENT_TABLES: dict[str, dict[str, Any]] = {
    "backbone": BACKBONES,
    "optimizer": OPTIMIZERS,
    "losses": LOSSES,
    "tracking": OBSERVERS,
}
"""Settings whose class is chosen from a table, which their values alone do not tell."""

SCHEMAS = {"losses": "loss", "tracking": "observer"}
"""Schema groups of those that are called otherwise."""

OF_LOSSES = ("loss", "layers", "weights", "smoothing", "balance")
"""Groups that set the losses together."""

WHOLE = ("experiment", "sweep", *OF_LOSSES)
"""Groups that set what a picture holds already, several settings at a time."""


def picture_text(config: str, components: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, str]:
    """What a run writes into its picture: settings, versions, and what else decides on the pixels.

    Args:
        config: The settings as YAML.
        components: What is set under each name of `COMPONENT_TABLES`.
        record: What `run.json` says of the run.
    """
    kept = ("inputs", "weights", "precision", "size_factor", "status", "steps")
    run = {"kinds": {name: _kinds(name, value) for name, value in components.items()}}
    run |= {key: record[key] for key in kept if key in record}
    lines = "\n".join(f"{name} {version}" for name, version in versions().items())
    return {CONFIG: config, VERSIONS: lines, RUN: json.dumps(run, ensure_ascii=False)}


def _kinds(name: str, component: Any) -> Any:
    """The name of a component's class in its table, or of each of several; None for a class of one's own."""
    if isinstance(component, dict):
        return {key: _kinds(name, value) for key, value in component.items()}
    return registered_name(component, COMPONENT_TABLES[name])


@dataclass(frozen=True)
class RecordedRun:
    """What a picture says of its run.

    Attributes:
        source: The picture, as it was asked for.
        settings: Its config.
        run: Its inputs, weights, precision and classes; see `note`.
    """

    source: str
    settings: dict[str, Any]
    run: dict[str, Any]

    def node(self, typed: Set[str]) -> dict[str, Any]:
        """A node for Hydra that composes to the same run.

        Args:
            typed: Keys that are set beside it. A part that one of them chooses anew is left to it.

        Raises:
            InputError: A key sets what the picture holds as a whole, or a class is not in its table.
        """
        if refused := [key for key in WHOLE if key in typed]:
            raise self._error(f"{refused[0]}= would set it anew; set single settings, as losses.style.weight=10")
        settings = {key: value for key, value in self._decisive().items() if key not in typed}
        additions, replaced = [], []
        for name in (name for name in COMPONENT_TABLES if name in settings):
            groups = OF_LOSSES if name == "losses" else (name,)
            replaced += [{f"override /{group}": None} for group in groups]
            additions += [{f"/schema/{SCHEMAS.get(name, name)}@{place}": kind} for place, kind in self._placed(name)]
        seed = self.settings.get("seed")
        return {"defaults": [*additions, "_self_", *replaced]} | {k: _linked(v, seed) for k, v in settings.items()}

    def check(self, typed: Set[str]) -> None:
        """See that its pictures and weights are where the run found them, and the same; what is typed is not looked at.

        Raises:
            InputError: One has moved or changed.
        """
        if self.run.get("status") in ("interrupted", "failed"):
            log.warning("rerun: that run was %s at step %s; this one goes on", self.run["status"], self.run["steps"])
        inputs = self.run.get("inputs") or {}
        roles = [role.partition(":")[0] for role in inputs]
        for role, entry in zip(roles, inputs.values(), strict=True):
            key = "image.start" if role == "start" else role
            if not {key, key.partition(".")[0]} & typed:
                self._check_input(key, entry, several=roles.count(role) > 1)
        part = "feedforward" if self.settings.get("method") == "feedforward" else "backbone"
        if self.run.get("weights") and not {part, f"{part}.weights", "method"} & typed:
            self._check_weights(part)

    def _check_input(self, key: str, entry: Mapping[str, str], several: bool) -> None:
        source = entry["source"]
        remedy = f"'{key}=[NEWPATH,…]'" if several else f"{key}=NEWPATH"
        try:
            now = read_picture(source, role=key).sha256
        except InputError as error:
            raise self._error(f"its {key} {source!r} cannot be read here; say where it is with {remedy}") from error
        if now != entry["sha256"]:
            raise self._error(f"its {key} {source!r} has changed since; give another, or this one, with {remedy}")

    def _check_weights(self, part: str) -> None:
        weights = self.run["weights"]
        settings = self.settings[part]
        network = Magenta(**settings) if part == "feedforward" else BACKBONES[self.run["kinds"][part]](**settings)
        try:
            now = network.identity()["sha256"]
        except InputError as error:
            raise self._error(f"{error}; say where its weights are with {part}.weights=NEWPATH") from error
        if now != weights["sha256"]:
            raise self._error(
                f"its weights {weights['weights']!r} are others now; give those of then, or these, with {part}.weights="
            )

    def _decisive(self) -> dict[str, Any]:
        """The settings but for the run's name, with precision and size as they came out."""
        settings = {key: dict(value) if isinstance(value, dict) else value for key, value in self.settings.items()}
        settings.pop("name", None)
        if settings.get("method") != "feedforward":
            settings["runtime"] |= {"precision": self.run["precision"]}
        if self.run.get("size_factor", 1) < 1:
            settings["image"] = asdict(Canvas(**settings["image"]).smaller(self.run["size_factor"]))
        return settings

    def _placed(self, name: str) -> Iterator[tuple[str, str]]:
        """Where each class of a part goes: ``losses.style``, ``gram``."""
        kinds = self.run["kinds"][name]
        places = {f"{name}.{key}": kind for key, kind in kinds.items()} if isinstance(kinds, dict) else {name: kinds}
        for place, kind in places.items():
            if kind not in COMPONENT_TABLES[name]:
                raise self._error(
                    f"its {place} is of a class that is not here; available: {', '.join(COMPONENT_TABLES[name])}"
                )
            yield place, kind

    def _error(self, text: str) -> InputError:
        return InputError(f"rerun={self.source}: {text}")


def read_recorded_run(source: str) -> RecordedRun:
    """Read what a picture says of its run.

    Args:
        source: A picture that a run wrote, or a run folder.

    Raises:
        InputError: It is no such picture, or a newer version made it.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        path = RunFolder(path).picture
        if not path.exists():
            raise InputError(f"rerun={source}: no {path.name} in that folder; give a run folder or a picture")
    text = read_text(path)
    if not {CONFIG, RUN, VERSIONS} <= text.keys():
        raise InputError(f"rerun={source}: the picture does not say how it was made; give one as a run wrote it")
    made = dict(line.split(" ", 1) for line in text[VERSIONS].splitlines() if " " in line).get("nst_tf", "0")
    if _number(made) > _number(__version__):
        raise InputError(
            f"rerun={source}: made by nst_tf {made}, newer than this one ({__version__}); install that version"
        )
    try:
        return RecordedRun(source, *_parsed(text))
    except (ValueError, AttributeError, yaml.YAMLError) as error:
        raise InputError(f"rerun={source}: what it says of its run is damaged; give an untouched picture") from error


def _parsed(text: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and run, which hold at least what is looked for without asking."""
    settings, run = yaml.safe_load(text[CONFIG]), json.loads(text[RUN])
    if not (settings.keys() >= {"backbone", "runtime", "image"} and run.keys() >= {"kinds", "precision"}):
        raise ValueError
    return settings, run


def _number(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _linked(value: Any, seed: Any) -> Any:
    """A setting as OmegaConf reads it back: seeds that followed the run's follow it again, text is only text."""
    if isinstance(value, dict):
        linked = {key: _linked(inner, seed) for key, inner in value.items()}
        return linked | ({"seed": "${seed}"} if value.get("seed", ...) == seed else {})
    if isinstance(value, list):
        return [_linked(inner, seed) for inner in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value
