"""The events of a run, in the order in which they happen, and the iterate they report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nst_tf.runs.folder import RunFolder


@dataclass(frozen=True)
class Iterate:
    """The picture and the losses of a run after a number of steps.

    Attributes:
        step: Solver steps taken so far, over all scales.
        steps: Solver steps that the run may take.
        evaluations: Evaluations of the objective so far.
        seconds: Time spent on the optimisation, in seconds. Tracing counts; loading, targets and observers do not.
        total: Value of the objective at this picture.
        gradient_norm: Euclidean norm of ∂total/∂picture, for a picture in [0, 1].
        terms: Values of the columns after `METRICS_COUNTERS` in `metrics.csv`; empty for a run without losses.
        picture: Function that returns the current picture, ``(H, W, 3)`` float32 RGB in [0, 1], colours restored.
        state: Function that returns the named arrays from which the run can be resumed at this step.
    """

    step: int
    steps: int
    evaluations: int
    seconds: float
    total: float
    gradient_norm: float
    terms: Mapping[str, float]
    picture: Callable[[], np.ndarray]
    state: Callable[[], dict[str, np.ndarray]]

    @property
    def speed(self) -> float:
        """Mean number of evaluations per second; 0 before any time has passed."""
        return self.evaluations / self.seconds if self.seconds else 0.0


Alpha = Callable[[int, int], np.ndarray | None]
"""Function from height and width to an alpha channel ``(H, W)`` in [0, 1]; None stands for an opaque picture."""


InputPictures = Callable[[], Mapping[str, np.ndarray]]
"""Function that returns the pictures that a run was given, by name: RGB ``(H, W, 3)`` float32 in [0, 1]."""


def opaque(height: int, width: int) -> np.ndarray | None:
    """Return None, the alpha channel of a picture without transparency."""
    return None


def with_alpha(picture: np.ndarray, alpha: Alpha) -> np.ndarray:
    """Return a picture ``(H, W, 3)`` with its alpha channel, ``(H, W, 4)``, or unchanged if it is opaque."""
    channel = alpha(*picture.shape[:2])
    return picture if channel is None else np.dstack([picture, channel])


@dataclass(frozen=True)
class Started:
    """Event before the first step of a run, or before the first step after it is resumed.

    Attributes:
        folder: Run folder.
        steps: Solver steps that the run may take.
        resumed_at: Step of the checkpoint from which the run is resumed; None for a new run.
        columns: Keys of `Iterate.terms` in this run.
        config: Resolved config as YAML text.
        settings: Resolved config as dotted keys and plain values, for example ``backbone.pooling``.
        device: TensorFlow's name of the device.
        alpha: The content's transparency at the size of a picture, which every saved picture keeps.
        inputs: Function that returns the content and the styles as ``content``, ``style``, ``style_2`` and so on.
    """

    folder: RunFolder
    steps: int
    resumed_at: int | None
    columns: Sequence[str]
    config: str
    settings: Mapping[str, Any]
    device: str = "/CPU:0"
    alpha: Alpha = opaque
    inputs: InputPictures = dict


@dataclass(frozen=True)
class Progressed:
    """Event at every step that is a multiple of an observer's period; an optimisation also sends it at step 0."""

    iterate: Iterate


@dataclass(frozen=True)
class Scaled:
    """Event before the first step at each scale of the image pyramid.

    Attributes:
        number: Number of the scale, from 1.
        of: Number of scales in the run.
        height: Height of the picture at this scale, in pixels.
        width: Width of the picture at this scale, in pixels.
    """

    number: int
    of: int
    height: int
    width: int


@dataclass(frozen=True)
class Finished:
    """Last event of a run.

    Attributes:
        status: One of `nst_tf.runs.folder.STATUSES`.
        reason: Why the run ended, as text for the user.
        iterate: Iterate of the saved picture: the last one, or that of the lowest loss after a divergence or an error.
    """

    status: str
    reason: str
    iterate: Iterate


@dataclass(frozen=True)
class Failed(Finished):
    """Last event of a run that was ended by an error.

    Attributes:
        error: The exception.
    """

    error: BaseException | None = None


Event = Progressed | Scaled | Finished
"""Events of a run after `Started`."""
