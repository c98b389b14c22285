"""Settings of a run, which its picture stores as text, and their use by ``rerun=stylized.png``."""

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
from nst_tf.config.keys import composite_groups, role_of
from nst_tf.config.renames import current_settings
from nst_tf.feedforward import Magenta
from nst_tf.images import Canvas, read_picture, read_text
from nst_tf.losses import LOSSES
from nst_tf.observers import OBSERVERS
from nst_tf.optimizers import OPTIMIZERS
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.record import library_versions
from nst_tf.util.errors import InputError

log = logging.getLogger(__name__)

CONFIG, VERSIONS, RUN = "nst_tf:config", "nst_tf:versions", "nst_tf:run"
"""Keywords of the texts in a picture: settings as YAML, versions as lines, facts about the run as JSON."""

COMPONENT_TABLES: dict[str, dict[str, Any]] = {
    "backbone": BACKBONES,
    "optimizer": OPTIMIZERS,
    "losses": LOSSES,
    "tracking": OBSERVERS,
}
"""Fields whose class is chosen from a table; the settings alone do not name the class."""

SCHEMA_GROUPS = {"losses": "loss", "tracking": "observer"}
"""Groups below ``schema/`` whose name differs from the field's."""

RECORDED_FACTS = ("inputs", "weights", "precision", "size_factor", "status", "steps")
"""Keys of `run.json` that a picture keeps."""

UNEDITED = "Choose an unedited picture of a run."
"""Remedy for a picture without readable settings."""


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


@dataclass(frozen=True)
class RecordedRun:
    """The run that made a picture, as the picture describes it.

    Attributes:
        source: The picture, as it was typed.
        settings: Its settings, under their current names.
        run: Its inputs, weights, precision and classes, as `picture_text` writes them.
    """

    source: str
    settings: dict[str, Any]
    run: dict[str, Any]

    def hydra_node(self, typed: Set[str]) -> dict[str, Any]:
        """Return a config node that makes Hydra compose the settings of this run.

        Args:
            typed: Keys that the command sets. A field that the command sets as a whole is not taken from the picture.

        Raises:
            InputError: A key sets several fields that the picture sets, or a class is not in its table.
        """
        if refused := [key for key in composite_groups() if key in typed]:
            remedy = "Set single keys instead, such as losses.style.weight=10."
            raise self._error(f"{refused[0]}= would replace settings of the picture. {remedy}")
        settings = {key: value for key, value in self._settings_as_used().items() if key not in typed}
        fields = [field for field in COMPONENT_TABLES if field in settings]
        schemas = [{schema: kind} for field in fields for schema, kind in self._schemas(field)]
        cleared = [{f"override /{group}": None} for field in fields for group in role_of(field).groups or (field,)]
        seed = self.settings.get("seed")
        values = {key: _for_omegaconf(value, seed) for key, value in settings.items()}
        return {"defaults": [*schemas, "_self_", *cleared]} | values

    def check_sources(self, typed: Set[str]) -> None:
        """Check that the run's pictures and weights are still in their places and unchanged.

        Args:
            typed: Keys that the command sets; their files are not checked.

        Raises:
            InputError: A file has moved or changed.
        """
        if self.run.get("status") in ("interrupted", "failed"):
            message = "rerun=%s: the recorded run was %s at step %s. This run starts at step 0 and takes all its steps."
            log.warning(message, self.source, self.run["status"], self.run["steps"])
        inputs = self.run.get("inputs") or {}
        names = [name.partition(":")[0] for name in inputs]  # `style:2` is the second style
        for name, recorded in zip(names, inputs.values(), strict=True):
            key = "image.start" if name == "start" else name
            if not {key, key.partition(".")[0]} & typed:
                self._check_input(key, recorded, several=names.count(name) > 1)
        network = "feedforward" if self.settings.get("method") == "feedforward" else "backbone"
        if self.run.get("weights") and not {network, f"{network}.weights", "method"} & typed:
            self._check_weights(network)

    def _check_input(self, key: str, recorded: Mapping[str, str], several: bool) -> None:
        source = recorded["source"]
        remedy = f"'{key}=[NEWPATH,…]'" if several else f"{key}=NEWPATH"
        try:
            sha256 = read_picture(source, role=key).sha256
        except InputError as error:
            raise self._error(f"its {key} {source!r} cannot be read here. Set its new path: {remedy}") from error
        if sha256 != recorded["sha256"]:
            raise self._error(f"its {key} {source!r} has changed since. To use it as it is, or another, set {remedy}")

    def _check_weights(self, field: str) -> None:
        recorded, settings = self.run["weights"], self.settings[field]
        kind = Magenta if field == "feedforward" else BACKBONES[self.run["kinds"][field]]
        try:
            sha256 = kind(**settings).identity()["sha256"]
        except InputError as error:
            text = str(error).removesuffix(".")
            raise self._error(f"{text}. Set the new path: {field}.weights=NEWPATH") from error
        if sha256 != recorded["sha256"]:
            raise self._error(
                f"its weights {recorded['weights']!r} have changed since. Restore the file, or choose weights with "
                f"{field}.weights=PATH."
            )

    def _settings_as_used(self) -> dict[str, Any]:
        """Return the settings without the run's name, with the precision and size that the run chose."""
        settings = {key: dict(value) if isinstance(value, dict) else value for key, value in self.settings.items()}
        settings.pop("name", None)
        if settings.get("method") != "feedforward":
            settings["runtime"] |= {"precision": self.run["precision"]}
        if self.run.get("size_factor", 1) < 1:
            settings["image"] = asdict(Canvas(**settings["image"]).smaller(self.run["size_factor"]))
        return settings

    def _schemas(self, field: str) -> Iterator[tuple[str, str]]:
        """Yield group and option of the schema of each class in a field: ``/schema/loss@losses.style``, ``gram``."""
        kinds, group = self.run["kinds"][field], SCHEMA_GROUPS.get(field, field)
        keys = {f"{field}.{name}": kind for name, kind in kinds.items()} if isinstance(kinds, dict) else {field: kinds}
        for key, kind in keys.items():
            if kind not in COMPONENT_TABLES[field]:
                available = ", ".join(COMPONENT_TABLES[field])
                raise self._error(f"its {key} has a class that nst_tf does not contain; available: {available}")
            yield f"/schema/{group}@{key}", kind

    def _error(self, text: str) -> InputError:
        return InputError(f"rerun={self.source}: {text}")


