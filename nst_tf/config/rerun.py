"""The settings that a picture records, and their use by ``rerun=stylized.png``.

Every value is checked by the class that it configures, before Hydra sees it.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nst_tf._version import __version__
from nst_tf.backbones import BACKBONES
from nst_tf.config.keys import DEFAULT, composite_groups, role_of
from nst_tf.config.overrides import escape_interpolations
from nst_tf.config.recorded_paths import with_absolute_paths
from nst_tf.config.recorded_text import (
    COMPONENT_TABLES,
    CONFIG,
    RUN,
    SCHEMA_GROUPS,
    SETTINGS_CLASSES,
    VERSIONS,
    parse_texts,
)
from nst_tf.config.tree import Method
from nst_tf.feedforward import Magenta
from nst_tf.images import Canvas, read_picture, read_text
from nst_tf.runs.folder import RunFolder
from nst_tf.runs.published import PublishedFigure
from nst_tf.util.errors import InputError
from nst_tf.util.paths import user_path
from nst_tf.util.roles import ROLE

log = logging.getLogger(__name__)

UNEDITED = "Choose an unedited picture of a run."
"""Remedy for a picture without readable settings."""


@dataclass(frozen=True)
class RecordedRun:
    """The run that made a picture, as the picture describes it.

    Attributes:
        source: The picture, as it was typed.
        settings: Its settings, under their current names.
        run: Its inputs, weights, precision and classes, as `nst_tf.config.recorded_text.picture_text` writes them.
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
        self._check_values(typed)
        settings = {key: value for key, value in self._settings_as_used().items() if key not in typed}
        chosen = [field for field in COMPONENT_TABLES if field in settings]
        schemas = [{schema: kind} for field in chosen for schema, kind in self._schemas(field)]
        cleared = [{f"override /{group}": None} for field in chosen for group in role_of(field).groups or (field,)]
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
            log.warning(message, self.source, self.run["status"], self.run.get("steps"))
        inputs = self.run.get("inputs") or {}
        names = [name.partition(":")[0] for name in inputs]  # `style:2` is the second style
        for name, recorded in zip(names, inputs.values(), strict=True):
            key = f"image.{name}" if name in ("start", "colour_from") else name
            if not any(key == other or key.startswith(f"{other}.") for other in typed):
                self._check_input(key, recorded, several=names.count(name) > 1)
        network = "feedforward" if self._is_feedforward() else "backbone"
        if self.run.get("weights") and not {network, f"{network}.weights", "method"} & typed:
            self._check_weights(network)

    def _is_feedforward(self) -> bool:
        return self.settings.get("method") == Method.feedforward.name

    def _check_values(self, typed: Set[str]) -> None:
        """Check every setting that the command does not replace, by making the object that it configures.

        Raises:
            InputError: A setting has a wrong type, is out of range, or is unknown to its class.
        """
        for key, kind, values in self._components():
            if key.partition(".")[0] not in typed:
                try:
                    kind(**values)
                except TypeError as error:  # an unknown setting, or settings that are no dictionary
                    raise self._error(f"its {key} has settings that {kind.__name__} has not. {UNEDITED}") from error
                except InputError as error:
                    raise self._error(f"its settings cannot be used: {error}") from error

    def _components(self) -> Iterator[tuple[str, type, dict[str, Any]]]:
        """Yield key, class and settings of each object that the settings describe, except those of unknown classes."""
        for field, kind in SETTINGS_CLASSES.items():
            if field in self.settings:
                yield field, kind, self.settings[field]
        for name, figure in (self.settings.get("printed") or {}).items():
            yield f"printed.{name}", PublishedFigure, figure
        for field, table in COMPONENT_TABLES.items():
            for key, name in self._class_names(field).items():
                settings = self.settings[field]
                if name in table:
                    yield key, table[name], settings if key == field else settings[key.partition(".")[2]]

    def _class_names(self, field: str) -> dict[str, Any]:
        """Return the recorded name of each class by key: ``losses.style``, ``backbone``."""
        kinds = self.run["kinds"][field] if field in self.settings else {}
        return {f"{field}.{name}": kind for name, kind in kinds.items()} if isinstance(kinds, dict) else {field: kinds}

    def _check_input(self, key: str, recorded: Mapping[str, str], several: bool) -> None:
        source = recorded["source"]
        remedy = f"'{key}=[NEWPATH,…]'" if several else f"{key}=NEWPATH"
        try:
            sha256 = read_picture(source, role=key, limits=Canvas(**self.settings["image"]).limits).sha256
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
        """Return the settings without the names of folder and copy, with the precision and size that the run chose."""
        settings = {key: dict(value) if isinstance(value, dict) else value for key, value in self.settings.items()}
        for key in ("name", "output", "saving"):
            settings.pop(key, None)
        for key, kind in SETTINGS_CLASSES.items():
            settings |= {key: _implied_settings(kind) | settings[key]} if key in settings else {}
        if not self._is_feedforward():
            settings["runtime"] |= {"precision": self.run["precision"]}
        if self.run.get("size_factor", 1) < 1:
            settings["image"] = asdict(Canvas(**settings["image"]).smaller(self.run["size_factor"]))
        return settings

    def _schemas(self, field: str) -> Iterator[tuple[str, str]]:
        """Yield group and option of the schema of each class in a field: ``/schema/loss@losses.style``, ``gram``."""
        group = SCHEMA_GROUPS.get(field, field)
        for key, kind in self._class_names(field).items():
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
        settings, run = parse_texts(text)
    except ValueError as error:
        raise InputError(f"rerun={source}: the settings in the picture are damaged ({error}). {UNEDITED}") from error
    return RecordedRun(source, *with_absolute_paths(settings, run))


def _picture_path(source: str) -> Path:
    path = user_path(source)
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
    return [int(part) for part in re.findall(r"\d{1,9}", version[:99])]


def _implied_settings(kind: type) -> dict[str, Any]:
    """Return the settings of a class that earlier versions did not have, with the values that these computed with."""
    implied = {field.name: field.metadata.get(ROLE, DEFAULT).implied_value for field in fields(kind)}
    return {
        name: value[0] if isinstance(value, tuple) else value for name, value in implied.items() if value is not None
    }


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
    return escape_interpolations(value) if isinstance(value, str) else value
