"""The pictures of a report: full-size copies, thumbnails and films, all of them in files beside the page."""

import contextlib
import io
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nst_tf.images import Picture, read_picture, resize, write_picture
from nst_tf.images.picture import FORMATS
from nst_tf.reports.reading import Run
from nst_tf.util.errors import InputError
from nst_tf.util.files import open_regular_file, write_atomically
from nst_tf.util.paths import shown

log = logging.getLogger(__name__)

FOLDER = "pictures"
"""Folder of the copies, beside the page."""

THUMBNAILS = f"{FOLDER}/thumbnails"
"""Folder of the thumbnails."""

WRITTEN = ("run_*.png", "run_*.webp", "content_*.jpg", "input_*.jpg", "thumbnails/run_*.jpg", "thumbnails/input_*.jpg")
"""Patterns of the files that a report writes into `FOLDER`. The next report replaces them."""

THUMBNAIL_SIDE = 480
"""Longest side of a thumbnail in pixels: twice the 240 CSS pixels of a tile, for screens of double density."""

UNREADABLE = (InputError, OSError, SyntaxError, ValueError)
"""Errors of a file that is no picture, is broken, or is no regular file; Pillow raises the last two types too."""


@dataclass(frozen=True)
class PictureCopy:
    """A picture in the report.

    Attributes:
        file: Path of the full-size copy, relative to the page.
        thumbnail: Path of the thumbnail, relative to the page.
        width: Width of the full-size copy in pixels.
        height: Height of the full-size copy in pixels.
    """

    file: str
    thumbnail: str
    width: int
    height: int


@dataclass(frozen=True)
class Input:
    """An input picture of a run.

    Attributes:
        role: ``content`` or ``style:1``, ``style:2``, ….
        source: Path or name, as the run recorded it.
        picture: The copy; None where the file is missing or has changed.
    """

    role: str
    source: str
    picture: PictureCopy | None


@dataclass(frozen=True)
class RunPictures:
    """The pictures of one run.

    Attributes:
        result: The stylised picture, or the last snapshot; None where there is neither.
        content: File with the photograph in the size of the result, relative to the page; None where it is missing or
            has changed.
        styles: The paintings.
        film: File with the animated picture of the run, relative to the page; None where there is none.
    """

    result: PictureCopy | None
    content: str | None
    styles: Sequence[Input]
    film: str | None


