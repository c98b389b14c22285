"""What a paper printed of a run, to be set beside what the run measures."""

from dataclasses import dataclass
from enum import Enum

from nst_tf.util.checks import above, at_least, coerce_choices


class Measure(Enum):
    """What of a run a printed figure speaks of.

    ``total`` the loss after a step · ``seconds`` the time from the beginning until after a step, with tracing and the
    start's evaluation in it · ``seconds_per_step`` the mean time of the steps after a step, without these.
    """

    total = "total"
    seconds = "seconds"
    seconds_per_step = "seconds_per_step"


@dataclass
class PublishedFigure:
    """One figure of a paper.

    Attributes:
        value: As printed; None where the paper prints none and the measured figure alone is to be shown.
        measure: See `Measure`; default ``total``.
        step: The step it speaks of, or after; default 0, the start.
        relative: Whether it is also told as a ratio to the first run that has it: for times on machines that differ.
    """

    value: float | None = None
    measure: Measure = Measure.total
    step: int = 0
    relative: bool = False

    def __post_init__(self) -> None:
        coerce_choices(self)
        at_least("step", self.step, 0)
        if self.value is not None:
            above("value", self.value, 0)
