"""YAML and JSON that may come from elsewhere: plain values of limited size and depth, and nothing that is executed."""

import json
import math
import re
from typing import Any

import yaml

LARGEST_TEXT = 2**20
"""Largest length of a text, in characters. The config of a run has a few thousand."""

GREATEST_DEPTH = 40
"""Largest depth of lists and dictionaries. The config of a run has a depth of four."""

PLAIN_KINDS = (dict, list, str, int, float, bool, type(None))
"""Kinds of the values that a document may hold."""

SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's loader of plain values; the one in C where libyaml is available."""

SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""Escape of a lone surrogate, as PyYAML writes it for a file name that is not UTF-8. The loader in C refuses it."""


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML document of dictionaries with text keys, lists, texts, numbers, booleans and nulls.

    Anchors are refused, because a few lines of them can describe a document of any size. Tags, dates and binary data
    are refused, because no file of a run has them.

    Args:
        text: The document.

    Raises:
        ValueError: The text is too long, too deep, not YAML, or holds another kind of value.
    """
    _check_length(text)
    try:
        _check_events(text)
        value = yaml.load(text, Loader=_loader(text))
    except (yaml.YAMLError, RecursionError, AttributeError, TypeError, LookupError) as error:  # of odd dates and keys
        raise ValueError("it is not YAML") from error
    _check_plain(value)
    return value


def _loader(text: str) -> Any:
    return yaml.loader.SafeLoader if SURROGATE.search(text) else SafeLoader


def parse_json(text: str) -> Any:
    """Return the value of a JSON document. Numbers that are not finite, such as ``NaN`` and ``1e400``, become None.

    Args:
        text: The document.

    Raises:
        ValueError: The text is too long, too deep or not JSON.
    """
    _check_length(text)
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=lambda _: None)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    _check_plain(value)
    return value


def _check_length(text: str) -> None:
    if len(text) > LARGEST_TEXT:
        raise ValueError(f"it has {len(text)} characters; at most {LARGEST_TEXT} are read")


def _check_events(text: str) -> None:
    """Reject anchors and great depth before a value is built."""
    depth = 0
    for event in yaml.parse(text, Loader=_loader(text)):
        if getattr(event, "anchor", None) is not None:
            raise ValueError("it has anchors")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > GREATEST_DEPTH:
            raise ValueError("it is nested too deeply")


def _check_plain(value: Any, depth: int = 0) -> None:
    if depth > GREATEST_DEPTH:
        raise ValueError("it is nested too deeply")
    kind = type(value)
    if kind not in PLAIN_KINDS or (kind is dict and not all(isinstance(key, str) for key in value)):
        raise ValueError(f"it has a value or key that is no plain data ({kind.__name__})")
    for item in value.values() if kind is dict else value if kind is list else ():
        _check_plain(item, depth + 1)


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None
