"""Settings of the stylisation of a film: those of its pictures, and those of the film itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from scipy.ndimage import distance_transform_edt

from nst_tf.config.tree import Config
from nst_tf.images.colour import match_covariance
from nst_tf.optimization.schedule import check_scales
from nst_tf.util.checks import above, at_least, convert_fields, fraction
from nst_tf.util.deprecation import accept_old_names
from nst_tf.util.errors import InputError
from nst_tf.util.paths import user_path
from nst_tf.util.roles import role
from nst_tf.video.consistency import MEAN_COLOUR, Consistency, Interpolation, is_inside, warp
from nst_tf.video.films import FORMATS
from nst_tf.video.flow import Flow, FlowMethod
from nst_tf.video.scenes import PREFIX

Item = TypeVar("Item")

LARGEST_DENOMINATOR = 1001
"""Denominator of the frame rates of television: 24000/1001."""

SMALLEST_SIDE = 32
"""Least number of pixels of a side at a scale of the first frame. The deepest layers of a network need as many."""


@dataclass
class Frames:
    """Settings of the frames that are read: ``start``, ``start + stride``, … below ``stop``.

    Attributes:
        start: First frame, from 0. Default 0.
        stop: End of the range, which is not part of it; None, the default, for the end of the film.
        stride: Distance of two frames. Default 1.
        rate: Frames per second of the result. None, the default, gives the result the duration of the range. Another
            rate leaves out the sound.
    """

    start: int = 0
    stop: int | None = None
    stride: int = 1
    rate: float | None = None

    def __post_init__(self) -> None:
        convert_fields(self, "frames.")
        at_least("frames.start", self.start, 0)
        at_least("frames.stride", self.stride, 1)
        if self.stop is not None and self.stop <= self.start:
            raise InputError(f"frames.stop={self.stop}: must be above frames.start={self.start}, or null")
        if self.rate is not None:
            above("frames.rate", self.rate, 0)

    def of(self, frames: Iterator[Item]) -> Iterator[Item]:
        """Return an iterator over the frames in the range. The film is read no further."""
        return islice(frames, self.start, self.stop, self.stride)

    def rate_of(self, source: Fraction) -> Fraction:
        """Return the frames per second of the result.

        Args:
            source: Frames per second of the source.
        """
        if self.rate is not None:
            return Fraction(self.rate).limit_denominator(LARGEST_DENOMINATOR)
        return source / self.stride


class FrameStart(Enum):
    """The picture from which the optimisation of a frame starts, in the first pass.

    ``warped`` the result of the frame before, moved along by the flow · ``last`` that result as it is · ``image`` what
    ``image.start`` says, so that the frames do not depend on each other. The first frame always starts from that.
    """

    warped = "warped"
    last = "last"
    image = "image"


SEAM = 4
"""Width of the seam between the warped frame and what comes into view, in pixels; see `Outside`."""


class Outside(Enum):
    """The values of a warped frame where the flow points outside the earlier frame.

    ``frame`` takes the present frame of the source, with the mean and covariance of the earlier result's colours, and
    blends it with the warped frame over `SEAM` pixels, so that no edge remains ·
    ``border`` continues the border of the earlier result · ``mean`` takes the mean colour of ImageNet (Ruder et al.).
    """

    frame = "frame"
    border = "border"
    mean = "mean"


@dataclass
class Temporal:
    """Settings that connect the frames; the loss is ``losses.temporal``.

    Attributes:
        start: See `FrameStart`; default ``warped``.
        offsets: Distances, in frames, of the earlier frames with which ``losses.temporal`` compares. More than one
            gives the long-term consistency of Ruder et al., equation 8. Default ``[1]``.
        scene_cut: A frame begins a new scene if its weights c towards the frame before have a smaller mean than this.
            It is then stylised as the first frame is, and compared with no earlier one. It holds where ``start`` takes
            the result of the frame before. 0 for never; default 0.35.
        first_steps: Steps of the first frame of a scene. None, the default, takes ``steps``, which all other frames
            have.
        first_scales: Scales of the first frame of a scene, coarse to fine, with equal shares of its steps; see
            `nst_tf.optimization.schedule.Schedule`. Those at which the frame has a side of fewer than 32 pixels are
            left out. They take the place of the schedule's phases. None, the default, takes the schedule of all other
            frames.
        passes: Number of passes over all frames, forwards and backwards in turn. From the second on, a frame starts
            from ``(x + b c ω) / (1 + b c)``, with its result x of the pass before, and the neighbour ω that this pass
            has just finished, moved along by the flow, with its weights c. Default 1.
        blend: The factor b. Default 1.
        interpolation: See `Interpolation`, of the earlier result that is moved along; default ``cubic``.
        outside: See `Outside`; default ``frame``.
        root_weights: Whether ``losses.temporal`` has √c for the weights c. Its gradient is then the one that the
            program of Ruder et al. computes for weights c. Both are equal where c is 0 or 1. Off by default.
        loss_from_pass: First pass with the temporal loss. Default 1.
    """

    start: FrameStart = FrameStart.warped
    offsets: list[int] = field(default_factory=lambda: [1])
    scene_cut: float = 0.35
    first_steps: int | None = None
    first_scales: list[float] | None = None
    passes: int = 1
    blend: float = 1.0
    loss_from_pass: int = 1
    interpolation: Interpolation = Interpolation.cubic
    outside: Outside = Outside.frame
    root_weights: bool = False

    def __post_init__(self) -> None:
        convert_fields(self, "temporal.")
        if not self.offsets or sorted(set(self.offsets)) != self.offsets or self.offsets[0] < 1:
            raise InputError(
                f"temporal.offsets={self.offsets}: must be rising numbers of frames from 1 on, such as [1]"
            )
        if self.first_steps is not None:
            at_least("temporal.first_steps", self.first_steps, 1)
        if self.first_scales is not None:
            check_scales("temporal.first_scales", self.first_scales)
        for key in ("passes", "loss_from_pass"):
            at_least(f"temporal.{key}", getattr(self, key), 1)
        at_least("temporal.blend", self.blend, 0)
        fraction("temporal.scene_cut", self.scene_cut)
        self._check_passes()

    def _check_passes(self) -> None:
        if self.passes > 1 and self.offsets != [1]:
            raise InputError(
                f"temporal.offsets={self.offsets}: with temporal.passes={self.passes}, a frame is compared with its "
                "neighbour alone. Set temporal.offsets=[1], or temporal.passes=1."
            )

    def first_frame(self, config: Config, shape: tuple[int, int]) -> dict[str, Any]:
        """Return the fields of `Config` that differ at the first frame of a scene, with their values.

        Args:
            config: The settings of all frames.
            shape: Height and width of the frame.
        """
        changes: dict[str, Any] = {}
        if self.first_steps is not None:
            changes["steps"] = self.first_steps
        if self.first_scales is not None:
            scales = [scale for scale in self.first_scales if scale == 1 or scale * min(shape) >= SMALLEST_SIDE]
            changes["schedule"] = replace(config.schedule, scales=scales, step_shares=None, phases=[])
        return changes

    def moved(self, result: np.ndarray, flow: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """Return the result of another frame, moved along by the flow to that frame, ``(H, W, 3)`` in [0, 1].

        Args:
            result: The result of the other frame, ``(H, W, 3)``.
            flow: The flow to it from the present frame, ``(H, W, 2)``.
            frame: The present frame of the source, ``(H, W, 3)``.
        """
        outside = MEAN_COLOUR if self.outside is Outside.mean else None
        moved = warp(result, flow, outside, self.interpolation)
        if self.outside is Outside.frame and not (inside := is_inside(flow)).all():
            share = np.clip(distance_transform_edt(inside) / SEAM, 0, 1)[..., None]
            moved = share * moved + (1 - share) * match_covariance(frame, result)
        return np.clip(moved, 0, 1).astype(np.float32)


@accept_old_names
@dataclass
class VideoConfig(Config):
    """Settings of the stylisation of a film: those of `Config` for each frame, and these.

    Attributes:
        video: Path of a film or of a folder of frames, or ``sample:NAME`` of a made-up scene with known flow:
            ``translation``, ``rotation``, ``zoom``, ``occlusion`` or ``photograph``. It takes the place of ``content``.
        frames: Range and rate of the frames.
        flow: The optical flow between frames.
        consistency: Weights of the positions that two frames show.
        temporal: Starts of the frames, and the earlier frames with which they are compared.
        output: Path of an additional copy of the film, ``.mp4`` or ``.mkv``.
        steps: Steps of every frame but the first of a scene, see ``temporal.first_steps``.
        name: Name of the folder below ``outputs/videos``.
    """

    video: Any = field(default=None, metadata=role(in_fingerprint=False, takes="path"))
    frames: Frames = field(default_factory=Frames)
    flow: Flow = field(default_factory=Flow)
    consistency: Consistency = field(default_factory=Consistency)
    temporal: Temporal = field(default_factory=Temporal)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.video = None if self.video is None else str(self.video)
        if self.content is not None:
            raise InputError("content: the frames of video take its place. Give video=… alone.")
        if self.flow.method is FlowMethod.exact and not str(self.video).startswith(PREFIX):
            raise InputError(f"flow.method=exact: only a made-up scene has a known flow, such as video={PREFIX}zoom")
        if self.output is not None and Path(self.output).suffix.lower() not in FORMATS:
            raise InputError(f"output={self.output}: must end in {' or '.join(FORMATS)}")

    @property
    def output_path(self) -> Path | None:
        """Absolute path of the additional copy; None without one."""
        return None if self.output is None else user_path(self.output)

    def frame_config(self, **changes: Any) -> Config:
        """Return the settings of one frame.

        Args:
            **changes: Fields of `Config` with other values.
        """
        own = {each.name: getattr(self, each.name) for each in fields(Config)}
        return Config(**(own | {"output": None} | changes))
