"""Checks of settings, with messages that name the key, the value received and what is allowed."""

import functools
import math
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from nst_tf.util.errors import InputError

Choice = TypeVar("Choice", bound=Enum)

LONGEST_VALUE = 80
"""Characters of a value that an error message shows."""

LARGEST_NUMBER = float(np.finfo(np.float32).max)
"""Largest number in which runs compute."""

TRUTH_VALUES = {
    **dict.fromkeys(("yes", "y", "on", "true"), True),
    **dict.fromkeys(("no", "n", "off", "false"), False),
}
"""Texts that stand for a truth value, in lower case."""


def convert_fields(component: Any, prefix: str = "", skip: Collection[str] = ()) -> None:
    """Convert every field of a settings dataclass to its declared type, as the command line converts a typed value.

    A text that spells a number becomes the number, a path becomes a text, a tuple becomes a list, and the name of a
    choice becomes the choice. A field that declares another settings class takes an object of that class.

    Args:
        component: An instance of a dataclass; it is changed in place.
        prefix: Prefix of the keys in messages, such as ``runtime.``.
        skip: Fields that the class checks itself.

    Raises:
        InputError: A value cannot be converted; the message names its key and what is allowed.
    """
    settings: Any = type(component)
    for name, kind in _field_types(settings).items():
        if name not in skip:
            setattr(component, name, convert(prefix + name, getattr(component, name), kind))


def convert(key: str, value: Any, kind: Any) -> Any:
    """Return a value as the type that a setting declares; see `convert_fields`.

    Args:
        key: Dotted key of the setting, for the message.
        value: The value received.
        kind: ``int``, ``float``, ``bool``, ``str``, an enumeration, a class, a list or dictionary of these, or one of
            these or None. A value of any other declared type is returned unchanged.

    Raises:
        InputError: The value cannot be converted.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType) and NoneType in arguments:
        (inner,) = (argument for argument in arguments if argument is not NoneType)
        return None if value is None else convert(key, value, inner)
    if origin is list:
        return [convert(key, item, arguments[0]) for item in _items(key, value)]
    if origin is dict:
        return {str(name): convert(f"{key}.{name}", item, arguments[1]) for name, item in _entries(key, value)}
    if kind in SCALARS:
        return _scalar(key, value, kind)
    if kind is Any or not isinstance(kind, type) or isinstance(value, kind):
        return value
    if issubclass(kind, Enum) and len(kind):
        return choice(key, value, kind)
    raise wrong_type(key, value, f"an object: {_class_names(kind)}")


def wrong_type(key: str, value: Any, expected: str) -> InputError:
    """Return the error for a value of a type that a setting does not take.

    Args:
        key: Dotted key of the setting.
        value: The value received.
        expected: Name of what is allowed, such as ``an integer``.
    """
    text = " ".join(repr(value).split())
    short = text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
    return InputError(f"{key}={short}: must be {expected}")


@functools.cache
def _field_types(component: type) -> dict[str, Any]:
    """Return the declared type of each field; a type that cannot be resolved allows anything."""
    try:
        hints = get_type_hints(component)
    except NameError:  # a class defined inside a function, with annotations that are texts
        hints = {}
    return {field.name: hints.get(field.name, Any) for field in fields(component)}


# The conversions are OmegaConf's, which only the packages that compose configs import; a test compares the two.
def _to_int(value: Any) -> int:
    if type(value) not in (int, str):
        raise TypeError
    return int(value)


def _to_float(value: Any) -> float:
    if type(value) not in (int, float, str):
        raise TypeError
    return float(value)


def _to_bool(value: Any) -> bool:
    if isinstance(value, int):
        return value != 0
    if not isinstance(value, str):
        raise TypeError
    if value.lower() in TRUTH_VALUES:
        return TRUTH_VALUES[value.lower()]
    return int(value) != 0


def _to_text(value: Any) -> str:
    if not isinstance(value, int | float | os.PathLike):
        raise TypeError
    return str(value)


SCALARS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    int: ("an integer", _to_int),
    float: ("a number", _to_float),
    bool: ("true or false", _to_bool),
    str: ("a text", _to_text),
}
"""Plain types that settings declare, with their names in messages and the conversions to them."""


def _scalar(key: str, value: Any, kind: type) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if type(plain) is kind:
        return plain
    name, convert_to_kind = SCALARS[kind]
    try:
        return convert_to_kind(plain)
    except (TypeError, ValueError, OverflowError):
        raise wrong_type(key, value, name) from None


def _items(key: str, value: Any) -> list[Any]:
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value.tolist()
    if isinstance(value, list | tuple):
        return list(value)
    example = f", such as [{value!r}]" if isinstance(value, str | int | float) else ""
    raise wrong_type(key, value, f"a list{example}")


def _entries(key: str, value: Any) -> list[tuple[Any, Any]]:
    if not isinstance(value, Mapping):
        raise wrong_type(key, value, "a dictionary of objects by name")
    return list(value.items())


def _class_names(kind: type) -> str:
    """Return the classes to choose from, as a call is written: ``Adam(…), SGD(…)``."""
    return ", ".join(dict.fromkeys(f"{choice.__name__}(…)" for choice in _leaves(kind)))


def _leaves(kind: type) -> list[type]:
    derived: list[type] = kind.__subclasses__()
    return [leaf for child in derived for leaf in _leaves(child)] or [kind]


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


def whole_number_or(key: str, value: Any, *words: str) -> int | str:
    """Return one of the words, or a whole number of at least 1.

    Args:
        key: Dotted key of the setting, for the message.
        value: The value received; a text that spells a number is one.
        words: Texts that are allowed beside a number.

    Raises:
        InputError: The value is neither.
    """
    chosen = word_or_integer(key, value, words, f"a whole number, {' or '.join(words)}")
    if not isinstance(chosen, str):
        at_least(key, chosen, 1)
    return chosen


def word_or_integer(key: str, value: Any, words: Collection[str], expected: str) -> int | str:
    """Return one of the words, or an integer.

    Args:
        key: Dotted key of the setting, for the message.
        value: The value received; a text that spells an integer is one.
        words: Texts that are allowed beside an integer.
        expected: Names of what is allowed, for the message.

    Raises:
        InputError: The value is neither.
    """
    if isinstance(value, str) and value in words:
        return value
    try:
        number: int = convert(key, value, int)
    except InputError:
        raise wrong_type(key, value, expected) from None
    return number


def at_least(key: str, value: float, least: float) -> None:
    """Raise `InputError` unless ``value >= least`` and float32 can hold it."""
    _require_float32(key, value)
    if not (math.isfinite(value) and value >= least):
        raise InputError(f"{key}={value}: must be at least {least:g}")


def _require_float32(key: str, value: float) -> None:
    if LARGEST_NUMBER < value < math.inf:
        raise InputError(f"{key}={value}: must be at most {LARGEST_NUMBER:.2g}, the largest number in float32")


def above(key: str, value: float, bound: float) -> None:
    """Raise `InputError` unless ``value > bound`` and float32 can hold it."""
    _require_float32(key, value)
    if not (math.isfinite(value) and value > bound):
        raise InputError(f"{key}={value}: must be above {bound:g}")


def fraction(key: str, value: float) -> None:
    """Raise `InputError` unless ``0 <= value < 1``."""
    if not 0 <= value < 1:
        raise InputError(f"{key}={value}: must be at least 0 and below 1")
