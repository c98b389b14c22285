"""Checks of settings, with messages that name the key, the value and the remedy."""

import math
from dataclasses import fields
from enum import Enum
from typing import Any, TypeVar, get_type_hints

from nst_tf.util.errors import InputError

Choice = TypeVar("Choice", bound=Enum)


def choice(key: str, value: Any, choices: type[Choice]) -> Choice:
    """A member of an enumeration, from the member (as Hydra gives it) or its name (as Python callers write it).

    Raises:
        InputError: No member has that name; lists those there are.
    """
    if isinstance(value, choices):
        return value
    for member in choices:
        if value == member.name:
            return member
    raise InputError(f"{key}={value!r}: must be one of {', '.join(member.name for member in choices)}")


def coerce_choices(component: Any, prefix: str = "") -> None:
    """Turn the names of choices that a dataclass was given into the choices its fields declare."""
    hints = get_type_hints(type(component))
    for field in fields(component):
        kind = hints[field.name]
        if isinstance(kind, type) and issubclass(kind, Enum):
            setattr(component, field.name, choice(prefix + field.name, getattr(component, field.name), kind))


def at_least(key: str, value: float, least: float) -> None:
    """Refuse a number below ``least``, and one that is not finite."""
    if not (math.isfinite(value) and value >= least):
        raise InputError(f"{key}={value}: must be at least {least:g}")


def above(key: str, value: float, bound: float) -> None:
    """Refuse a number not above ``bound``, and one that is not finite."""
    if not (math.isfinite(value) and value > bound):
        raise InputError(f"{key}={value}: must be above {bound:g}")


def fraction(key: str, value: float) -> None:
    """Refuse a number outside [0, 1)."""
    if not 0 <= value < 1:
        raise InputError(f"{key}={value}: must be at least 0 and below 1")
