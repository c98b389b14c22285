"""Names from the previous release, which are still accepted with a message of one line that gives the new name."""

import functools
import logging
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from nst_tf.util.roles import ROLE, Role

log = logging.getLogger(__name__)

Settings = TypeVar("Settings", bound=type)


@functools.cache
def announce_renamed(old: str, new: str) -> None:
    """Log the new name of a setting or value, once per process."""
    log.warning("%s is now called %s; the old name is accepted until the next release", old, new)


def accept_old_names(settings: Settings) -> Settings:
    """Let a settings dataclass be built with the old names and values that its fields' roles declare.

    A class decorator, to stand above ``@dataclass``.
    """
    roles = {field.name: field.metadata[ROLE] for field in fields(settings) if ROLE in field.metadata}
    build: Callable[..., None] = vars(settings)["__init__"]

    @functools.wraps(build)
    def build_with_old_names(self: Any, *arguments: Any, **named: Any) -> None:
        build(self, *arguments, **_current(roles, named))

    setattr(settings, "__init__", build_with_old_names)  # noqa: B010 - mypy refuses the assignment
    return settings


def _current(roles: dict[str, Role], named: dict[str, Any]) -> dict[str, Any]:
    """Return keyword arguments with every old name and old value replaced by the current one."""
    names = {role.old_name: name for name, role in roles.items() if role.old_name}
    current = {}
    for name, value in named.items():
        if name in names:
            announce_renamed(name, names[name])
        name = names.get(name, name)
        current[name] = roles[name].current_value(value) if name in roles else value
        if current[name] is not value:
            announce_renamed(f"{name}={value}", f"{name}={current[name]}")
    return current
