"""Replacement of the previous release's names by the current ones, in settings and overrides."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nst_tf.config.keys import current_key, current_value, renamed_inside, role_of
from nst_tf.config.overrides import split_override
from nst_tf.util.deprecation import announce_renamed

WORD = re.compile(r"\w+")
DICTIONARY_KEY = re.compile(r"\b(\w+)(?=\s*:)")


def current_overrides(arguments: Sequence[str]) -> list[str]:
    """Return command-line arguments with every old name replaced by the current one, and log each replacement."""
    return [_announced(text, current_override(text)) for text in arguments]


def _announced(old: str, new: str) -> str:
    """Log what differs in two spellings of one override; return the new one."""
    (old_key, old_value), (new_key, new_value) = split_override(old), split_override(new)
    if old_key != new_key:
        announce_renamed(old_key, new_key)
    if old_value != new_value:
        announce_renamed(f"{new_key}={old_value}", f"{new_key}={new_value}")
    return new


def current_override(override: str) -> str:
    """Return one command-line argument with every old name replaced by the current one.

    A value may be one word, a list of a sweep (``method=library,optimise``), or a dictionary
    (``losses.style={peaks: true}``).
    """
    if override.startswith("-"):  # an option of Hydra's
        return override
    typed_key, value = split_override(override)
    if not typed_key:
        return override
    prefix, equals = override.partition(typed_key)[0], "=" * ("=" in override)
    key = current_key(typed_key)
    return f"{prefix}{key}{equals}{current_text(key, value)}"


def current_text(key: str, value: str) -> str:
    """Return the text of a value, as Hydra's grammar has it, with every old name replaced by the current one."""
    if role_of(key).old_values:
        return WORD.sub(lambda word: current_value(key, word[0]), value)
    if "{" in value:
        names = renamed_inside(key)
        return DICTIONARY_KEY.sub(lambda name: names.get(name[0], name[0]), value)
    return value


def current_settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings, as a run's YAML has them, with every old name replaced by the current one."""
    current: dict[str, Any] = {}
    for name, value in settings.items():
        key = current_key(f"{prefix}{name}")
        renamed = current_settings(value, f"{key}.") if isinstance(value, Mapping) else current_value(key, value)
        current[key.removeprefix(prefix)] = renamed
    return current
