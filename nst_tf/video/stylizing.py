"""The stylisation of a film: a run of runs in one folder, which the same command continues."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nst_tf.api import stylize
from nst_tf.config.inputs import weights_identity
from nst_tf.config.settings import recorded_settings, to_yaml
from nst_tf.images import Picture, read_picture, resize, to_bytes, write_picture
from nst_tf.images.in_memory import as_source
from nst_tf.optimization.cache import RunCache
from nst_tf.runs.folder import FINAL
from nst_tf.runs.record import library_versions
from nst_tf.runs.result import Result
from nst_tf.runs.session import run_lock
from nst_tf.system.failures import describe_failure
from nst_tf.util.errors import InputError
from nst_tf.util.files import atomic_file, write_text
from nst_tf.video.clips import Clip, SceneClip, open_clip
from nst_tf.video.films import FORMATS, Sound, write_film
from nst_tf.video.folder import VideoFolder
from nst_tf.video.measures import measure_film
from nst_tf.video.moving_masks import MovingMasks
from nst_tf.video.neighbours import Flows, Neighbour, blended_start, temporal_target
from nst_tf.video.page import write_page
from nst_tf.video.progress import FilmProgress
from nst_tf.video.settings import FrameStart, VideoConfig

log = logging.getLogger(__name__)

TEMPORAL = "temporal"
"""Name of the temporal loss among the losses of a film."""


@dataclass(frozen=True)
class VideoResult:
    """The end of the stylisation of a film.

    Attributes:
        status: ``completed``, ``interrupted`` or ``failed``.
        reason: Why it ended, as text for the user.
        folder: The folder of the film.
        record: Content of `video.json`.
    """

    status: str
    reason: str
    folder: VideoFolder
    record: dict[str, Any]


def stylize_video(config: VideoConfig, folder: str | Path | None = None, overrides: Sequence[str] = ()) -> VideoResult:
    """Stylise a film in its folder, and continue it there if it was interrupted.

    Args:
        config: The settings.
        folder: The folder. Default ``outputs/videos/NAME``.
        overrides: Overrides that led to these settings, for the record.

    Returns:
        The result. A film that was interrupted keeps its finished frames, and the state of the frame in progress.

    Raises:
        InputError: A setting cannot be used, the film has no frames, or the folder holds another film.

    Example:
        >>> from nst_tf.video import VideoConfig
        >>> from nst_tf.video.stylizing import stylize_video
        >>> stylize_video(VideoConfig(video="clip.mp4", style="painting.jpg", steps=40)).status  # doctest: +SKIP
        'completed'
    """
    video = VideoFolder(Path(folder or Path("outputs/videos") / config.name))
    config.flow.check()
    clip = open_clip(config.video, config.image.limits)
    _check_output(config, clip)
    config = _with_pictures_read(config)
    with run_lock(video.run):
        return VideoRun(config, clip, video, overrides).run()


def _check_output(config: VideoConfig, clip: Clip) -> None:
    """Refuse a copy of the result in the place of the source, or in a folder that does not exist."""
    path = config.output_path
    if path is None:
        return
    if clip.path is not None and path.resolve() == clip.path.resolve():
        raise InputError(f"output={config.output}: is the source of the film. Choose another name.")
    if not path.parent.is_dir() or path.is_dir():
        raise InputError(f"output={config.output}: cannot be written. Create its folder, or choose another name.")


def _with_pictures_read(config: VideoConfig) -> VideoConfig:
    """Return a config that holds its styles and masks in place of their paths, so that they are read once."""
    styles = [read_picture(style, "style", config.image.limits) for style in config.styles]
    if not styles:
        raise InputError("style is missing: give style=PATH or style=sample:NAME")
    regions = config.regions.with_masks_read(config.image.limits)
    return dataclasses.replace(config, style=styles, style_weights=config.shares, style_count=None, regions=regions)


class VideoRun:
    """The stylisation of one film. The caller holds the lock of the folder.

    Args:
        config: The settings, with their styles read.
        clip: The source.
        folder: The folder.
        overrides: Overrides for the record.
    """

    def __init__(self, config: VideoConfig, clip: Clip, folder: VideoFolder, overrides: Sequence[str]) -> None:
        self._config, self._clip, self._folder = config, clip, folder
        self._cache = RunCache(keeps=True)
        scene = clip.scene if isinstance(clip, SceneClip) else None
        frames = config.frames
        self._flows = Flows(
            config.flow, config.consistency, folder, scene, lambda n: frames.start + (n - 1) * frames.stride
        )
        self._masks = MovingMasks(config.regions, folder, self._flows)
        self._overrides = overrides
        self._shared: dict[int, float] = {}  # mean weight of a frame towards the frame before
        self._record = self._first_record()

    def run(self) -> VideoResult:
        """Read the frames, stylise them, and write films, table and page."""
        frames = self._config.frames.of(self._clip.frames())
        if (first := next(frames, None)) is None:
            raise InputError(f"video={self._config.video}: no frames in the range. Set frames.start and frames.stop.")
        self._begin()
        try:
            count = self._read_frames(itertools.chain([first], frames))
            outcome = self._stylize_frames(count)
            if outcome[0] == "completed":
                self._write_results(count)
        except KeyboardInterrupt:
            outcome = ("interrupted", "asked to stop")
        except InputError:
            raise
        except Exception as error:
            with contextlib.suppress(OSError):
                self._write_record(status="failed", reason=describe_failure(error))
            raise
        self._write_record(status=outcome[0], reason=outcome[1])
        return VideoResult(*outcome, self._folder, self._record)

    # The record

    def _first_record(self) -> dict[str, Any]:
        """Return the record of this film, or that of the process before, if its settings are the same.

        Raises:
            InputError: The folder holds another film.
        """
        config, folder = self._config, self._folder
        pictures = [*config.styles, *config.regions.pictures().values()]
        hashes = [picture.sha256 for picture in pictures if isinstance(picture, Picture)]
        frames = dataclasses.replace(config.frames, stop=None, rate=None)  # a film can be prolonged
        parts = [frames, config.flow, config.consistency, config.temporal, config.steps, self._clip.identity()]
        frame = config.frame_config()
        settings = recorded_settings(frame, self._overrides, [*hashes, *map(repr, parts)], weights_identity(frame))
        earlier = folder.read_record()
        if earlier and earlier["fingerprint"] != settings.fingerprint:
            raise InputError(
                f"'{folder.path}' holds a film of other settings or pictures: choose another name=, or delete the "
                "folder"
            )
        new = {"name": config.name, "video": str(config.video), "fingerprint": settings.fingerprint}
        return {**earlier, **new, "versions": library_versions()}

    def _begin(self) -> None:
        """Write the config, the overrides and the first record."""
        write_text(self._folder.run.config, to_yaml(self._config))
        self._folder.run.write_overrides(self._overrides)
        self._write_record(status="running", reason="")

    def _write_record(self, **entries: Any) -> None:
        self._record |= entries
        self._folder.write_record(self._record)

    # The frames of the source

    def _read_frames(self, frames: Iterable[np.ndarray]) -> int:
        """Write the frames of the range at the size at which they are stylised, and return their number.

        Frames that an earlier process has written are not written again.

        Args:
            frames: The frames, ``(H, W, 3)`` uint8; at least one.
        """
        count = 0
        for count, pixels in enumerate(frames, start=1):
            path = self._folder.source_frame(count)
            if not path.exists():
                picture = _picture_of(pixels, "video", self._name(count))
                write_picture(path, resize(picture.pixels, *self._config.image.shape(picture)))
        rate = self._config.frames.rate_of(Fraction(self._clip.rate or 24))
        self._write_record(frames=count, rate=str(rate))
        return count

    # The runs of the frames

    def _stylize_frames(self, count: int) -> tuple[str, str]:
        """Stylise all frames in all passes, and return status and reason."""
        visits = list(_visits(count, self._config.temporal.passes))
        progress = FilmProgress(len(visits))
        try:
            with _quiet_after_first(len(visits) > 1) as quiet:
                for visit in visits:
                    start = time.perf_counter()
                    is_new = not self._is_finished(visit)
                    result = self._stylize_frame(visit)
                    if result.status not in FINAL:
                        return result.status, f"frame {visit.number}: {result.reason}"
                    self._keep(visit, result)
                    progress.finished(time.perf_counter() - start, is_new)
                    quiet()
        finally:
            progress.close()
        return "completed", f"{count} frame{'s' * (count != 1)}"

    def _is_finished(self, visit: Visit) -> bool:
        return self._folder.frame_run(visit.number, visit.turn).read_record().get("status") in FINAL

    def _keep(self, visit: Visit, result: Result) -> None:
        """Keep the picture of a finished frame; its checkpoint is needed no more."""
        shutil.rmtree(result.folder.checkpoint.parent, ignore_errors=True)
        if visit.turn == self._config.temporal.passes:
            self._folder.publish(visit.number, visit.turn)

    def _stylize_frame(self, visit: Visit) -> Result:
        """Stylise one frame, or continue it, or return its result of an earlier process."""
        temporal, number = self._config.temporal, visit.number
        content = self._picture(number)
        neighbours = self._neighbours(visit, content.pixels)
        changes: dict[str, Any] = {"content": content, "name": f"{self._config.name} {number}"}
        changes["regions"] = self._masks.at(number)
        if (start := self._start(visit, content.pixels, neighbours)) is not None:
            changes["image"] = dataclasses.replace(self._config.image, start=start)
        if visit.turn == 1 and self._begins_scene(number):
            changes |= temporal.first_frame(self._config, content.pixels.shape[:2])
        if visit.turn < temporal.passes:  # the judge scores what is kept
            changes["evaluation"] = dataclasses.replace(self._config.evaluation, enabled=False)
        compared = neighbours if visit.turn >= temporal.loss_from_pass else []
        targets = None
        if self._has_loss:
            targets = {TEMPORAL: temporal_target(compared, content.pixels.shape[:2], temporal.root_weights)}
        return stylize(
            self._config.frame_config(**changes),
            self._folder.frame_run(number, visit.turn).path,
            cache=self._cache,
            sweep=self._folder.path,
            targets=targets,
        )

    @property
    def _has_loss(self) -> bool:
        loss = self._config.losses.get(TEMPORAL)
        return loss is not None and loss.weight > 0

    def _neighbours(self, visit: Visit, frame: np.ndarray) -> list[Neighbour]:
        """Return the finished frames from which a frame takes its start or its target, the nearest first."""
        temporal, number = self._config.temporal, visit.number
        if temporal.passes > 1:
            others = [] if visit.before is None else [visit.before]
        elif self._has_loss and not self._begins_scene(number):
            others = [number - offset for offset in temporal.offsets if number > offset]
        else:
            others = []
        return [Neighbour(self._moved(visit, frame, other), self._flows.weights(number, other)) for other in others]

    def _moved(self, visit: Visit, frame: np.ndarray, other: int) -> np.ndarray:
        """Return another frame's result in the same pass, moved along by the flow to it."""
        flow = self._flows.between(visit.number, other)
        return self._config.temporal.moved(self._result(other, visit.turn), flow, frame)

    def _start(self, visit: Visit, frame: np.ndarray, neighbours: Sequence[Neighbour]) -> Picture | None:
        """Return the picture from which a frame starts; None for that of ``image.start``."""
        temporal, number, turn = self._config.temporal, visit.number, visit.turn
        if turn > 1:
            own = self._result(number, turn - 1)
            pixels = blended_start(own, neighbours[0], temporal.blend) if neighbours else own
        elif temporal.start is FrameStart.image or self._begins_scene(number):
            return None
        elif temporal.start is FrameStart.last:
            pixels = self._result(number - 1, turn)
        else:
            pixels = self._moved(visit, frame, number - 1)
        return _picture_of(pixels, "image.start", f"<{temporal.start.name}>")

    def _begins_scene(self, number: int) -> bool:
        """Return whether a frame is the first one, or shows next to nothing of the frame before."""
        temporal = self._config.temporal
        if number == 1:
            return True
        if temporal.start is FrameStart.image or not temporal.scene_cut:
            return False
        if number not in self._shared:
            self._shared[number] = float(self._flows.weights(number, number - 1).mean())
        return self._shared[number] < temporal.scene_cut

    def _result(self, number: int, turn: int) -> np.ndarray:
        """Return the result of a frame, read back from its 8 bits, ``(H, W, 3)`` float32."""
        return read_picture(str(self._folder.frame_run(number, turn).picture.absolute())).pixels

    def _picture(self, number: int) -> Picture:
        """Return a frame of the source, whose source text names the film and the frame."""
        picture = read_picture(str(self._folder.source_frame(number).absolute()), "video")
        return dataclasses.replace(picture, source=self._name(number), path=None)

    def _name(self, number: int) -> str:
        return f"{self._config.video} (frame {number})"

    # Films, table and page

    def _write_results(self, count: int) -> None:
        """Write the films with their sound, the measures, and the page."""
        rate = Fraction(self._record["rate"])
        for suffix in FORMATS:
            write_film(self._folder.film(suffix), self._pixels(count, self._folder.frame), rate, self._sound(count))
        source = self._folder.film(".mp4", "source")
        write_film(source, self._pixels(count, self._folder.source_frame), rate, None)
        if (copy := self._config.output_path) is not None:
            with self._folder.film(copy.suffix.lower()).open("rb") as film, atomic_file(copy) as file:
                shutil.copyfileobj(film, file)
        scenes = [number for number in range(1, count + 1) if self._begins_scene(number)]
        measures = measure_film(self._folder, self._flows, count, self._config.temporal.passes)
        self._write_record(measures=measures, scenes=scenes)
        write_page(self._folder, self._record)

    def _pixels(self, count: int, path_of: Callable[[int], Path]) -> Iterator[np.ndarray]:
        """Yield the pictures of all frames, ``(H, W, 3)`` uint8."""
        return (to_bytes(read_picture(str(path_of(n).absolute())).pixels) for n in range(1, count + 1))

    def _sound(self, count: int) -> Sound | None:
        """Return the sound of the range; None for a silent source, or for a result of another duration."""
        frames, clip = self._config.frames, self._clip
        if clip.sound is None or not clip.rate:
            return None
        if frames.rate is not None:
            log.warning("frames.rate=%g: the film has another duration than its source and is silent", frames.rate)
            return None
        rate = Fraction(clip.rate)
        return Sound(clip.sound, frames.start / rate, (frames.start + count * frames.stride) / rate)


