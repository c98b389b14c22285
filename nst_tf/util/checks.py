"""Checks of settings, with messages that name the key, the value received and what is allowed."""

import math
from dataclasses import fields
from enum import Enum
from typing import Any, TypeVar, get_type_hints

from nst_tf.util.errors import InputError

Choice = TypeVar("Choice", bound=Enum)


def choice(key: str, value: Any, choices: type[Choice]) -> Choice:
    """Return a member of an enumeration, given the member (as Hydra does) or its name (as Python callers do).

    Args:
        key: Dotted key of the setting, for the message.
        value: A member of ``choices`` or the name of one.
        choices: The enumeration.

    Raises:
        InputError: No member has that name; the message lists all names.
    """
    if isinstance(value, choices):
        return value
    for member in choices:
        if value == member.name:
            return member
    raise InputError(f"{key}={value!r}: must be one of {', '.join(member.name for member in choices)}")


def coerce_choices(component: Any, prefix: str = "") -> None:
    """Replace names by members in every field of a dataclass that declares an enumeration.

    Args:
        component: An instance of a dataclass; it is changed in place.
        prefix: Prefix of the keys in messages, such as ``runtime.``.

    Raises:
        InputError: A name is not one of the enumeration's.
    """
    hints = get_type_hints(type(component))
    for field in fields(component):
        kind = hints[field.name]
        if isinstance(kind, type) and issubclass(kind, Enum):
            setattr(component, field.name, choice(prefix + field.name, getattr(component, field.name), kind))


def at_least(key: str, value: float, least: float) -> None:
    """Raise `InputError` unless ``value`` is finite and ``value >= least``."""
    if not (math.isfinite(value) and value >= least):
        raise InputError(f"{key}={value}: must be at least {least:g}")


def above(key: str, value: float, bound: float) -> None:
    """Raise `InputError` unless ``value`` is finite and ``value > bound``."""
    if not (math.isfinite(value) and value > bound):
        raise InputError(f"{key}={value}: must be above {bound:g}")


def fraction(key: str, value: float) -> None:
    """Raise `InputError` unless ``0 <= value < 1``."""
    if not 0 <= value < 1:
        raise InputError(f"{key}={value}: must be at least 0 and below 1")
