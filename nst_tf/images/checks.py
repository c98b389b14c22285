"""Range checks whose message names the config key."""

import enum
import math
from typing import Any, TypeVar

from nst_tf.errors import InputError

Member = TypeVar("Member", bound=enum.Enum)

MIN_SIDE = 16  # pixels; below it a network's deep layers have no extent left


def refuse(key: str, value: object, remedy: str) -> InputError:
    """Build the error for one key of the group ``image``.

    Args:
        key: field name, without the group.
        value: what was given.
        remedy: what is accepted.

    Returns:
        The error, to be raised.
    """
    return InputError(f"image.{key}={value!r}: {remedy}")


def require_side(key: str, value: int | None) -> None:
    """Refuse a length below ``MIN_SIDE`` pixels; None passes."""
    if value is not None and value < MIN_SIDE:
        raise refuse(key, value, f"must be at least {MIN_SIDE} pixels")


def require_number(key: str, value: float, *, zero: bool) -> None:
    """Refuse a number that is negative or not finite, and zero unless ``zero``."""
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise refuse(key, value, f"must be {'at least' if zero else 'above'} 0")


def member(key: str, value: Any, choices: type[Member]) -> Member:
    """Take a member of an enumeration or its name.

    Args:
        key: field name, without the group.
        value: a member, as Hydra gives it, or its name, as Python callers write it.
        choices: the enumeration.

    Returns:
        The member.

    Raises:
        InputError: no member has that name.
    """
    try:
        return value if isinstance(value, choices) else choices[value]
    except (KeyError, TypeError):
        names = ", ".join(choice.name for choice in choices)
        raise refuse(key, value, f"must be one of {names}") from None
