"""The role of a dotted key, and its name in the release before, from the declarations of the settings dataclasses."""

import functools
from collections.abc import Iterator
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from typing import Any, get_args, get_origin, get_type_hints

from nst_tf.config.tree import Config
from nst_tf.distillation.settings import Distillation
from nst_tf.util.roles import ROLE, Role

TREES: tuple[type, ...] = (Config, Distillation)
"""Classes whose fields are the first parts of keys; the first class that has a field decides."""

COMPOSITE_GROUPS = ("experiment", "sweep")
"""Hydra's groups that set fields of several names, beside the `Role.groups` of a field."""

OTHER_ROLES: dict[str, Role] = {
    "experiment": Role(),
    "sweep": Role(in_run_name=False),
    "rerun": Role(in_run_name=False),
    "launcher": Role(in_run_name=False, in_sweep_name=False, is_axis=False),
    "hydra": Role(is_axis=False),
    "teacher.weights": Role(in_fingerprint=False),  # in run names, unlike `backbone.weights`: teachers are compared
}
"""Roles of Hydra's groups that no field declares, and of keys whose role differs from what their field declares."""


DEFAULT = Role()
"""Role of a key that nothing declares."""


@dataclass(frozen=True)
class _Part:
    """One part of a dotted key.

    Attributes:
        name: Its current name.
        role: The role that its field declares; the default role without a field.
        kind: The declared type of its value; None where nothing is declared.
    """

    name: str
    role: Role = DEFAULT
    kind: Any = None


@functools.cache
def role_of(key: str) -> Role:
    """Return the role of a key as typed on the command line, without a leading ``+`` or ``~``.

    A group passes each of its restrictions on to the settings in it. A key that nothing declares has the default role.

    Args:
        key: A setting (``losses.style.weight``), a group of settings (``losses``) or a group of Hydra's (``layers``).
    """
    first = key.partition(".")[0]
    if (other := OTHER_ROLES.get(key) or OTHER_ROLES.get(first)) is not None:
        return other
    for field in fields(Config):
        if first in _role(field).groups:
            return replace(_role(field), groups=())
    return functools.reduce(_restrict, (part.role for part in _parts(key)))


def composite_groups() -> tuple[str, ...]:
    """Return all of Hydra's groups that set several settings at a time, which a picture's settings include already."""
    return (*COMPOSITE_GROUPS, *(group for field in fields(Config) for group in _role(field).groups))


def current_key(key: str) -> str:
    """Return the current name of a key that may be spelled as in the release before."""
    return ".".join(part.name for part in _parts(key))


def old_key(key: str) -> str:
    """Return the name that a key had in the release before."""
    return ".".join(part.role.old_name or part.name for part in _parts(key))


def current_value(key: str, value: Any) -> Any:
    """Return the current name of a value that may be spelled as in the release before."""
    return _renamed(value, {old: new for new, old in role_of(key).old_values})


def old_value(key: str, value: Any) -> Any:
    """Return the name that a value had in the release before."""
    return _renamed(value, dict(role_of(key).old_values))


def _renamed(value: Any, names: dict[str, str]) -> Any:
    return names.get(value, value) if isinstance(value, str) else value


def renamed_inside(key: str) -> dict[str, str]:
    """Return the old names, each with the current one, of all settings that lie in a group at any depth."""
    return dict(_renamed_in(_parts(key)[-1].kind))


def _renamed_in(kind: Any) -> Iterator[tuple[str, str]]:
    if get_origin(kind) is dict:
        yield from _renamed_in(get_args(kind)[1])
    for owner in _classes(kind):
        for field in fields(owner):
            if old := _role(field).old_name:
                yield old, field.name
            yield from _renamed_in(get_type_hints(owner)[field.name])


@functools.cache
def _parts(key: str) -> tuple[_Part, ...]:
    """Return the parts of a key, each found by the declared type of the one before."""
    names = key.split(".")
    kind: Any = next((tree for tree in TREES if _part(tree, names[0]).kind is not None), Config)
    parts = []
    for name in names:
        parts.append(_part(kind, name))
        kind = parts[-1].kind
    return tuple(parts)


def _part(kind: Any, name: str) -> _Part:
    """Return the part of this name inside a setting of a declared type."""
    if get_origin(kind) is dict:
        return _Part(name, kind=get_args(kind)[1])
    for owner in _classes(kind):
        for field in fields(owner):
            if name in (field.name, _role(field).old_name):
                return _Part(field.name, _role(field), get_type_hints(owner)[field.name])
    return _Part(name)


def _classes(kind: Any) -> Iterator[type]:
    """Yield a settings dataclass and every class derived from it, which a config may choose in its place."""
    if isinstance(kind, type) and is_dataclass(kind):
        yield kind
        for derived in kind.__subclasses__():
            yield from _classes(derived)


def _role(field: "Field[Any]") -> Role:
    return field.metadata.get(ROLE, DEFAULT)


def _restrict(group: Role, inner: Role) -> Role:
    """Return the role of a setting, restricted by the group it lies in."""
    switches = [field.name for field in fields(Role) if field.type is bool]
    restricted = {name: getattr(group, name) and getattr(inner, name) for name in switches}
    return replace(inner, method=group.method or inner.method, **restricted)
