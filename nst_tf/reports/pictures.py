"""The pictures of a report: full-size copies beside the page, and thumbnails within it."""

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
"""Folder of the copies, beside the page."""

THUMBNAIL_SIDE = 480
"""Longest side of a thumbnail in pixels: twice the 240 CSS pixels of a tile, for screens of double density."""


@dataclass(frozen=True)
class PictureCopy:
    """A picture in the report.

    Attributes:
        file: Path of the full-size copy, relative to the page.
        thumbnail: The thumbnail as a ``data:`` URL.
        width: Width of the full-size copy in pixels.
        height: Height of the full-size copy in pixels.
        image: The thumbnail, for the contact sheet.
    """

    file: str
    thumbnail: str
    width: int
    height: int
    image: Image.Image


@dataclass(frozen=True)
class Input:
    """An input picture that all runs share.

    Attributes:
        role: ``content`` or ``style:1``, ``style:2``, ….
        source: Path or name, as the runs recorded it.
        picture: The copy; None where the file is missing or has changed.
    """

    role: str
    source: str
    picture: PictureCopy | None


class Gallery:
    """Copies pictures into a report, and removes those of an earlier report.

    Args:
        folder: Folder of the report.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        for pattern in ("run_*.png", "content_*.jpg", "input_*.jpg"):
            for path in (folder / FOLDER).glob(pattern):
                path.unlink()
        self._contents: dict[tuple[str, int, int], str] = {}
        self._inputs_read: dict[tuple[str, str], Picture | None] = {}

    def copy_result(self, run: Run, number: int) -> PictureCopy | None:
        """Copy a run's picture byte for byte; return None where there is no readable picture."""
        return None if run.picture is None else self._copy(run.picture, f"{FOLDER}/run_{number}.png")

    def copy_snapshot(self, run: Run, number: int, step: int) -> PictureCopy | None:
        """Copy a run's snapshot of one step byte for byte; return None where there is none."""
        path = run.folder.snapshot(step)
        return self._copy(path, f"{FOLDER}/run_{number}_step_{step}.png") if path.exists() else None

    def _copy(self, path: Path, file: str) -> PictureCopy | None:
        try:
            thumbnail, width, height = _make_thumbnail(path)
            shutil.copyfile(path, self._folder / file)
        except (OSError, SyntaxError, ValueError) as error:
            log.warning("Cannot read the picture '%s': %s. The report leaves it out.", path, error)
            return None
        return PictureCopy(file, _data_url(thumbnail), width, height, thumbnail)

    def write_content(self, run: Run, result: PictureCopy | None) -> str | None:
        """Write a run's photograph in the size of its result.

        Returns:
            Path of the file, relative to the page; None where the photograph is missing or has changed.
        """
        recorded = _recorded_inputs(run).get("content")
        if result is None or recorded is None:
            return None
        source, sha256 = recorded
        key = (sha256, result.height, result.width)
        picture = self._read_input(source, sha256)
        if key not in self._contents and picture is not None:
            file = f"{FOLDER}/content_{len(self._contents)}.jpg"
            write_picture(self._folder / file, resize(picture.pixels, result.height, result.width))
            self._contents[key] = file
        return self._contents.get(key)

    def copy_shared_inputs(self, runs: Sequence[Run]) -> list[Input]:
        """Copy the photographs and paintings that all runs have in common."""
        shared = set.intersection(*(set(_recorded_inputs(run).items()) for run in runs))
        return [
            Input(role, source, self._copy_input(source, sha256, number))
            for number, (role, (source, sha256)) in enumerate(sorted(shared))
        ]

    def _copy_input(self, source: str, sha256: str, number: int) -> PictureCopy | None:
        picture = self._read_input(source, sha256)
        if picture is None:
            return None
        file = f"{FOLDER}/input_{number}.jpg"
        write_picture(self._folder / file, picture.pixels)
        thumbnail, width, height = _make_thumbnail(self._folder / file)
        return PictureCopy(file, _data_url(thumbnail), width, height, thumbnail)

    def _read_input(self, source: str, sha256: str) -> Picture | None:
        """Read an input once; return None where it is missing or no longer has the recorded hash."""
        if (source, sha256) not in self._inputs_read:
            self._inputs_read[source, sha256] = _read_unchanged(source, sha256)
        return self._inputs_read[source, sha256]


def _read_unchanged(source: str, sha256: str) -> Picture | None:
    with contextlib.suppress(InputError):
        picture = read_picture(source)
        if picture.sha256 == sha256:
            return picture
    log.warning("The input '%s' is missing or has changed since its run. The report leaves it out.", source)
    return None


def _recorded_inputs(run: Run) -> dict[str, tuple[str, str]]:
    """Return source and SHA-256 of each input by its role, as the run recorded them."""
    inputs = run.record.get("inputs")
    if not isinstance(inputs, dict):
        return {}
    return {
        str(role): (str(recorded.get("source")), str(recorded.get("sha256")))
        for role, recorded in inputs.items()
        if isinstance(recorded, dict)
    }


def write_thumbnail(path: Path, source: Path, longest: int) -> bool:
    """Write a small JPEG of a picture.

    Args:
        path: The JPEG to write.
        source: The picture.
        longest: Longest side of the JPEG in pixels.

    Returns:
        Whether the picture could be read. If not, a warning is logged.
    """
    try:
        thumbnail, _, _ = _make_thumbnail(source, longest)
    except (OSError, SyntaxError, ValueError) as error:
        log.warning("Cannot read the picture '%s': %s. The page leaves it out.", source, error)
        return False
    write_atomically(path, _jpeg(thumbnail))
    return True


def _make_thumbnail(path: Path, longest: int = THUMBNAIL_SIDE) -> tuple[Image.Image, int, int]:
    """Return the picture with its longest side reduced, and the width and height of the file."""
    with Image.open(path) as image:
        width, height = image.size
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        opaque = Image.new("RGB", image.size, "white")
        opaque.paste(image, mask=image.getchannel("A") if "A" in image.getbands() else None)
    return opaque, width, height


def _data_url(image: Image.Image) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(_jpeg(image)).decode()}"


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()
