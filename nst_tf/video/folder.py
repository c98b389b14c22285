"""The folder of a stylised film: the paths of its files, and its record."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nst_tf.runs.folder import RunFolder
from nst_tf.util.errors import InputError
from nst_tf.util.files import make_folder, read_regular_file, write_text
from nst_tf.util.parsing import LARGEST_TEXT, parse_json


@dataclass(frozen=True)
class VideoFolder:
    """The folder of one film. Frames are numbered from 1.

    Attributes:
        path: Path of the folder. It need not exist yet.
    """

    path: Path

    @property
    def run(self) -> RunFolder:
        """The same folder as that of a run, whose lock and config it has."""
        return RunFolder(self.path)

    @property
    def record(self) -> Path:
        """Path of the record of the film."""
        return self.path / "video.json"

    @property
    def page(self) -> Path:
        """Path of the page with the films side by side."""
        return self.path / "index.html"

    @property
    def table(self) -> Path:
        """Path of the table with a row for each frame."""
        return self.path / "frames.csv"

    @property
    def plot(self) -> Path:
        """Path of the plot of the temporal error over the frames."""
        return self.path / "errors.png"

    @property
    def frames(self) -> Path:
        """Path of the folder of the stylised frames."""
        return self.path / "frames"

    def film(self, suffix: str, name: str = "stylized") -> Path:
        """Return the path of a film, ``stylized`` or ``source``."""
        return self.path / f"{name}{suffix}"

    def frame(self, number: int) -> Path:
        """Return the path of a stylised frame."""
        return self.frames / f"{number:06d}.png"

    def source_frame(self, number: int) -> Path:
        """Return the path of a frame of the source, at the size at which it is stylised."""
        return self.path / "source" / f"{number:06d}.png"

    def flow(self, start: int, end: int) -> Path:
        """Return the path of the flow from one frame to another."""
        return self.path / "flow" / f"{start:06d}_{end:06d}.flo"

    def frame_run(self, number: int, turn: int = 1) -> RunFolder:
        """Return the run folder of a frame in a pass."""
        return RunFolder(self.path / "runs" / f"pass_{turn:02d}" / f"{number:06d}")

    def read_record(self) -> dict[str, Any]:
        """Return the record, or an empty dictionary without one.

        Raises:
            InputError: The file is not the record of a film.
        """
        if not self.record.exists():
            return {}
        with contextlib.suppress(ValueError):
            record = parse_json(read_regular_file(self.record, LARGEST_TEXT).decode("utf-8"))
            if isinstance(record, dict) and isinstance(record.get("fingerprint"), str):
                return record
        raise InputError(f"'{self.record}' is not the record of a film: delete it, or choose another name=")

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write the record."""
        write_text(self.record, json.dumps(record, indent=2, ensure_ascii=False) + "\n")

    def publish(self, number: int, turn: int) -> None:
        """Put the result of a frame into `frames`, as a hard link where that is possible."""
        result, target = self.frame_run(number, turn).picture, self.frame(number)
        make_folder(self.frames)
        if not (target.exists() and target.samefile(result)):
            place_copy(result, target)


def place_copy(source: Path, target: Path) -> None:
    """Put a file at another path, as a hard link where that is possible; a file there is replaced."""
    temporary = target.with_name(f".{target.name}.partial")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
    temporary.replace(target)
