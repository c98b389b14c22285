"""The page of a film: source and result side by side, and the temporal error of each frame."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nst_tf.util.files import write_text
from nst_tf.video.folder import VideoFolder

TEMPLATE = "page.html.jinja"
"""Name of the template beside this module."""


def write_page(folder: VideoFolder, record: Mapping[str, Any]) -> None:
    """Write `index.html`, which plays the films of its folder.

    Args:
        folder: The folder, with films and plot.
        record: Content of `video.json`.
    """
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    text = environment.get_template(TEMPLATE).render(
        record=record, measures=record["measures"], rate=f"{float(Fraction(record['rate'])):.6g}", number=_number
    )
    write_text(folder.page, text)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
