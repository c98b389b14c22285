"""The progress of a picture as a short film."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from PIL import Image

from nst_tf.images import to_bytes
from nst_tf.observers.observer import Observer, RunningObserver, is_due
from nst_tf.runs.events import Finished, Iterate, Started, with_alpha
from nst_tf.util.checks import above
from nst_tf.util.errors import InputError
from nst_tf.util.files import write_atomically

FRAME_QUALITY = 95
"""WebP quality of the stored frames, which are encoded once more for the film."""

LAST_FRAME_SECONDS = 2.0
"""Time for which the film shows its last frame."""


@dataclass
class Film(Observer):
    """Settings of the film `film.webp`, an animated WebP from the start to the saved picture.

    All frames have the size of the last one, so those of coarser scales are enlarged. They are stored in `film/` until
    the film is made at the end of the run, and stay there, so that a resumed or prolonged run has a whole film. At that
    moment the frames are in memory, ``4 · frames · size²`` bytes at most, 50 MiB with the defaults.

    Attributes:
        every: Least number of steps between two frames; 0 for no film. Default 1. A run of many steps has them further
            apart, so that there are no more than ``frames``.
        frames: Largest number of frames, from 2 to 1000. Default 50.
        size: Longer side of the frames in pixels, at most, from 16 to 4096. Default 512.
        seconds: Duration of the film in seconds, before its last frame stays for 2 more. Default 5.
        quality: Quality of the WebP encoding, from 1 to 100. Default 80.
    """

    is_standard: ClassVar[bool] = False

    every: int = 1
    frames: int = 50
    size: int = 512
    seconds: float = 5.0
    quality: int = 80

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, (least, most) in {"frames": (2, 1000), "size": (16, 4096), "quality": (1, 100)}.items():
            if not least <= (value := getattr(self, key)) <= most:
                raise InputError(f"{key}={value}: must be from {least} to {most}")
        above("seconds", self.seconds, 0)

    def period(self, steps: int) -> int:
        """Return the number of steps between two frames of a run of so many steps; 0 for no film."""
        return self.every * math.ceil(steps / (self.every * (self.frames - 1))) if self.every else 0

    def periods(self, steps: int) -> Sequence[int]:
        """Return the period of the frames in a run of so many steps."""
        return [period] if (period := self.period(steps)) else []

    def start(self, event: Started) -> RunningObserver:
        """Return the maker of one run's film; a run without losses has a single picture and no film."""
        return RunningFilm(event, self) if self.every and event.columns else RunningObserver()


class RunningFilm(RunningObserver):
    """Maker of one run's film.

    A new run first removes the frames and the film of an earlier one; a resumed run removes the frames after its
    checkpoint.

    Args:
        event: Start of the run.
        settings: See `Film`.
    """

    survives_disk_errors = True

    def __init__(self, event: Started, settings: Film) -> None:
        self._folder, self._alpha, self._settings = event.folder, event.alpha, settings
        self._period = settings.period(event.steps)
        for path in self._stored():
            if event.resumed_at is None or _step(path) > event.resumed_at:
                path.unlink()
        if event.resumed_at is None:
            self._folder.film.unlink(missing_ok=True)

    def progressed(self, iterate: Iterate) -> None:
        """Store the frame if it is due."""
        if is_due(iterate, self._period):
            self._store(iterate)

    def finished(self, event: Finished) -> None:
        """Store the frame of the saved picture, and make the film if there are at least two frames."""
        if not event.iterate.terms:
            return
        last = event.iterate.step
        self._store(event.iterate)
        shown = [path for path in self._stored() if _step(path) == last or self._is_before(_step(path), last)]
        if len(shown) > 1:
            write_atomically(self._folder.film, self._film(shown))

    def _is_before(self, step: int, last: int) -> bool:
        """Return whether a frame belongs to the film: a run that was shorter may have left others."""
        return step < last and step % self._period == 0

    def _stored(self) -> list[Path]:
        """Return the stored frames in the order of their steps."""
        return sorted(self._folder.frames.glob("step_*.webp"), key=_step)

    def _store(self, iterate: Iterate) -> None:
        pixels = iterate.picture()
        frame = Image.fromarray(to_bytes(with_alpha(pixels, self._alpha)))
        frame.thumbnail((self._settings.size, self._settings.size), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        frame.save(buffer, "WEBP", quality=FRAME_QUALITY)
        write_atomically(self._folder.frames / f"step_{iterate.step:06d}.webp", buffer.getvalue())

    def _film(self, paths: Sequence[Path]) -> bytes:
        """Return the frames as an animated WebP that repeats without end."""
        settings, buffer = self._settings, io.BytesIO()
        with Image.open(paths[-1]) as last:
            size = last.size
        first, *others = (_read_frame(path, size) for path in paths)
        each = round(1000 * settings.seconds / len(others))
        durations = [each] * len(others) + [round(1000 * LAST_FRAME_SECONDS)]
        options = {"duration": durations, "loop": 0, "quality": settings.quality}
        first.save(buffer, "WEBP", save_all=True, append_images=others, **options)
        return buffer.getvalue()


def _read_frame(path: Path, size: tuple[int, int]) -> Image.Image:
    """Return a frame of a given size. A smaller one was made at a coarser scale."""
    with Image.open(path) as frame:
        return frame.copy() if frame.size == size else frame.resize(size, Image.Resampling.BICUBIC)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step_"))