def read_recorded_run(source: str) -> RecordedRun:
    """Read how a picture was made.

    Args:
        source: A picture that a run wrote, or a run folder.

    Raises:
        InputError: The picture does not say how it was made, or a newer version made it.
    """
    text = read_text(_picture_path(source))
    if not {CONFIG, RUN, VERSIONS} <= text.keys():
        raise InputError(f"rerun={source}: the picture does not say how it was made. {UNEDITED}")
    _check_version(source, text[VERSIONS])
    try:
        return RecordedRun(source, *_parsed(text))
    except (ValueError, AttributeError, yaml.YAMLError) as error:
        raise InputError(f"rerun={source}: the settings in the picture are damaged. {UNEDITED}") from error


def _picture_path(source: str) -> Path:
    path = Path(source).expanduser()
    if not path.is_dir():
        return path
    picture = RunFolder(path).picture
    if not picture.exists():
        raise InputError(f"rerun={source}: no {picture.name} in that folder; give a run folder or a picture")
    return picture


def _check_version(source: str, lines: str) -> None:
    made_by = dict(line.split(" ", 1) for line in lines.splitlines() if " " in line).get("nst_tf", "0")
    if _number(made_by) > _number(__version__):
        raise InputError(
            f"rerun={source}: made by nst_tf {made_by}, newer than this one ({__version__}); install that version"
        )


def _number(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _parsed(text: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return settings and facts about the run; reject texts that lack a key that `RecordedRun` needs."""
    settings, run = yaml.safe_load(text[CONFIG]), json.loads(text[RUN])
    if not (settings.keys() >= {"backbone", "runtime", "image"} and run.keys() >= {"kinds", "precision"}):
        raise ValueError
    return current_settings(settings), run


def _for_omegaconf(value: Any, seed: Any) -> Any:
    """Escape a setting, so that OmegaConf reads it back unchanged.

    ``${`` in a text is escaped. A seed inside a group becomes a reference to the run's seed if the two are equal, so
    that ``seed=5`` changes both.
    """
    if isinstance(value, dict):
        read_back = {key: _for_omegaconf(inner, seed) for key, inner in value.items()}
        return read_back | ({"seed": "${seed}"} if value.get("seed", ...) == seed else {})
    if isinstance(value, list):
        return [_for_omegaconf(inner, seed) for inner in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value
