"""Reading of a film, a folder of frames, or a made-up scene, frame by frame."""

from __future__ import annotations

import hashlib
import importlib
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.images import read_picture, to_bytes
from nst_tf.images.listing import pictures_in
from nst_tf.images.reading import Limits
from nst_tf.util.errors import InputError, message_of
from nst_tf.util.paths import user_path
from nst_tf.video.scenes import PREFIX, RATE, SCENES, Scene

log = logging.getLogger(__name__)

FOLDER_RATE = Fraction(24)
"""Frames per second of a folder of frames, unless ``frames.rate`` gives another."""


class Clip(ABC):
    """Frames in their order.

    Attributes:
        source: What the user typed.
        rate: Frames per second; None if the film does not say.
        sound: Path of a film with the clip's sound; None without sound.
        path: Path of the film or folder; None for a made-up scene.
    """

    source: str
    rate: Fraction | None = None
    sound: Path | None = None
    path: Path | None = None

    @abstractmethod
    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames, ``(H, W, 3)`` uint8 in sRGB.

        Raises:
            InputError: A frame cannot be read, or has another size than the first.
        """

    @abstractmethod
    def identity(self) -> str:
        """Return a SHA-256 that other frames do not have."""


def open_clip(source: Any, limits: Limits | None = None) -> Clip:
    """Return the clip that a text names.

    Args:
        source: Path of a film or of a folder of frames, or ``sample:NAME`` of a scene in `SCENES`.
        limits: Largest picture of a folder, and largest frame of a film.

    Raises:
        InputError: There is no such file, folder or scene, or it has no frames.
    """
    if source in (None, ""):
        raise InputError("video is missing: give video=FILM, video=FOLDER or video=sample:NAME")
    text = str(source)
    limits = limits or Limits()
    if text.startswith(PREFIX):
        return SceneClip.named(text)
    path = user_path(text)
    if path.is_dir():
        return FolderClip(text, path, limits)
    if not path.is_file():
        raise InputError(f"video={text}: there is no such film or folder of frames")
    return FilmClip(text, path, limits)


class SceneClip(Clip):
    """The frames of a made-up scene.

    Args:
        source: ``sample:NAME``.
        scene: The scene.
    """

    rate = Fraction(RATE)

    def __init__(self, source: str, scene: Scene) -> None:
        self.source, self.scene = source, scene

    @classmethod
    def named(cls, source: str) -> SceneClip:
        """Return the clip of a scene by its name.

        Raises:
            InputError: There is no such scene.
        """
        name = source.removeprefix(PREFIX)
        if name not in SCENES:
            raise InputError(f"video={source}: no such scene; available: {', '.join(PREFIX + n for n in SCENES)}")
        return cls(source, SCENES[name]())

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames of the scene."""
        return map(to_bytes, self.scene.frames())

    def identity(self) -> str:
        """Return the hash of all frames."""
        return _digest(self.frames())


class FolderClip(Clip):
    """The pictures of a folder, in the order of the numbers in their names.

    Args:
        source: What the user typed.
        path: The folder.
        limits: Largest picture that is read.
    """

    def __init__(self, source: str, path: Path, limits: Limits) -> None:
        self.source, self.path, self.rate, self._limits = source, path, FOLDER_RATE, limits
        self.files = sorted(pictures_in(path), key=_natural_order)
        if not self.files:
            raise InputError(f"video={source}: the folder has no pictures. Give a folder of frames, or a film.")

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the pictures, composited over white."""
        pictures = (to_bytes(read_picture(str(file), "video", self._limits).pixels) for file in self.files)
        return _of_one_size(pictures, [f"'{file}'" for file in self.files])

    def identity(self) -> str:
        """Return the hash of the bytes of all files."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()


class FilmClip(Clip):
    """The frames of a film, decoded by PyAV.

    A film that breaks off is read up to the break, with a warning.

    Args:
        source: What the user typed.
        path: The film.
        limits: Largest frame that is decoded.

    Raises:
        InputError: PyAV is not installed, or the file is no film.
    """

    def __init__(self, source: str, path: Path, limits: Limits) -> None:
        self.source, self.path, self._file = source, path, path
        with self._opened() as container:
            if not container.streams.video:
                raise InputError(f"video={source}: the file has no video")
            stream = container.streams.video[0]
            size = f"{stream.width}x{stream.height}"
            if stream.width * stream.height > limits.megapixels * 10**6:
                raise InputError(f"video={source}: frames of {size} pixels; {limits.describe('megapixels')}")
            self.rate = stream.average_rate or stream.guessed_rate
            self.sound = path if container.streams.audio else None

    def _opened(self) -> Any:
        av = import_av()
        try:
            return av.open(f"file:{self._file}")  # a plain path such as ``concat:a|b`` would name a protocol
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"video={self.source}: not a film that can be read: {reason_of(error)}") from error

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames upright, up to the end or to the place where the film is broken."""
        return _of_one_size(self._decoded())

    def _decoded(self) -> Iterator[np.ndarray]:
        av, count = import_av(), 0
        with self._opened() as container:
            try:
                for frame in container.decode(video=0):
                    turns = round(getattr(frame, "rotation", 0) / 90)
                    yield np.rot90(frame.to_ndarray(format="rgb24"), turns)
                    count += 1
            except (av.FFmpegError, ValueError) as error:
                if not count:
                    raise InputError(f"video={self.source}: no frame can be read: {reason_of(error)}") from error
                log.warning("video=%s: broken after frame %d: %s", self.source, count, message_of(error))

    def identity(self) -> str:
        """Return the hash of the file."""
        with self._file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def import_av() -> Any:
    """Return PyAV.

    Raises:
        InputError: It is not installed.
    """
    try:
        return importlib.import_module("av")
    except ImportError:
        raise InputError("Films need PyAV, which is not installed: pip install 'nst-tf[video]'") from None


def reason_of(error: Exception) -> str:
    """Return why PyAV failed, without FFmpeg's number of the error."""
    return str(getattr(error, "strerror", None) or message_of(error))


def _of_one_size(frames: Iterator[np.ndarray], names: list[str] | None = None) -> Iterator[np.ndarray]:
    """Yield frames; refuse one of another size than the first."""
    first: tuple[int, ...] | None = None
    for number, frame in enumerate(frames):
        first = first or frame.shape
        if frame.shape != first:
            name = names[number] if names else f"frame {number}"
            sizes = [f"{width}x{height}" for height, width, _ in (frame.shape, first)]
            raise InputError(
                f"video: {name} has {sizes[0]} pixels, and the first frame {sizes[1]}. Give frames of one size, or "
                f"set frames.stop={number}."
            )
        yield frame


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts ``frame2`` before ``frame10``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _digest(frames: Iterator[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(np.ascontiguousarray(frame).tobytes())
    return digest.hexdigest()
