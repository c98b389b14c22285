"""The pictures of the StyleID benchmark, which ``sweep=styleid`` and ``sweep=styleid_small`` combine.

Chung, Hyun & Heo 2024, *Style Injection in Diffusion*, score every method on 20 photographs with 40 paintings each. The
pictures are in the folder ``data`` of their repository, which the user brings.
"""

from collections.abc import Sequence
from pathlib import Path

from nst_tf.config.overrides import PICTURE_KEYS, split_override, unquoted
from nst_tf.images.listing import pictures_in
from nst_tf.util.errors import InputError
from nst_tf.util.paths import user_path

GROUP = "styleid"
"""First part of the keys that choose the pictures."""

DEFAULT_PATH = "StyleID/data"
"""Folder of the pictures in a clone of the repository beside the outputs."""

REPOSITORY = "https://github.com/jiwoogit/StyleID"
"""Address of the repository."""

FOLDERS = {"content": "cnt", "style": "sty"}
"""Folder of the photographs and of the paintings, as the repository names them."""

COUNT_KEYS = {"content": "contents", "style": "styles"}
"""Keys of the numbers of photographs and of paintings."""

PROTOCOLS: dict[str, dict[str, int]] = {
    "styleid": {"contents": 20, "styles": 40},
    "styleid_small": {"contents": 5, "styles": 8},
}
"""Number of photographs and of paintings of each sweep: the first ones, sorted by name."""


def without_styleid(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that remain when the keys of the benchmark have been read."""
    return [text for text in arguments if not _is_key(text)]


def styleid_overrides(arguments: Sequence[str]) -> dict[str, list[str]]:
    """Return the photographs and the paintings of the benchmark that a command line asks for.

    ``styleid.path`` is the folder with ``cnt`` and ``sty``. ``styleid.contents`` and ``styleid.styles`` change how many
    pictures of each are combined. Pictures that the command names itself take the place of the benchmark's, so that a
    single run of the sweep can be repeated.

    Args:
        arguments: Overrides as typed, with quotes where they need them.

    Returns:
        Paths by ``content`` and ``style``; empty for a command without one of the `PROTOCOLS`.

    Raises:
        InputError: The folder or its pictures are missing, a number is out of range, or the command has such keys
            without such a sweep.
    """
    typed = {split_override(text)[0]: text for text in arguments if _is_key(text)}
    sweep = next((value for key, value in map(split_override, arguments) if key == "sweep"), "")
    if sweep not in PROTOCOLS:
        _refuse_other_sweeps(typed)
        return {}
    options: dict[str, object] = {"path": DEFAULT_PATH, **PROTOCOLS[sweep]}
    for key, text in typed.items():
        options[_option(key, options)] = unquoted(split_override(text)[1])
    named = {split_override(text)[0] for text in arguments}
    return {role: _pictures(role, options) for role in PICTURE_KEYS if not named & {role, "pairs"}}


def _is_key(override: str) -> bool:
    return split_override(override)[0].partition(".")[0] == GROUP


def _refuse_other_sweeps(typed: dict[str, str]) -> None:
    if typed:
        sweeps = " or ".join(f"sweep={name}" for name in PROTOCOLS)
        raise InputError(f"{' '.join(typed.values())}: belongs to {sweeps}. Type one of them, or leave it out")


def _option(key: str, options: dict[str, object]) -> str:
    name = key.partition(".")[2]
    if name not in options:
        raise InputError(f"Unknown key '{key}': available: {', '.join(f'{GROUP}.{known}' for known in options)}")
    return name


def _pictures(role: str, options: dict[str, object]) -> list[str]:
    """Return the first pictures of a role by name, as they would be typed in the folder of the command."""
    key, path = COUNT_KEYS[role], str(options["path"])
    count = _count(key, options[key])
    folder = Path(path) / FOLDERS[role]
    if not user_path(folder).is_dir():
        raise InputError(
            f"{GROUP}.path={path}: there is no folder '{folder}'. Clone {REPOSITORY} and give its folder data"
        )
    found = pictures_in(user_path(folder))
    if len(found) < count:
        raise InputError(
            f"{GROUP}.path={path}: '{folder}' has {len(found)} pictures, and {GROUP}.{key}={count} are combined. "
            f"Give the complete folder, or a smaller number"
        )
    return [str(folder / picture.name) for picture in found[:count]]


def _count(key: str, value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise InputError(f"{GROUP}.{key}={text}: must be a whole number of at least 1")
    return int(text)
