"""Roles of dotted keys, and their names in the previous release, as the settings dataclasses declare them."""

import functools
from collections.abc import Iterator
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from typing import Any, get_args, get_origin, get_type_hints

from nst_tf.config.tree import Config
from nst_tf.distillation.settings import Distillation
from nst_tf.util.roles import ROLE, Role

TREES: tuple[type, ...] = (Config, Distillation)
"""Roots of the settings; their fields are the first parts of dotted keys. Of equal names, the first root's counts."""

COMPOSITE_GROUPS = ("experiment", "sweep")
"""Hydra's groups that set several fields of `Config`. Groups that set one field are listed in its `Role.groups`."""

OTHER_ROLES: dict[str, Role] = {
    "experiment": Role(),
    "sweep": Role(in_run_name=False),
    "rerun": Role(in_run_name=False),
    "pairs": Role(takes="path"),  # replaced by content and style before Hydra reads the command line
    "styleid.path": Role(takes="path"),  # the same; keys of `nst_tf.config.styleid`
    "launcher": Role(in_run_name=False, in_sweep_name=False, is_axis=False),
    "video": Role(in_fingerprint=False, takes="path"),  # of `nst_tf.video.VideoConfig`; so is the next
    "flow.folder": Role(takes="path"),
    "hydra": Role(is_axis=False),
    "hydra.run.dir": Role(is_axis=False, takes="name"),
    "hydra.sweep.dir": Role(is_axis=False, takes="name"),
    "hydra.sweep.subdir": Role(is_axis=False, takes="name"),
    # in run names, unlike `backbone.weights`: teachers are compared
    "teacher.weights": Role(in_fingerprint=False, takes="path"),
}
"""Roles of Hydra's groups that no field declares, and of keys whose role differs from what their field declares."""


DEFAULT = Role()
"""Role of a key that nothing declares."""


@dataclass(frozen=True)
class _Part:
    """One part of a dotted key.

    Attributes:
        name: Its current name.
        role: The role that its field declares; `DEFAULT` if no field declares it.
        kind: The declared type of its value; None where nothing is declared.
    """

    name: str
    role: Role = DEFAULT
    kind: Any = None


@functools.cache
def role_of(key: str) -> Role:
    """Return the role of a key as typed on the command line, without a leading ``+`` or ``~``.

    The settings in a group inherit the group's restrictions. A key that no field declares has the default role.

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
    """Return Hydra's groups that set several settings at once. They would replace the settings that a picture holds."""
    return (*COMPOSITE_GROUPS, *(group for field in fields(Config) for group in _role(field).groups))


def current_key(key: str) -> str:
    """Return the current name of a key that may have its name from the previous release."""
    return ".".join(part.name for part in _parts(key))


def old_key(key: str) -> str:
    """Return the name that a key had in the previous release."""
    return ".".join(part.role.old_name or part.name for part in _parts(key))


def current_value(key: str, value: Any) -> Any:
    """Return the current name of a value that may have its name from the previous release."""
    return role_of(key).current_value(value)


def old_value(key: str, value: Any) -> Any:
    """Return the name that a value had in the previous release."""
    return role_of(key).old_value(value)


def renamed_inside(key: str) -> dict[str, str]:
    """Return the current name by old name of every renamed setting inside a group, at any depth."""
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
    """Split a key into its parts. The declared type of each part is the class in which the next part is a field."""
    names = key.split(".")
    kind: Any = next((tree for tree in TREES if _part(tree, names[0]).kind is not None), Config)
    parts = []
    for name in names:
        parts.append(_part(kind, name))
        kind = parts[-1].kind
    return tuple(parts)


def _part(kind: Any, name: str) -> _Part:
    """Return the part called ``name`` inside a setting whose declared type is ``kind``."""
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
    """Return the role of a setting under the restrictions of its group."""
    switches = [field.name for field in fields(Role) if field.type is bool]
    restricted = {name: getattr(group, name) and getattr(inner, name) for name in switches}
    return replace(inner, method=group.method or inner.method, takes=inner.takes or group.takes, **restricted)
