"""The entries of `run.json` and their types, by which a record is checked when it is read."""

import math
from collections.abc import Callable, Mapping
from typing import Any

LARGEST_COUNT = 2**53
"""Bound of the counts, beyond which a float cannot hold every integer."""


def _require(valid: bool, what: str) -> None:
    if not valid:
        raise ValueError(f"must be {what}")


def _text(value: Any) -> str:
    _require(isinstance(value, str), "a text")
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _number(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    _require(is_number and abs(value) < math.inf, "a finite number")
    return value


def _optional_number(value: Any) -> float | None:
    return None if value is None else _number(value)


def _count(value: Any) -> int:
    _require(0 <= _number(value) < LARGEST_COUNT and value == int(value), "an integer of at least 0")
    return int(value)


def _rounded(value: Any) -> int:
    return _count(round(_number(value)))


def _text_or_number(value: Any) -> Any:
    return value if isinstance(value, str) else _optional_number(value)


def _dictionary(check: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    """Return a check of a dictionary whose values all pass ``check``."""

    def checked(value: Any) -> dict[str, Any]:
        _require(isinstance(value, dict), "a dictionary")
        return {key: check(item) for key, item in value.items()}

    return checked


def _picture(value: Any) -> dict[str, Any]:
    picture = _dictionary(_text)(value)
    _require({"source", "sha256"} <= picture.keys(), "source and sha256 of a picture")
    return picture


def _weights(value: Any) -> dict[str, Any] | None:
    return None if value is None else _dictionary(_optional_text)(value)


RECORD_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("status", "fingerprint", "reason", "name", "host", "machine", "device"), _text),
    **dict.fromkeys(("started_at", "finished_at", "precision", "sha256"), _text),
    **dict.fromkeys(("process", "steps", "evaluations", "height", "width", "margin"), _count),
    **dict.fromkeys(("seconds", "seconds_per_evaluation", "size_factor"), _number),
    **dict.fromkeys(("needed_memory_mb", "expected_peak_memory_mb", "free_memory_mb"), _number),
    "peak_memory_mb": _rounded,
    "output": _dictionary(_text),
    "inputs": _dictionary(_picture),  # `_split_inputs` checks each picture by itself
    "git_commit": _optional_text,
    "versions": _dictionary(_text),
    "weights": _weights,
    "final": _dictionary(_optional_number),
    "scores": _dictionary(_text_or_number),
    "score_files": _dictionary(_text),
    "observer_errors": _dictionary(_text),
}
"""Check of each entry that this version writes. It returns the value, or raises ValueError with what is allowed."""

REQUIRED = ("status", "fingerprint")
"""Entries without which a file is no record."""


def checked_record(record: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Check the entries of a record that may come from elsewhere.

    Entries of an unknown name, which a later version may write, are kept as they are. Entries of a wrong type are left
    out.

    Args:
        record: Plain values, from `nst_tf.util.parsing.parse_json`.

    Returns:
        The valid entries, and one sentence on each entry that was left out.

    Raises:
        ValueError: One of `REQUIRED` is missing or of a wrong type.
    """
    valid, problems = _split(record)
    if missing := [name for name in REQUIRED if name not in valid]:
        raise ValueError(f"{missing[0]} is missing")
    return valid, problems


def checked_entries(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return entries of a record, all of which must have the right type.

    Raises:
        ValueError: An entry has a wrong type.
    """
    valid, problems = _split(record)
    if problems:
        raise ValueError(problems[0])
    return valid


def _split(record: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the valid entries, and one sentence on each of the others."""
    valid: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in record.items():
        if name == "inputs" and isinstance(value, dict):
            valid[name] = _split_inputs(value, problems)
            continue
        try:
            valid[name] = RECORD_FIELDS[name](value) if name in RECORD_FIELDS else value
        except (ValueError, OverflowError) as error:
            problems.append(f"{name}={_short(value)}: {error}")
    return valid, problems


def _split_inputs(inputs: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Return the valid pictures. A training has counts of pictures in their place."""
    valid: dict[str, Any] = {}
    for role, value in inputs.items():
        try:
            valid[role] = _count(value) if isinstance(value, int) else _picture(value)
        except ValueError as error:
            problems.append(f"inputs.{role}={_short(value)}: {error}")
    return valid


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
