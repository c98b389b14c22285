"""Short names of values and pictures for headings: without quotes, and with no more of a path than is needed."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from nst_tf.config.overrides import plain_text

QUOTED_OR_BARE = re.compile(r"""'(?:\\.|[^\\'])*'|"(?:\\.|[^\\"])*"|(?:\\.|[^\\,\[\]'"])+""")
"""A text within an override's value or list of values in Hydra's grammar: quoted, or bare with escapes."""

FLAT_LIST = re.compile(r"\[[^\[\]]*\]", re.DOTALL)
"""A list of values that contains no list."""


def short_names(values: Iterable[str]) -> dict[str, str]:
    """Return a short name for each value of a setting.

    A name has no quotes and escapes of Hydra's grammar. Of a path, it has the file name, and as many of the folders
    above as distinguish it from the other paths: ``a/style.png`` and ``b/style.png``, but ``star.png`` for
    ``c/star.png``. A list has the names of all of its values: ``[star.png, light.png]``.

    Args:
        values: The values as typed or recorded.
    """
    parts = {value: _parts(value) for value in values}
    names = _file_names(dict.fromkeys(text for texts in parts.values() for text in texts))
    short = {value: _join(value, [names[text] for text in texts]) for value, texts in parts.items()}
    counts = Counter(short.values())
    return {value: name if counts[name] == 1 else value for value, name in short.items()}


def _parts(value: str) -> list[str]:
    """Return the plain text of a value, or the plain texts in a list of values."""
    if FLAT_LIST.fullmatch(value):
        return [plain_text(text.strip()) for text in QUOTED_OR_BARE.findall(value[1:-1]) if text.strip()]
    return [value if value.startswith(("[", "{")) else plain_text(value.strip())]


def _join(value: str, names: Sequence[str]) -> str:
    return f"[{', '.join(names)}]" if FLAT_LIST.fullmatch(value) else names[0]


def _file_names(texts: Iterable[str]) -> dict[str, str]:
    """Return the shortest end of each path that no other path has, and other texts unchanged."""
    folders = {text: PurePath(text).parts if _is_path(text) else (text,) for text in texts}
    names: dict[str, str] = {}
    for length in range(1, max(map(len, folders.values()), default=0) + 1):
        ends = {text: "/".join(parts[-length:]) for text, parts in folders.items()}
        counts = Counter(ends.values())
        names |= {text: end for text, end in ends.items() if text not in names and counts[end] == 1}
    return {text: names.get(text, text) for text in folders}


def _is_path(text: str) -> bool:
    return "/" in text and not text.startswith(("[", "{"))
