"""The page of a film: source and result side by side, and the measures of the film."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nst_tf.util.files import write_text
from nst_tf.video.folder import VideoFolder
from nst_tf.video.measures import JUDGED


def write_page(folder: VideoFolder, record: Mapping[str, Any]) -> None:
    """Write `index.html`, which plays the films of its folder.

    Args:
        folder: The folder, with films and plot.
        record: Content of `video.json`.
    """
    measures = record["measures"]
    scores = {name.removeprefix(JUDGED): value for name, value in measures.items() if name.startswith(JUDGED)}
    entries = {"title": record["name"], "width": "480px", "number": number_text}
    text = rendered(
        "page.html.jinja", record=record, measures=measures, scores=scores, rate=rate_text(record["rate"]), **entries
    )
    write_text(folder.page, text)


def rendered(template: str, **entries: Any) -> str:
    """Return the text of a template of this package; every entry is escaped."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template(template).render(entries)


def rate_text(rate: str) -> str:
    """Return the frames per second of a record as a decimal number.

    Args:
        rate: A fraction such as ``30000/1001``.
    """
    return f"{float(Fraction(rate)):.6g}"


def number_text(value: float | None) -> str:
    """Return a measure with four digits, and a dash for one that is missing."""
    return "–" if value is None else f"{value:.4g}"
