"""Values as people type them: existing paths and new names need no quotes for Hydra's grammar.

Hydra reads ``content=photo (1).jpg`` as the call of a function and ``content=a, b.jpg`` as two values. A value of a
key that takes a path is therefore quoted before Hydra parses it, if it names a file or folder as it stands. The same
holds for each element of a list and of a sweep. Everything else is left to the grammar.
"""

import functools
import re
import shlex
from collections.abc import Callable, Collection, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Sweep
from hydra.errors import HydraException

from nst_tf.config.keys import role_of
from nst_tf.config.overrides import override_key, quoted, split_override
from nst_tf.util.paths import path_exists

MULTIRUN = ("-m", "--multirun", "hydra.mode=MULTIRUN")
"""Arguments that ask for a sweep; a YAML file of ``sweep/`` does too."""

OPENING = re.compile(r"\s*(?:\[|(?:choice|shuffle|sort)\()")
"""Start of a list, or of a function of Hydra's that takes values."""

CLOSING = {"[": "]", "(": ")", "{": "}"}
"""Closing bracket by opening bracket."""

QUOTED = re.compile(r"""\s*(?:'(?:\\.|[^\\'])*'|"(?:\\.|[^\\"])*")\s*""", re.DOTALL)
"""A whole value in quotes."""

REFUSED: Any = object()
"""Stands for the value of a text that Hydra's grammar refuses."""


def quote_typed_values(arguments: Sequence[str], groups: Collection[str] = ()) -> list[str]:
    """Return command-line arguments with quotes around the values that Hydra's grammar would misread.

    Args:
        arguments: Overrides and options of Hydra, as typed.
        groups: Names of Hydra's config groups. A number given to one of them becomes a text, which names no option.
    """
    is_sweep = any(text in MULTIRUN or text.startswith("sweep=") for text in arguments)
    return [_quote_override(text, groups, is_sweep) for text in arguments]


def _quote_override(override: str, groups: Collection[str], is_sweep: bool) -> str:
    if override.startswith("-") or "=" not in override:
        return override
    key, value = split_override(override)
    before = override[: len(override) - len(value)]
    if key.partition("@")[0] in groups:
        return before + _quote_elements(value, _is_no_text)[0]
    match role_of(key).takes:
        case "path":
            return before + quote_existing(value)
        case "name":
            return before + _quote_name(value, is_sweep)
    return override


def _is_no_text(value: str) -> bool:
    """Return whether the grammar reads a number, a truth value or null, which Hydra refuses as an option's name."""
    parsed = _parse(value)
    return parsed is None or isinstance(parsed, int | float)


def _quote_name(value: str, is_sweep: bool) -> str:
    """Quote a name as it stands, unless it has quotes, refers to another setting, or is one of the names of a sweep."""
    parsed = _parse(value)
    is_several = is_sweep and ("," in value or isinstance(parsed, Sweep))
    is_for_grammar = QUOTED.fullmatch(value) or ("${" in value and parsed is not REFUSED)
    return value if not value or is_several or is_for_grammar or not _is_misread(value) else quoted(value)


def quote_existing(value: str) -> str:
    """Return a value with quotes around each path that exists as it stands and that the grammar would misread.

    The longest existing path wins, so that a comma may be part of a name. Paths are looked for in the whole value, and
    in the elements of lists and sweeps.

    Args:
        value: The text behind the ``=`` of an override.
    """
    return _quote_elements(value, lambda text: path_exists(text) and _is_misread(text))[0]


def as_typed(text: str) -> str:
    """Return a text as a value that Hydra's grammar reads back as it is: in quotes where it would be misread.

    Args:
        text: The text that a config shall hold.
    """
    return quoted(text) if _is_misread(text) else text


def line_to_type(override: str) -> str:
    """Return how to type an override that Hydra's grammar refuses, as a sentence for its error.

    Args:
        override: The override as typed.
    """
    key, equals, value = override.partition("=")
    if path_exists(override):
        return f"it is a file and has no key. Type KEY=VALUE, such as {shell_word(f'content={override}')}"
    if not equals:
        return f"it has no '='. Type KEY=VALUE, such as {shell_word(f'{override}=VALUE')}"
    if _parse("0", key) is REFUSED:
        return f"{key!r} is no key. A key is made of words and dots, such as losses.style.weight=10"
    words = "it has characters with a meaning in Hydra's grammar"
    if role_of(override_key(key)).takes == "path":
        words = f"there is no such file, and {words}"
    return f"{words}. To give it as text, type {shell_word(f'{key}={_repaired(value)}')}"


