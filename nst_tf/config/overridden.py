"""Options that were typed, where an experiment or a sweep sets some of their values itself.

The experiments of this package only choose options, so that a typed option replaces all of what they chose. A user's
own experiment may also set single values, which come after every option.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from nst_tf.config.keys import COMPOSITE_GROUPS
from nst_tf.config.overrides import override_keys, split_override


@dataclass(frozen=True)
class _File:
    """One YAML file of a composed config.

    Attributes:
        group: Its group, such as ``optimizer``.
        option: Its name in the group.
        field: The dotted key under which its values are placed; empty for the root.
        values: The values that it sets itself by dotted key, without its defaults list and Hydra's settings.
    """

    group: str
    option: str
    field: str
    values: Mapping[str, Any]


def overridden_choices(hydra: Any) -> list[str]:
    """Return a sentence for each value of a typed option that the experiment or sweep replaces.

    Args:
        hydra: Hydra's own settings of the run, ``HydraConfig.get()``.
    """
    overrides = list(hydra.overrides.task)
    typed = override_keys(overrides)
    if not (typed.intersection(COMPOSITE_GROUPS) and GlobalHydra.instance().is_initialized()):
        return []
    files = list(_files(hydra))
    choices = [(group, option) for group, option in map(split_override, overrides) if group not in COMPOSITE_GROUPS]
    return [
        f"{group}={option}: {own.group}={own.option} sets {key}={_text(value)}, which replaces its value. "
        f"Type {key}=… to change it."
        for own in files
        if own.group in COMPOSITE_GROUPS
        for key, value in own.values.items()
        if typed.isdisjoint(_prefixes(key))
        for group, option in choices
        if _replaces([file for file in files if file.group == group], key, value)
    ]


def _replaces(option: Sequence[_File], key: str, value: Any) -> bool:
    """Return whether a value at a key is another than an option gives it, which consists of these files."""
    values = {name: given for file in option for name, given in file.values.items()}
    if key in values:
        return bool(values[key] != value)
    return any(file.field == file.group and key.startswith(f"{file.field}.") for file in option)  # sets a whole field


def _files(hydra: Any) -> Iterator[_File]:
    """Yield the YAML files that Hydra reads for a run."""
    folders = [Path(source.path) for source in hydra.runtime.config_sources if source.schema == "file"]
    overrides = [*hydra.overrides.task, *hydra.overrides.hydra]
    loader = GlobalHydra.instance().config_loader()
    for default in loader.compute_defaults_list(hydra.job.config_name, overrides, RunMode.RUN).defaults:
        path, field = default.config_path or "", default.package or ""
        found = next((folder / f"{path}.yaml" for folder in folders if (folder / f"{path}.yaml").is_file()), None)
        if found is not None:
            group, _, option = path.rpartition("/")
            yield _File(group, option, field, dict(_leaves(f"{field}." if field else "", _own_values(found))))


def _own_values(path: Path) -> dict[Any, Any]:
    values = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert isinstance(values, dict)
    return {key: value for key, value in values.items() if key not in ("defaults", "hydra")}


def _leaves(prefix: str, values: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def _prefixes(key: str) -> list[str]:
    """Return a dotted key and the keys of the settings that contain it: ``a.b.c`` and ``a.b``.

    The first part alone is left out: ``optimizer=adam`` chooses an option and sets no value.
    """
    parts = key.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 1, -1)] or [key]


def _text(value: Any) -> str:
    """Return a value as it is typed."""
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
