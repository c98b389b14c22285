"""Tables as CSV that a spreadsheet opens without computing anything."""

from typing import Any

import pandas

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""First characters with which a spreadsheet takes a text for a formula."""


def csv_text(frame: pandas.DataFrame) -> str:
    """Return a table as CSV with its numbers as they are.

    Texts come from names and records that others may have written. A text that a spreadsheet would take for a formula
    gets an apostrophe in front, which marks it as text. Texts that spell a number stay as they are.

    Args:
        frame: The table; its index is left out.
    """
    quoted = frame.rename(columns=_as_text).map(_as_text)
    return quoted.to_csv(index=False, lineterminator="\n")


def _as_text(cell: Any) -> Any:
    if not isinstance(cell, str) or not cell.startswith(FORMULA_SIGNS) or _is_number(cell):
        return cell
    return f"'{cell}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
