"""MkDocs hooks: pages that lie outside docs/ become pages of the site, and their links follow them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
PAINTINGS = "nst_tf/images/paintings"

LINKS = {
    **{f"](../{source}": f"]({page}" for source, page in PAGES.items()},
    **{f"]({source}": f"]({page}" for source, page in PAGES.items()},
    f"]({PAINTINGS}/": "](paintings/",
    "](docs/": "](",
}
"""Beginning of a link as it works in a checkout, and as it works on the site."""


MARKED_BLOCK = re.compile(r"^```text \w+$", re.MULTILINE)
"""A block that a program reads by its second word, which Markdown on the site does not accept."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures that lie outside docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for picture in sorted((ROOT / PAINTINGS).glob("*.jpg")):
        files.append(File.generated(config, f"paintings/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return the page in the form that the site needs: with its links and marked blocks rewritten."""
    for checkout, site in LINKS.items():
        markdown = markdown.replace(checkout, site)
    return MARKED_BLOCK.sub("```text", markdown)
