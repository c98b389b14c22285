"""Folders, patterns and lists of pictures, which become the runs of a sweep before Hydra reads the command line.

``content=photos/ style=paintings/`` combines every photograph with every painting. ``pairs=pairs.csv`` names the
combinations. Both become ordinary values of a sweep, so that each run has the overrides with which it can be repeated.
"""

import csv
import io
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, QuotedString
from hydra.errors import HydraException

from nst_tf.config.overrides import PICTURE_KEYS, split_override, unquoted
from nst_tf.config.styleid import styleid_overrides, without_styleid
from nst_tf.config.typed_values import MULTIRUN, as_typed
from nst_tf.images.listing import SUFFIXES, pictures_in, pictures_matching
from nst_tf.images.samples import PREFIX
from nst_tf.util.errors import InputError, message_of
from nst_tf.util.files import read_regular_file
from nst_tf.util.paths import path_exists, user_path

LIST_KEY = "pairs"
"""Key of the file with a list of pairs."""

SWEEPER = "hydra/sweeper=pairs"
"""Override that chooses the sweeper that combines the n-th content with the n-th style alone."""

PAIRS_TARGET = "hydra_plugins.nst_tf.pairs.Pairs"
"""Class of that sweeper."""

LARGEST_LIST = 16 * 2**20
"""Largest size of a list of pairs in bytes."""

WITHOUT_RUN = ("-h", "--help", "--hydra-help", "--version", "-c", "--cfg", "-i", "--info", "-sc", "--shell-completion")
"""Options of Hydra's that run nothing."""


@dataclass(frozen=True)
class Expansion:
    """A command line in which folders, patterns and lists of pictures are replaced by pictures.

    Attributes:
        arguments: The arguments for Hydra.
        announcement: A sentence for the user if the command became a sweep by itself; else empty.
    """

    arguments: list[str]
    announcement: str = ""


def expand_pictures(arguments: Sequence[str]) -> Expansion:
    """Replace folders, patterns and lists of pictures in a command line by the pictures.

    - ``content=photos/`` and ``content='photos/*.jpg'`` become one value for each picture, sorted by name, and so do
      such values of ``style`` and such parts of several values (``content=photos/,more/x.jpg``).
    - ``pairs=FILE`` becomes ``content`` and ``style`` with one value for each pair, and a sweeper that does not cross
      them.
    - ``sweep=styleid`` and ``sweep=styleid_small`` get the pictures of `nst_tf.config.styleid` as ``content`` and
      ``style``.
    - A command that has such values and is no sweep yet becomes one.

    Args:
        arguments: Arguments with quotes around the values that need them, from
            `nst_tf.config.typed_values.quote_typed_values`.

    Raises:
        InputError: A folder has no pictures, a pattern matches none, a list cannot be used, or the command asks for a
            single run.
    """
    if any(text.partition("=")[0] in WITHOUT_RUN for text in arguments):
        return Expansion(without_styleid(arguments))
    benchmark = [f"{role}={_joined(pictures)}" for role, pictures in styleid_overrides(arguments).items()]
    arguments = [*without_styleid(arguments), *benchmark]
    expanded = [text for typed in arguments for text in _expand(typed, arguments)]
    if expanded == arguments:
        return Expansion(expanded)
    typed = [text for text in arguments if text not in expanded]
    if any(text in MULTIRUN or text.startswith("sweep=") for text in arguments):
        return Expansion(expanded)
    if "hydra.mode=RUN" in arguments:
        words = " ".join(typed)
        raise InputError(f"hydra.mode=RUN: {words} stands for several runs. Leave it out, or name one picture each")
    return Expansion([*expanded, "-m"], _announcement(typed, expanded))


def _announcement(typed: Sequence[str], expanded: Sequence[str]) -> str:
    values = dict(map(split_override, expanded))
    counts = {role: len(_elements(f"{role}={values[role]}") or [""]) for role in PICTURE_KEYS if role in values}
    if SWEEPER in expanded:
        return f"{' '.join(typed)}: this command is a sweep over {counts['content']} pairs of pictures, as with -m"
    pictures = " × ".join(f"{count} ({role})" for role, count in counts.items())
    return f"{' '.join(typed)}: this command is a sweep over {pictures} pictures, as with -m"


def _expand(override: str, arguments: Sequence[str]) -> list[str]:
    """Return the overrides that one argument stands for."""
    key, value = split_override(override)
    if override.startswith(("-", "~")) or "=" not in override or value.startswith("["):
        return [override]
    if key == LIST_KEY:
        return _expand_list(unquoted(value), arguments)
    if key not in PICTURE_KEYS or (elements := _elements(override)) is None:
        return [override]
    pictures = [list(_pictures_of(key, element)) for element in elements]
    if pictures == [[element] for element in elements]:
        return [override]
    return [f"{key}={_joined([picture for one in pictures for picture in one])}"]


def _joined(pictures: Sequence[str]) -> str:
    """Return paths as the values of a sweep."""
    return ",".join(map(as_typed, pictures))


def _elements(override: str) -> list[str] | None:
    """Return the texts among which an override chooses; None if these are not plain texts."""
    try:
        parsed: Any = OverridesParser.create().parse_override(override)._value
    except HydraException:
        return None
    elements = [_plain(element) for element in (parsed.list if isinstance(parsed, ChoiceSweep) else [parsed])]
    return elements if all(isinstance(element, str) for element in elements) else None


