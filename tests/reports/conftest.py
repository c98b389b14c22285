"""Sweeps with invented losses, and a parser for the page."""

from html.parser import HTMLParser

import pytest


@pytest.fixture(scope="session")
def write_sweep(made_up_run):
    """Return a function that writes a sweep; ``ends`` has the arguments of `made_up_run` for each run."""

    def write(folder, points, ends=None, shared=("content=photo.jpg", "steps=3", "name=grid")):
        for number, point in enumerate(points):
            end = ends[number] if ends else {}
            made_up_run(folder / f"{number}_{point[0].replace('/', '_')}", [*shared, *point], **end)
        return folder

    return write


@pytest.fixture
def made_up_sweep(write_sweep, tmp_path):
    """Return a function that writes a sweep, by default into ``grid``."""

    def write(*arguments, folder=None, **options):
        return write_sweep(folder or tmp_path / "grid", *arguments, **options)

    return write


class Page(HTMLParser):
    """The elements of a page, with tag, attributes and text."""

    VOID = ("meta", "link", "img", "input", "wbr")

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.elements, self._open = [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        element = {"tag": tag, "text": "", "within": [e["tag"] for e in self._open], **dict(attributes)}
        self.elements.append(element)
        if tag not in self.VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop()["tag"] == tag, f"</{tag}> closes another element"

    def handle_data(self, text):
        for element in self._open:
            element["text"] += text

    def find(self, tag, **attributes):
        wanted = {key.strip("_"): value for key, value in attributes.items()}
        return [
            e
            for e in self.elements
            if e["tag"] == tag and all(value in (e.get(key) or "").split() for key, value in wanted.items())
        ]


@pytest.fixture
def read_page():
    return Page