def _repaired(value: str) -> str:
    """Return a value that the grammar accepts: with its brackets closed, or with quotes."""
    closed = value + "".join(reversed([CLOSING[bracket] for bracket in value if bracket in CLOSING]))
    if _parse(closed) is not REFUSED:
        return closed
    elements = _quote_elements(value, lambda text: _parse(text) is REFUSED)[0]
    return quoted(value) if _parse(elements) is REFUSED else elements


def shell_word(text: str) -> str:
    """Return a text as one word of a POSIX shell, in double quotes where it has single ones."""
    needs_quotes = shlex.quote(text) != text
    return f'"{text}"' if needs_quotes and "'" in text and not re.search(r'["$`\\!]', text) else shlex.quote(text)


def _quote_elements(text: str, misread: Callable[[str], bool], end: str = "") -> tuple[str, str]:
    """Quote the elements of a list that the grammar would misread.

    Args:
        text: Elements, with commas between them.
        misread: Whether an element needs quotes.
        end: The bracket that closes the list; empty for a whole value.

    Returns:
        The elements up to the closing bracket, and the rest of the text.
    """
    done = ""
    while text:
        element, text = _next_element(text, misread, end)
        done += element
        if end and text.startswith(end):
            break
        done, text = done + text[:1], text[1:]
    return done, text


def _next_element(text: str, misread: Callable[[str], bool], end: str) -> tuple[str, str]:
    """Return the first element of a list, quoted if it needs it, and the text behind it."""
    for stop in _possible_ends(text, end):
        element = text[:stop]
        if path_exists(element) or path_exists(element.strip()):
            return _quote_inside_spaces(element, misread), text[stop:]
    if opening := OPENING.match(text):
        inner, rest = _quote_elements(text[opening.end() :], misread, CLOSING[opening[0][-1]])
        closed, rest = rest[:1], rest[1:]
        tail = _plain_length(rest, end)
        return opening[0] + inner + closed + rest[:tail], rest[tail:]
    stop = _plain_length(text, end)
    return _quote_inside_spaces(text[:stop], misread), text[stop:]


def _possible_ends(text: str, end: str) -> list[int]:
    """Return the positions at which the first element can end, the last one first."""
    ends = [match.start() for match in re.finditer(f"[,{re.escape(end)}]", text)]
    return [len(text), *reversed(ends)] if not end else ends[::-1]


def _plain_length(text: str, end: str) -> int:
    """Return the length of an element that names no file: up to a comma or the closing bracket outside of brackets."""
    if literal := QUOTED.match(text):
        return literal.end() + _plain_length(text[literal.end() :], end)
    open_brackets: list[str] = []
    for position, character in enumerate(text):
        if not open_brackets and character in ("," + end):
            return position
        if character in CLOSING:
            open_brackets.append(CLOSING[character])
        elif open_brackets and character == open_brackets[-1]:
            open_brackets.pop()
    return len(text)


def _quote_inside_spaces(element: str, misread: Callable[[str], bool]) -> str:
    """Quote an element, or the part of it inside the spaces that separate it from others."""
    inner = element.strip()
    if misread(element):
        return quoted(element)
    return element.replace(inner, quoted(inner)) if inner and misread(inner) else element


@functools.cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


@functools.lru_cache(maxsize=1024)
def _parse(value: str, key: str = "key") -> Any:
    """Return what Hydra's grammar reads in the value of an override; `REFUSED` if it refuses the override."""
    try:
        return _parser().parse_override(f"{key}={value}").value()
    except HydraException:
        return REFUSED


def _is_misread(value: str) -> bool:
    """Return whether a config that has the value of an override would not hold exactly the text that was typed."""
    return _parse(value) != value or "${" in value or value.endswith("\\")  # it would escape a comma of a list
