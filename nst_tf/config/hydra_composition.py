"""Changes to Hydra's composition of a config that make it faster and leave its result as it is."""

from dataclasses import dataclass
from typing import Any

import hydra._internal.defaults_list
import hydra._internal.hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

MODE = "hydra.mode="
"""The override that Hydra appends to a command whose config leaves the mode open."""


@dataclass(frozen=True)
class _Composition:
    """A composition, kept for the next request.

    Attributes:
        config_name: Name of the primary config.
        overrides: Overrides of the command.
        config: Its result; None if it failed.
        error: The error that it raised, or None.
    """

    config_name: str | None
    overrides: list[str]
    config: DictConfig | None = None
    error: Exception | None = None

    def added_mode(self, config_name: str | None, overrides: list[str]) -> list[str] | None:
        """Return the override of the mode that a request adds; None if the request differs otherwise."""
        added = overrides[len(self.overrides) :]
        is_same = config_name == self.config_name and overrides[: len(self.overrides)] == self.overrides
        return added if is_same and len(added) <= 1 and all(text.startswith(MODE) for text in added) else None


class CachingConfigLoader(ConfigLoaderImpl):
    """Hydra's loader, which keeps a composition that Hydra is about to repeat, and its list of config sources.

    Hydra composes a command twice: to learn ``hydra.mode``, and to run the command in that mode. The second composition
    differs from the first by the override of the mode, and by an error for options that are still missing. For
    ``--help``, Hydra copies its sources 170 times.
    """

    _first: _Composition | None = None

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose a config, or return the kept one."""
        first, self._first = self._first, None
        request = (config_name, overrides, run_mode, from_shell)
        if not validate_sweep_overrides:  # only the composition that asks for the mode
            return self._compose_first(*request)
        added = None if first is None else first.added_mode(config_name, overrides)
        if first is None or added is None or _lacks_options(first.config):
            return super().load_configuration(*request)
        self.validate_sweep_overrides_legal(OverridesParser.create().parse_overrides(overrides), run_mode, from_shell)
        if first.config is None:
            assert first.error is not None
            raise first.error
        for text in added:
            first.config.hydra.mode = RunMode[text.removeprefix(MODE)]
            first.config.hydra.overrides.hydra.append(text)
        return first.config

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """Return the options of a group; only a config or overrides can add sources that have further ones."""
        if config_name is None and not overrides:
            return self.repository.get_group_options(group_name, results_filter)
        return super().get_group_options(group_name, results_filter, config_name, overrides)

    def _compose_first(
        self, config_name: str | None, overrides: list[str], run_mode: RunMode, from_shell: bool
    ) -> DictConfig:
        """Compose a config, and keep the result or the error."""
        try:
            config = super().load_configuration(config_name, overrides, run_mode, from_shell, False)
        except Exception as error:
            self._first = _Composition(config_name, list(overrides), error=error)
            raise
        self._first = _Composition(config_name, list(overrides), config)
        return config


def _lacks_options(config: DictConfig | None) -> bool:
    """Return whether a config has a group without an option, which the first composition accepts."""
    if config is None:
        return False
    choices: Any = config.hydra.runtime.choices
    return any(choices._get_node(group)._is_missing() for group in choices)


_interpolation_map = hydra._internal.defaults_list._create_interpolation_map


def _needed_interpolation_map(overrides: Any, defaults: list[Any], self_added: bool) -> DictConfig:
    """Return the choices that ``${...}`` in a defaults list can name; empty for a list without ``${...}``.

    Hydra builds a config of all choices for each YAML file, which takes a quarter of a composition.
    """
    if any(not default.is_self() and default.is_interpolation() for default in defaults):
        return _interpolation_map(overrides, defaults, self_added)
    return OmegaConf.create()


def speed_up_composition() -> None:
    """Let Hydra load configs with `CachingConfigLoader`, and list choices only for defaults lists that name them."""
    replaced = (
        (hydra._internal.hydra, "ConfigLoaderImpl", CachingConfigLoader),
        (hydra._internal.defaults_list, "_create_interpolation_map", _needed_interpolation_map),
    )
    for module, name, value in replaced:
        setattr(module, name, value)