class Visit(NamedTuple):
    """One frame in one pass.

    Attributes:
        number: Number of the frame, from 1.
        turn: Number of the pass, from 1.
        before: The neighbour that the pass has finished just before; None for its first frame.
    """

    number: int
    turn: int
    before: int | None


def _visits(count: int, passes: int) -> Iterator[Visit]:
    """Yield all frames in all passes, forwards in the odd ones and backwards in the even ones."""
    for turn in range(1, passes + 1):
        before = None
        for number in range(1, count + 1) if turn % 2 else range(count, 0, -1):
            yield Visit(number, turn, before)
            before = number


def _picture_of(pixels: np.ndarray, key: str, source: str) -> Picture:
    """Return a picture of pixels ``(H, W, 3)``, uint8 or floats that are clipped to [0, 1]."""
    values = np.ascontiguousarray(pixels) if pixels.dtype == np.uint8 else np.clip(pixels, 0, 1)
    picture = as_source(key, values)
    assert isinstance(picture, Picture)
    return dataclasses.replace(picture, source=source)


@contextlib.contextmanager
def _quiet_after_first(is_quiet: bool) -> Iterator[Callable[[], None]]:
    """Give a function that silences the plans which every run logs, since they are the same for all frames."""
    plans = logging.getLogger("nst_tf.api")
    level = plans.level
    try:
        yield lambda: plans.setLevel(logging.WARNING) if is_quiet else None
    finally:
        plans.setLevel(level)
