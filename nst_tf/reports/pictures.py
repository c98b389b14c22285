"""The pictures of a report: copied beside the page, so that the folder can be moved, and small ones within it."""

import base64
import contextlib
import io
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nst_tf.images import Picture, read_picture, resize, write_picture
from nst_tf.reports.reading import Run
from nst_tf.util.errors import InputError
from nst_tf.util.files import write_atomically

log = logging.getLogger(__name__)

FOLDER = "pictures"
THUMBNAIL = 480
"""Longest side of a picture within the page, in pixels: sharp at 240 on a dense screen."""


@dataclass(frozen=True)
class Shown:
    """A picture as the page has it.

    Attributes:
        file: Its full size, relative to the page.
        thumbnail: A small one, as a ``data:`` address.
        width: Of the full size, in pixels.
        height: Likewise.
        image: The small one, for the contact sheet.
    """

    file: str
    thumbnail: str
    width: int
    height: int
    image: Image.Image


@dataclass(frozen=True)
class Input:
    """A picture that runs were given: its role (``content``, ``style:1``), where it came from, itself if at hand."""

    role: str
    source: str
    shown: Shown | None


class Gallery:
    """Copies pictures into a report.

    Args:
        folder: The report's; what an earlier report left in its pictures goes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        for kind in ("run_*.png", "content_*.jpg", "input_*.jpg"):
            for path in (folder / FOLDER).glob(kind):
                path.unlink()
        self._contents: dict[tuple[str, int, int], str] = {}
        self._read: dict[tuple[str, str], Picture | None] = {}

    def of_run(self, run: Run, number: int) -> Shown | None:
        """Copy a run's picture, byte for byte; None where it has none that can be read."""
        return None if run.picture is None else self._copy(run.picture, f"{FOLDER}/run_{number}.png")

    def at_step(self, run: Run, number: int, step: int) -> Shown | None:
        """Copy a run's snapshot of a step likewise; None where there is none."""
        path = run.folder.snapshot(step)
        return self._copy(path, f"{FOLDER}/run_{number}_step_{step}.png") if path.exists() else None

    def _copy(self, path: Path, file: str) -> Shown | None:
        try:
            small, width, height = _small(path)
            shutil.copyfile(path, self._folder / file)
        except (OSError, SyntaxError, ValueError) as error:
            log.warning("'%s' cannot be shown: %s", path, error)
            return None
        return Shown(file, _data(small), width, height, small)

    def content_of(self, run: Run, shown: Shown | None) -> str | None:
        """A run's photograph at the size of its picture; None where it is not at hand."""
        entry = _inputs(run).get("content")
        if shown is None or entry is None:
            return None
        source, sha256 = entry
        key = (sha256, shown.height, shown.width)
        picture = self._at_hand(source, sha256)
        if key not in self._contents and picture is not None:
            file = f"{FOLDER}/content_{len(self._contents)}.jpg"
            write_picture(self._folder / file, resize(picture.pixels, shown.height, shown.width))
            self._contents[key] = file
        return self._contents.get(key)

    def inputs_of(self, runs: Sequence[Run]) -> list[Input]:
        """The pictures that all runs were given alike: photograph and paintings."""
        common = set.intersection(*(set(_inputs(run).items()) for run in runs))
        return [
            Input(role, source, self._copied(source, sha256, number))
            for number, (role, (source, sha256)) in enumerate(sorted(common))
        ]

    def _copied(self, source: str, sha256: str, number: int) -> Shown | None:
        picture = self._at_hand(source, sha256)
        if picture is None:
            return None
        file = f"{FOLDER}/input_{number}.jpg"
        write_picture(self._folder / file, picture.pixels)
        small, width, height = _small(self._folder / file)
        return Shown(file, _data(small), width, height, small)

    def _at_hand(self, source: str, sha256: str) -> Picture | None:
        """An input of a run, if it still lies where the run found it and is the same picture."""
        if (source, sha256) not in self._read:
            self._read[source, sha256] = _read_same(source, sha256)
        return self._read[source, sha256]


def _read_same(source: str, sha256: str) -> Picture | None:
    with contextlib.suppress(InputError):
        picture = read_picture(source)
        if picture.sha256 == sha256:
            return picture
    log.warning("'%s' is not where its run found it, or has changed: the report does without it", source)
    return None


def _inputs(run: Run) -> dict[str, tuple[str, str]]:
    """Role to source and SHA-256, as the run recorded them."""
    inputs = run.record.get("inputs")
    if not isinstance(inputs, dict):
        return {}
    return {
        str(role): (str(entry.get("source")), str(entry.get("sha256")))
        for role, entry in inputs.items()
        if isinstance(entry, dict)
    }


def write_small(path: Path, source: Path, longest: int) -> bool:
    """Write a small JPEG of a picture.

    Args:
        path: The JPEG.
        source: The picture.
        longest: Side of the small one at most, in pixels.

    Returns:
        Whether the picture could be read; one that cannot is a line in the log.
    """
    try:
        small, _, _ = _small(source, longest)
    except (OSError, SyntaxError, ValueError) as error:
        log.warning("'%s' cannot be shown: %s", source, error)
        return False
    write_atomically(path, _jpeg(small))
    return True


def _small(path: Path, longest: int = THUMBNAIL) -> tuple[Image.Image, int, int]:
    """A picture of at most so many pixels a side, and the width and height it had."""
    with Image.open(path) as image:
        width, height = image.size
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        opaque = Image.new("RGB", image.size, "white")
        opaque.paste(image, mask=image.getchannel("A") if "A" in image.getbands() else None)
    return opaque, width, height


def _data(image: Image.Image) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(_jpeg(image)).decode()}"


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()
