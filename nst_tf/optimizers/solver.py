"""The contract of optimisers: their settings, their solvers, and what both exchange with the objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from nst_tf.optimizers.units import Units
from nst_tf.util.checks import convert_fields
from nst_tf.util.lazy import tf

TERM_PREFIX = "term/"
"""Prefix of a term's name in a solver's state."""


class Evaluation(NamedTuple):
    """Value, gradient and terms of the objective at one picture, from one forward and one backward pass.

    Attributes:
        total: ``(B,)`` float32.
        gradient: ``(B, H, W, 3)`` float32, ∂total/∂picture.
        terms: Named parts of the total, each ``(B,)`` float32.
    """

    total: tf.Tensor
    gradient: tf.Tensor
    terms: dict[str, tf.Tensor]

    def as_dict(self) -> dict[str, tf.Tensor]:
        """Return the tensors under their names in a solver's state: ``total``, ``gradient``, ``term/NAME``."""
        terms = {f"{TERM_PREFIX}{name}": value for name, value in self.terms.items()}
        return {"total": self.total, "gradient": self.gradient} | terms

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Evaluation:
        """Read an evaluation from tensors or arrays by the names of `as_dict`, ignoring all other names."""
        tensors = {name: tf.convert_to_tensor(value) for name, value in values.items() if name.startswith(TERM_PREFIX)}
        terms = {name.removeprefix(TERM_PREFIX): value for name, value in tensors.items()}
        return cls(tf.convert_to_tensor(values["total"]), tf.convert_to_tensor(values["gradient"]), terms)


EvaluateFunction: TypeAlias = "Callable[[tf.Tensor], Evaluation]"
"""The objective as a solver calls it: a picture ``(B, H, W, 3)`` in [0, 1] to its evaluation."""


class Step(NamedTuple):
    """Result of one step of a solver.

    Attributes:
        evaluation: The objective at the picture where the step ended.
        evaluations: Number of evaluations that the step took, int64 scalar or ``(B,)``.
        stalled: Whether the solver found nothing lower and would find nothing lower next time, bool scalar or ``(B,)``.
    """

    evaluation: Evaluation
    evaluations: tf.Tensor
    stalled: tf.Tensor


class Solver(ABC):
    """An optimiser at work on one picture; in a batch of B, each picture is optimised by itself.

    A new solver overrides every abstract method. Gradient descent, for example, is::

        class DescentSolver(Solver):
            def __init__(self, optimizer, image):
                self._pixels = tf.Variable(optimizer.units.from_image(image))  # (B, H, W, 3) in the optimiser's units
                self._gradient = tf.Variable(tf.zeros_like(image))
                self._units, self._rate = optimizer.units, optimizer.learning_rate

            def image(self):
                return self._units.to_image(self._pixels.read_value())

            def begin(self, evaluation):
                self._gradient.assign(self._units.gradient(evaluation.gradient))

            def step(self, evaluate):
                self._pixels.assign_sub(self._rate * self._gradient)
                evaluation = evaluate(self.image())
                self.begin(evaluation)
                return Step(evaluation, tf.constant(1, tf.int64), tf.constant(False))

            def state(self):
                return {"pixels": self._pixels.numpy(), "gradient": self._gradient.numpy()}

            def restore(self, state):
                self._pixels.assign(state["pixels"])
                self._gradient.assign(state["gradient"])

            def reset(self, optimizer, image):
                self._pixels.assign(self._units.from_image(image))

    The gradient at the current picture is part of the state. So after ``begin``, every step reports the loss of the
    picture that it leaves behind, and n steps of a first-order method cost n + 1 evaluations.

    Attributes:
        compiled: Whether ``step`` consists of TensorFlow operations on ``tf.Variable``, to be traced into the compiled
            loop. A solver that runs on the host sets it to False and receives a compiled ``evaluate``.
    """

    compiled: ClassVar[bool] = True

    batch_axes: ClassVar[Mapping[str, int]] = {}
    """Names in `state` of arrays whose pictures lie along another axis than the first. A number is shared by all."""

    @abstractmethod
    def image(self) -> tf.Tensor:
        """Return the current picture, ``(B, H, W, 3)`` RGB in units of [0, 1], not clipped."""

    @abstractmethod
    def begin(self, evaluation: Evaluation) -> None:
        """Take the evaluation at the current picture; called on the host before the first step, or between two.

        The last call before a step counts. An earlier one may have zeros, from which the step is compiled.
        """

    @abstractmethod
    def step(self, evaluate: EvaluateFunction) -> Step:
        """Move the picture once, with one or more calls of ``evaluate``."""

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """Return everything that the next step depends on, by name; it is stored in checkpoints."""

    @abstractmethod
    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from the `state` of a solver with the same settings and shape, bit for bit."""

    @abstractmethod
    def reset(self, optimizer: Optimizer, image: tf.Tensor) -> None:
        """Become equal to ``optimizer.solver(image)``, in the variables that a compiled step already uses.

        Args:
            optimizer: Settings of an equal `Optimizer.static_config`.
            image: ``(B, H, W, 3)``, of the same shape.
        """

    def warm_start(self, smaller: Solver) -> None:
        """Take over what a solver of the same optimiser has gathered on a smaller picture; called before ``begin``.

        Only solvers of optimisers with `Optimizer.supports_warm_start` override it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not support a warm start")


@dataclass
class Optimizer(ABC):
    """Settings of an optimiser, as a dataclass; `solver` starts one on a picture.

    A new optimiser declares its settings as fields and overrides ``image_copies`` and ``solver``. An entry in
    `nst_tf.optimizers.OPTIMIZERS` makes it available in configs, and ``tests/contracts/test_optimizers.py`` then checks
    its solver. To use another Keras optimiser, derive from `nst_tf.optimizers.first_order.FirstOrder` instead: it
    leaves ``keras_optimizer`` to write.

    Attributes:
        units: The units in which the optimiser sees pixels, see `Units`. Default ``unit``.
        clamp: Whether pixels are projected back onto [0, 1] after every step. Default off, as in the papers.
    """

    units: Units = Units.unit
    clamp: bool = False

    single_evaluation: ClassVar[bool] = False
    """True if a step is one evaluation, at the picture that it leaves; no other optimiser can minimise a loss that
    differs from step to step, since a line search compares several evaluations."""

    supports_batch: ClassVar[bool] = True
    """False if its solver takes one picture at a time."""

    supports_warm_start: ClassVar[bool] = False
    """True if a solver of the next, larger scale can continue with the state of this one, see `Solver.warm_start`."""

    def __post_init__(self) -> None:
        convert_fields(self, "optimizer.")

    @property
    @abstractmethod
    def image_copies(self) -> int:
        """Memory of its solver beyond the current picture, in float32 pictures: the unit of the memory estimate.

        Count every tensor of the picture's size ``(B, H, W, 3)`` that exists at the same time: variables that the
        solver keeps, and temporary tensors of a step. A float64 array counts twice.
        """

    @property
    def graph_mb(self) -> float:
        """Memory in MiB that its compiled step takes at any size beyond the step of a first-order method. Measured."""
        return 0.0

    def static_config(self) -> Optimizer:
        """Return the settings that a compiled step contains: all, except those that a solver keeps in variables."""
        return self

    def for_variables(self) -> Optimizer:
        """Return the settings for variables other than pixels, without what holds for pixels alone."""
        return replace(self, clamp=False)

    @abstractmethod
    def solver(self, image: tf.Tensor) -> Solver:
        """Create a solver that starts from ``image``, ``(B, H, W, 3)`` RGB in [0, 1]."""