class Gallery:
    """Copies pictures into a report, and removes those of an earlier report.

    No picture stays in memory: the last photograph that was read is the only one that is kept.

    Args:
        folder: Folder of the report.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / THUMBNAILS).mkdir(parents=True, exist_ok=True)
        for pattern in WRITTEN:
            for path in (folder / FOLDER).glob(pattern):
                path.unlink()
        self._contents: dict[tuple[str, int, int], str] = {}
        self._inputs: dict[tuple[str, str], PictureCopy | None] = {}
        self._unusable: set[tuple[str, str]] = set()
        self._last_read: tuple[str, str, Picture] | None = None

    def copy_run(self, run: Run, number: int) -> RunPictures:
        """Copy all pictures of a run.

        Args:
            run: The run.
            number: Index of the run, which becomes part of the file names.
        """
        result = None if run.picture is None else self._copy(run.picture, f"run_{number}")
        return RunPictures(
            result=result,
            content=self._write_content(run, result),
            styles=[self._copy_input(*recorded) for recorded in _recorded_inputs(run) if recorded[0] != "content"],
            film=self._copy_film(run.folder.film, f"{FOLDER}/run_{number}.webp"),
        )

    def copy_snapshot(self, run: Run, number: int, step: int) -> PictureCopy | None:
        """Copy a run's snapshot of one step byte for byte; return None where there is none."""
        path = run.folder.snapshot(step)
        return self._copy(path, f"run_{number}_step_{step}") if path.exists() else None

    def copy_shared_inputs(self, runs: Sequence[Run]) -> list[Input]:
        """Copy the photographs and paintings that all runs have in common."""
        shared = set.intersection(*(set(_recorded_inputs(run)) for run in runs))
        return [self._copy_input(*recorded) for recorded in sorted(shared)]

    def _copy(self, path: Path, name: str) -> PictureCopy | None:
        """Link or copy a PNG file into the report and write its thumbnail; return None for an unreadable file."""
        file, thumbnail = f"{FOLDER}/{name}.png", f"{THUMBNAILS}/{name}.jpg"
        try:
            width, height = _write_small_jpeg(self._folder / thumbnail, path, THUMBNAIL_SIDE)
            _link_or_copy(path, self._folder / file)
        except UNREADABLE as error:
            log.warning("Cannot read the picture '%s': %s. The report leaves it out.", path, error)
            return None
        return PictureCopy(file, thumbnail, width, height)

    def _copy_film(self, path: Path, file: str) -> str | None:
        if not path.is_file():
            return None
        try:
            _link_or_copy(path, self._folder / file)
        except OSError as error:
            log.warning("Cannot copy the film '%s': %s. The report leaves it out.", path, error)
            return None
        return file

    def _write_content(self, run: Run, result: PictureCopy | None) -> str | None:
        """Write a run's photograph in the size of its result, once for all runs that share both."""
        recorded = next((one for one in _recorded_inputs(run) if one[0] == "content"), None)
        if result is None or recorded is None:
            return None
        _, source, sha256 = recorded
        key = (sha256, result.height, result.width)
        if key not in self._contents and (picture := self._read_input(source, sha256)) is not None:
            file = f"{FOLDER}/content_{len(self._contents)}.jpg"
            write_picture(self._folder / file, resize(picture.pixels, result.height, result.width))
            self._contents[key] = file
        return self._contents.get(key)

    def _copy_input(self, role: str, source: str, sha256: str) -> Input:
        """Write an input picture at its own size, once for all runs that share it."""
        if (source, sha256) not in self._inputs:
            self._inputs[source, sha256] = self._write_input(source, sha256, f"input_{len(self._inputs)}.jpg")
        return Input(role, source, self._inputs[source, sha256])

    def _write_input(self, source: str, sha256: str, name: str) -> PictureCopy | None:
        picture = self._read_input(source, sha256)
        if picture is None:
            return None
        file, thumbnail = f"{FOLDER}/{name}", f"{THUMBNAILS}/{name}"
        write_picture(self._folder / file, picture.pixels)
        width, height = _write_small_jpeg(self._folder / thumbnail, self._folder / file, THUMBNAIL_SIDE)
        return PictureCopy(file, thumbnail, width, height)

    def _read_input(self, source: str, sha256: str) -> Picture | None:
        """Read an input; return None where it is missing or no longer has the recorded hash, and warn once."""
        if self._last_read is not None and self._last_read[:2] == (source, sha256):
            return self._last_read[2]
        if (source, sha256) in self._unusable:
            return None
        with contextlib.suppress(InputError):
            picture = read_picture(source)
            if picture.sha256 == sha256:
                self._last_read = (source, sha256, picture)
                return picture
        log.warning(
            "The input '%s' is missing or has changed since its run. The report leaves it out.", shown(source, 200)
        )
        self._unusable.add((source, sha256))
        return None


def _recorded_inputs(run: Run) -> list[tuple[str, str, str]]:
    """Return role, source and SHA-256 of each input, as the run recorded them."""
    inputs = run.record.get("inputs")
    if not isinstance(inputs, dict):
        return []
    return [
        (str(role), str(recorded.get("source")), str(recorded.get("sha256")))
        for role, recorded in inputs.items()
        if isinstance(recorded, dict)
    ]


def _link_or_copy(source: Path, copy: Path) -> None:
    """Give a file a second name, which needs no space; copy it where the file system has no hard links."""
    copy.unlink(missing_ok=True)  # copying into an old link would overwrite the file that it was linked to
    try:
        os.link(source.resolve(), copy)
    except OSError:
        shutil.copyfile(source, copy)


def write_thumbnail(path: Path, source: Path, longest: int) -> bool:
    """Write a small JPEG of a picture.

    Args:
        path: The JPEG to write.
        source: The picture.
        longest: Longest side of the JPEG in pixels.

    Returns:
        Whether the picture could be read. If not, a warning is logged.
    """
    buffer = io.BytesIO()
    try:
        _write_small_jpeg(buffer, source, longest)
    except UNREADABLE as error:
        log.warning("Cannot read the picture '%s': %s. The page leaves it out.", source, error)
        return False
    write_atomically(path, buffer.getvalue())
    return True


def _write_small_jpeg(destination: Path | io.BytesIO, source: Path, longest: int) -> tuple[int, int]:
    """Write a picture over white with its longest side reduced; return the width and height of the source."""
    with open_regular_file(source) as file, Image.open(file, formats=[name.upper() for name in FORMATS]) as image:
        width, height = image.size
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=2)
        opaque = Image.new("RGB", image.size, "white")
        opaque.paste(image, mask=image.getchannel("A") if "A" in image.getbands() else None)
    opaque.save(destination, "JPEG", quality=90, subsampling=0)
    return width, height