def _plain(element: Any) -> Any:
    """Return an element of Hydra's grammar without its quotes, as the user means it."""
    return unquoted(element.with_quotes()) if isinstance(element, QuotedString) else element


def _pictures_of(role: str, text: str) -> Iterator[str]:
    """Yield the paths that a typed text stands for; the text itself if it is no folder and no pattern."""
    if text.startswith(PREFIX):
        yield text
    elif path_exists(text):
        path = user_path(text)
        yield from _checked(role, text, pictures_in(path)) if path.is_dir() else (text,)
    elif "*" in text or "?" in text:
        yield from _checked(role, text, pictures_matching(str(user_path(text))))
    else:
        yield text


def _checked(role: str, text: str, paths: Sequence[Path]) -> list[str]:
    """Return paths as they would be typed in the folder of the command.

    Raises:
        InputError: There are none.
    """
    if not paths:
        place = "no file matches it" if "*" in text or "?" in text else "the folder has no pictures"
        raise InputError(f"{role}={text}: {place}. Give a folder with pictures ({', '.join(SUFFIXES)}), or one picture")
    return [_as_given(text, path) for path in paths]


def _as_given(text: str, path: Path) -> str:
    """Return a found path as it would be typed: absolute if the text is, else relative to the folder of the command."""
    here = user_path("")
    return str(path.relative_to(here)) if not Path(text).is_absolute() and path.is_relative_to(here) else str(path)


def _expand_list(source: str, arguments: Sequence[str]) -> list[str]:
    if clash := [text for text in arguments if split_override(text)[0] in PICTURE_KEYS]:
        raise InputError(f"{LIST_KEY}={source} names content and style of each run. Leave out {' '.join(clash)}")
    columns = zip(PICTURE_KEYS, zip(*read_pairs(source), strict=True), strict=True)
    return [*(f"{role}={_joined(pictures)}" for role, pictures in columns), SWEEPER]


def read_pairs(source: str) -> list[tuple[str, str]]:
    """Return the pairs of content and style that a file lists.

    Args:
        source: A CSV file with the header ``content,style``, or a YAML file with a list of ``[content, style]`` or of
            ``{content: …, style: …}``. A relative path starts from the folder of the file, so that a list can be moved
            together with its pictures; ``sample:NAME`` may be used too.

    Raises:
        InputError: The file cannot be read, has no pairs, or one of its pictures does not exist.
    """
    place = f"{LIST_KEY}={source}"
    text = _read_list(source, place)
    rows = _yaml_rows(text, place) if Path(source).suffix.lower() in (".yaml", ".yml") else _csv_rows(text, place)
    if not rows:
        raise InputError(f"{place}: has no pairs. Give one line for each pair of content and style")
    pairs = [(_listed(place, source, content), _listed(place, source, style)) for content, style in rows]
    if len(set(pairs)) < len(pairs):
        twice = next(pair for pair in pairs if pairs.count(pair) > 1)
        raise InputError(f"{place}: names the pair {', '.join(twice)} twice. Leave one out; seed=range(5) repeats runs")
    return pairs


def _read_list(source: str, place: str) -> str:
    try:
        return read_regular_file(user_path(source), LARGEST_LIST).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{place}: is no text in UTF-8. Give a CSV or YAML file") from None
    except InputError as error:
        raise InputError(f"{place}: {error}. Give a CSV or YAML file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{place}: {reason}. Give a CSV or YAML file of content and style") from None


def _csv_rows(text: str, place: str) -> list[tuple[str, str]]:
    try:
        lines = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), strict=True) if any(row)]
    except csv.Error as error:
        raise InputError(f"{place}: is no CSV: {error}. Give the columns content and style") from None
    if not lines or sorted(lines[0]) != sorted(PICTURE_KEYS):
        header = ",".join(lines[0])[:80] if lines else ""
        raise InputError(f"{place}: has the header {header!r}. It must be 'content,style'")
    return [_row(dict(zip(lines[0], row, strict=False)), row, place) for row in lines[1:]]


def _yaml_rows(text: str, place: str) -> list[tuple[str, str]]:
    try:
        entries = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{place}: is no YAML: {message_of(error)}") from None
    if not isinstance(entries, list):
        raise InputError(f"{place}: must be a list of [content, style]; it is {type(entries).__name__}")
    return [
        _row(entry if isinstance(entry, dict) else dict(zip(PICTURE_KEYS, entry, strict=False)), entry, place)
        for entry in (one if isinstance(one, list | dict) else [one] for one in entries)
    ]


def _row(cells: dict[Any, Any], row: Any, place: str) -> tuple[str, str]:
    values = [cells.get(role) for role in PICTURE_KEYS]
    if len(row) != len(PICTURE_KEYS) or not all(isinstance(value, str) and value for value in values):
        raise InputError(f"{place}: the entry {reprlib.repr(row)} must be one content and one style")
    content, style = values
    return str(content), str(style)


def _listed(place: str, source: str, picture: str) -> str:
    """Return a picture of a list as it would be typed in the folder of the command."""
    if picture.startswith(PREFIX):
        return picture
    path = Path(picture).expanduser() if picture.startswith("~") else Path(source).parent / picture
    if not user_path(path).is_file():
        raise InputError(f"{place}: there is no file '{path}'. Relative paths start from the folder of the list")
    return str(path)
