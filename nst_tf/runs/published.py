"""Figures that a paper published for a run, to be compared with the measured ones."""

from dataclasses import dataclass
from enum import Enum

from nst_tf.util.checks import above, at_least, convert_fields


class Measure(Enum):
    """The quantity that a published figure gives.

    ``total``: total loss after a step. ``seconds``: time from the start of the run until after a step, with tracing
    and the evaluation of the start picture. ``seconds_per_step``: mean time of the steps that follow a step, without
    tracing and the evaluation of the start picture.
    """

    total = "total"
    seconds = "seconds"
    seconds_per_step = "seconds_per_step"


@dataclass
class PublishedFigure:
    """One figure from a paper.

    Attributes:
        value: Published value; None if the paper gives none and a report shows the measured value alone.
        measure: Quantity that the figure gives, a `Measure`; default ``total``.
        step: Step after which the quantity is measured; default 0, the start picture.
        relative: Whether a report also gives the ratio to the first run that has this figure, which allows times from
            different machines to be compared; default False.
    """

    value: float | None = None
    measure: Measure = Measure.total
    step: int = 0
    relative: bool = False

    def __post_init__(self) -> None:
        convert_fields(self)
        at_least("step", self.step, 0)
        if self.value is not None:
            above("value", self.value, 0)
