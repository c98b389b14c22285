"""What the engine tells of a run, and to whom it is of interest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nst_tf.runs.folder import RunFolder


@dataclass(frozen=True)
class Iterate:
    """A run at one step.

    Attributes:
        step: Solver steps taken, over all scales.
        steps: Solver steps the run may take.
        evaluations: Evaluations of the objective so far.
        seconds: Time spent optimising: tracing included, loading, targets and observers not.
        total: The loss of the picture at this step.
        gradient_norm: Euclidean norm of ∂total/∂picture, picture in [0, 1].
        terms: Named parts of the loss; see `nst_tf.optimization.objective.columns`.
        picture: Gives the picture now, ``(H, W, 3)`` float32 in [0, 1], colours restored.
        state: Gives everything the run needs to continue from here, as named arrays.
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
        """Evaluations a second so far; 0 before any time has passed."""
        return self.evaluations / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Started:
    """A run is about to optimise.

    Attributes:
        folder: Its run folder.
        steps: Solver steps it may take.
        resumed_at: The step it continues from; None for a fresh start.
        columns: Names of the terms it will report.
        config: The resolved config as text.
        settings: The same, flat: ``backbone.pooling`` to a plain value.
        device: TensorFlow's name of the device.
    """

    folder: RunFolder
    steps: int
    resumed_at: int | None
    columns: Sequence[str]
    config: str
    settings: Mapping[str, Any]
    device: str = "/CPU:0"


@dataclass(frozen=True)
class Progressed:
    """The run has reached a step that some observer waits for."""

    iterate: Iterate


@dataclass(frozen=True)
class Scaled:
    """The run goes to another size: ``height`` and ``width`` in pixels, ``number`` of ``of`` scales."""

    number: int
    of: int
    height: int
    width: int


@dataclass(frozen=True)
class Finished:
    """The run has ended, with a picture.

    Attributes:
        status: One of `nst_tf.runs.folder.STATUSES`.
        reason: Why it ended, in words.
        iterate: The step of the run's picture: the last one, or that of the lowest loss after a divergence or error.
    """

    status: str
    reason: str
    iterate: Iterate


@dataclass(frozen=True)
class Failed(Finished):
    """The run was ended by an error; the picture is the last good one.

    Attributes:
        error: What was raised.
    """

    error: BaseException | None = None


Event = Started | Progressed | Scaled | Finished
