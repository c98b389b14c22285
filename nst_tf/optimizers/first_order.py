"""First-order methods: a Keras optimiser that moves the pixels of one picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from nst_tf.optimizers.solver import Evaluation, ObjectiveFunction, Optimizer, Solver, Step
from nst_tf.optimizers.units import Units
from nst_tf.util.checks import above
from nst_tf.util.lazy import keras, tf


class FirstOrderSolver(Solver):
    """Steps of one Keras optimiser; its variables, the pixels and their gradient are the state."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, image: tf.Tensor, units: Units, clamp: bool) -> None:
        """Start from ``image`` ``(B, H, W, 3)``; ``optimizer`` must be fresh."""
        self._units, self._clamp = units, clamp
        self._pixels = keras.Variable(units.from_image(image), dtype="float32", name="pixels")
        self._gradient = keras.Variable(tf.zeros_like(image), dtype="float32", name="gradient")
        self._optimizer = optimizer
        optimizer.build([self._pixels])

    def image(self) -> tf.Tensor:
        """The current picture."""
        return self._units.to_image(self._pixels.value)

    def begin(self, evaluation: Evaluation) -> None:
        """Remember the gradient at the start picture."""
        self._keep(evaluation)

    def step(self, objective: ObjectiveFunction) -> Step:
        """Apply the gradient, project if asked, and evaluate where that led."""
        self._optimizer.apply([self._gradient.value], [self._pixels])
        if self._clamp:
            self._pixels.assign(self._units.clamp(self._pixels.value))
        evaluation = objective(self.image())
        self._keep(evaluation)
        return Step(evaluation, tf.constant(1, tf.int64), tf.constant(False))

    def _keep(self, evaluation: Evaluation) -> None:
        self._gradient.assign(self._units.gradient(evaluation.gradient))

    def _variables(self) -> dict[str, keras.Variable]:
        named = {f"optimizer/{index}": variable for index, variable in enumerate(self._optimizer.variables)}
        return {"pixels": self._pixels, "gradient": self._gradient} | named

    def state(self) -> dict[str, np.ndarray]:
        """Pixels, gradient and the optimiser's own variables."""
        return {name: np.asarray(variable) for name, variable in self._variables().items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Assign every variable of ``state``."""
        for name, variable in self._variables().items():
            variable.assign(state[name])

    def reset(self, optimizer: Optimizer, image: tf.Tensor) -> None:
        """Take up the variables of a fresh optimiser, its learning rate among them."""
        assert isinstance(optimizer, FirstOrder)
        self._pixels.assign(self._units.from_image(image))
        self._gradient.assign(tf.zeros_like(image))
        fresh = optimizer.keras_optimizer(optimizer.rate())
        fresh.build([self._pixels])
        for ours, theirs in zip(self._optimizer.variables, fresh.variables, strict=True):
            ours.assign(theirs.value)

    def warm_start(self, smaller: Solver) -> None:
        """Take up the optimiser's variables, pictures by bilinear weights, so that no square turns negative."""
        assert isinstance(smaller, FirstOrderSolver)
        for ours, theirs in zip(self._optimizer.variables, smaller._optimizer.variables, strict=True):
            same = ours.shape == theirs.shape  # the number of steps, the learning rate
            ours.assign(theirs.value if same else tf.image.resize(theirs.value, ours.shape[1:3]))


@dataclass
class FirstOrder(Optimizer):
    """What the Keras optimisers share: a learning rate that may decay exponentially.

    ``rate(step) = learning_rate · decay_rate^(step / decay_steps)``.

    Attributes:
        learning_rate: In the units of ``units``.
        decay_rate: Factor per ``decay_steps`` steps; 1 keeps the rate constant.
        decay_steps: Steps per factor. Default 100.
        staircase: Whether the exponent is floored, so that the rate falls in stairs.
    """

    learning_rate: float = 0.02
    decay_rate: float = 1.0
    decay_steps: int = 100
    staircase: bool = False

    supports_warm_start: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("learning_rate", "decay_rate", "decay_steps"):
            above(f"optimizer.{name}", getattr(self, name), 0)

    @property
    def image_copies(self) -> int:
        """Gradient, at most two moments, and a move in the making."""
        return 4

    def keras_optimizer(self, learning_rate: Any) -> keras.optimizers.Optimizer:
        """A fresh Keras optimiser with these settings."""
        raise NotImplementedError

    def rate(self) -> Any:
        """The learning rate as Keras takes it: a number, or a schedule when it decays."""
        if self.decay_rate == 1:
            return self.learning_rate
        return keras.optimizers.schedules.ExponentialDecay(
            self.learning_rate, self.decay_steps, self.decay_rate, staircase=self.staircase
        )

    def static_config(self) -> FirstOrder:
        """All but a constant learning rate, which Keras keeps in a variable."""
        return replace(self, learning_rate=1.0) if self.decay_rate == 1 else self

    def solver(self, image: tf.Tensor) -> FirstOrderSolver:
        """A solver with fresh moments."""
        return FirstOrderSolver(self.keras_optimizer(self.rate()), image, self.units, self.clamp)
