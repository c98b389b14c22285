"""The contract between an optimiser's settings, its work on one picture, and the objective it asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from nst_tf.optimizers.units import Units
from nst_tf.util.checks import coerce_choices
from nst_tf.util.lazy import tf

TERM = "term/"
"""Before a term's name in a solver's state."""


class Evaluation(NamedTuple):
    """The objective at one picture, from one forward and one backward pass.

    Attributes:
        total: ``(B,)`` float32.
        gradient: ``(B, H, W, 3)`` float32, ∂total/∂picture.
        terms: Named parts of the total, each ``(B,)`` float32.
    """

    total: tf.Tensor
    gradient: tf.Tensor
    terms: dict[str, tf.Tensor]

    def named(self) -> dict[str, tf.Tensor]:
        """Its tensors as they stand in a solver's state: ``total``, ``gradient``, ``term/NAME``."""
        terms = {f"{TERM}{name}": value for name, value in self.terms.items()}
        return {"total": self.total, "gradient": self.gradient} | terms

    @classmethod
    def of(cls, named: Mapping[str, Any]) -> Evaluation:
        """The evaluation that is `named` so among other tensors or arrays."""
        tensors = {name: tf.convert_to_tensor(value) for name, value in named.items() if name.startswith(TERM)}
        terms = {name.removeprefix(TERM): value for name, value in tensors.items()}
        return cls(tf.convert_to_tensor(named["total"]), tf.convert_to_tensor(named["gradient"]), terms)


ObjectiveFunction: TypeAlias = "Callable[[tf.Tensor], Evaluation]"
"""A picture ``(B, H, W, 3)`` in [0, 1] to its evaluation."""


class Step(NamedTuple):
    """What one step of a solver tells.

    Attributes:
        evaluation: The objective at the picture the step ended on.
        evaluations: How many evaluations the step took, int64.
        stalled: True when the solver found nothing lower and would find nothing lower next time.
    """

    evaluation: Evaluation
    evaluations: tf.Tensor
    stalled: tf.Tensor


class Solver:
    """One optimiser at work on one picture.

    The gradient at the current picture is part of the state, so after ``begin`` every step reports the loss of
    the very picture it leaves behind, and n steps of a first-order method cost n + 1 evaluations.

    Attributes:
        compiled: Whether ``step`` is made of tensors, to be traced into the engine's loop; a solver that runs on
            the host is given a compiled objective instead.
    """

    compiled: ClassVar[bool] = True

    def image(self) -> tf.Tensor:
        """The current picture, ``(B, H, W, 3)`` RGB in [0, 1] units (not clipped)."""
        raise NotImplementedError

    def begin(self, evaluation: Evaluation) -> None:
        """Be told the objective at the start picture; called once, on the host."""
        raise NotImplementedError

    def step(self, objective: ObjectiveFunction) -> Step:
        """Move the picture once."""
        raise NotImplementedError

    def state(self) -> dict[str, np.ndarray]:
        """Everything the next step depends on, by name."""
        raise NotImplementedError

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from a state, bit for bit."""
        raise NotImplementedError

    def reset(self, optimizer: Optimizer, image: tf.Tensor) -> None:
        """Become what ``optimizer.solver(image)`` would be, in the variables that a compiled step already knows.

        Args:
            optimizer: Settings of the same `Optimizer.form`.
            image: Of the same shape.
        """
        raise NotImplementedError

    def warm_start(self, smaller: Solver) -> None:
        """Take up what a solver of the same optimiser has gathered on a smaller picture; called before ``begin``."""
        raise NotImplementedError


@dataclass
class Optimizer:
    """Settings of an optimiser; `solver` puts it to work on a picture.

    Attributes:
        units: What one unit of a pixel is to the optimiser; see `Units`. Default ``unit``.
        clamp: Project pixels back onto [0, 1] after every step. Default off, as in the papers.
    """

    units: Units = Units.unit
    clamp: bool = False

    supports_warm_start: ClassVar[bool] = False
    """Whether what its solver gathers means something for a larger picture, so that it can be inherited."""

    def __post_init__(self) -> None:
        coerce_choices(self, "optimizer.")

    @property
    def image_copies(self) -> int:
        """Pictures in float32 that its solver holds beside the current one, for an estimate of memory."""
        raise NotImplementedError

    def static_config(self) -> Optimizer:
        """What of the settings a compiled step holds: all, but for those a solver keeps in variables."""
        return self

    def solver(self, image: tf.Tensor) -> Solver:
        """A solver that starts from ``image``, ``(B, H, W, 3)`` RGB in [0, 1]."""
        raise NotImplementedError
