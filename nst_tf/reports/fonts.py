"""Fonts of the figures: installed ones that have the letters of all names, and readable text where none has them."""

import contextlib
import functools
import unicodedata
from collections.abc import Iterable, Iterator

import matplotlib
from matplotlib import font_manager

FAMILY = "DejaVu Sans"
"""Matplotlib's own font, which has the letters of Latin, Greek, Cyrillic and other scripts."""

WIDE_FAMILIES = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Source Han Sans", "Droid Sans Fallback"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "IPAGothic", "TakaoPGothic", "Nanum Gothic", "Noto Sans"),
    *("PingFang SC", "Hiragino Sans", "Heiti SC", "Arial Unicode MS", "Microsoft YaHei", "Yu Gothic", "MS Gothic"),
    *("Malgun Gothic", "Segoe UI Emoji", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Unifont"),
)
"""Fonts of usual systems that have letters of other scripts, in the order in which they are tried."""


@contextlib.contextmanager
def figure_fonts() -> Iterator[None]:
    """Let Matplotlib take each letter from the first installed font that has it."""
    with matplotlib.rc_context({"font.family": list(installed_families())}):
        yield


@functools.cache
def installed_families() -> tuple[str, ...]:
    """Return `FAMILY` and those of `WIDE_FAMILIES` that are installed."""
    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return (FAMILY, *(name for name in WIDE_FAMILIES if name in installed))


def drawable(text: str, families: Iterable[str] | None = None) -> str:
    """Return a text with letters that the figures' fonts have; others become their code, ``[661F]``.

    The page shows the text as it is, because a browser has fonts of its own.

    Args:
        text: A name.
        families: Names of fonts. Default: `installed_families`.
    """
    letters = frozenset().union(*map(_letters, installed_families() if families is None else families))
    return "".join(
        letter if ord(letter) in letters or letter == "\n" else f"[{ord(letter):04X}]"
        for letter in unicodedata.normalize("NFC", text)
    )


@functools.cache
def _letters(family: str) -> frozenset[int]:
    return frozenset(font_manager.get_font(font_manager.findfont(family)).get_charmap())
