"""First-order methods: Keras optimisers that move the pixels of a picture."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from nst_tf.optimizers.solver import EvaluateFunction, Evaluation, Optimizer, Solver, Step
from nst_tf.optimizers.units import Units
from nst_tf.util.checks import above
from nst_tf.util.lazy import keras, tf


class FirstOrderSolver(Solver):
    """Steps of one Keras optimiser; the state is its variables, the pixels and their gradient."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, image: tf.Tensor, units: Units, clamp: bool) -> None:
        """Start from ``image`` ``(B, H, W, 3)``; ``optimizer`` must be fresh."""
        self._units, self._clamp = units, clamp
        self._pixels = keras.Variable(units.from_image(image), dtype="float32", name="pixels")
        self._gradient = keras.Variable(tf.zeros_like(image), dtype="float32", name="gradient")
        self._optimizer = optimizer
        optimizer.build([self._pixels])

    def image(self) -> tf.Tensor:
        """Return the current picture, ``(B, H, W, 3)``."""
        return self._units.to_image(self._pixels.value)

    def begin(self, evaluation: Evaluation) -> None:
        """Store the gradient at the start picture."""
        self._store_gradient(evaluation)

    def step(self, evaluate: EvaluateFunction) -> Step:
        """Apply the stored gradient, project onto [0, 1] with ``clamp``, and evaluate the new picture."""
        self._optimizer.apply([self._gradient.value], [self._pixels])
        if self._clamp:
            self._pixels.assign(self._units.clamp(self._pixels.value))
        evaluation = evaluate(self.image())
        self._store_gradient(evaluation)
        return Step(evaluation, tf.constant(1, tf.int64), tf.constant(False))

    def _store_gradient(self, evaluation: Evaluation) -> None:
        self._gradient.assign(self._units.gradient(evaluation.gradient))

    def _variables(self) -> dict[str, keras.Variable]:
        by_index = {f"optimizer/{index}": variable for index, variable in enumerate(self._optimizer.variables)}
        return {"pixels": self._pixels, "gradient": self._gradient} | by_index

    def state(self) -> dict[str, np.ndarray]:
        """Return pixels, gradient and the Keras optimiser's variables."""
        return {name: np.asarray(variable) for name, variable in self._variables().items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Assign every variable of ``state``."""
        for name, variable in self._variables().items():
            variable.assign(state[name])

    def reset(self, optimizer: Optimizer, image: tf.Tensor) -> None:
        """Start from another picture with the variables of a fresh optimiser, including its learning rate."""
        assert isinstance(optimizer, FirstOrder)
        self._pixels.assign(self._units.from_image(image))
        self._gradient.assign(tf.zeros_like(image))
        fresh = optimizer.keras_optimizer(optimizer.rate())
        fresh.build([self._pixels])
        for ours, theirs in zip(self._optimizer.variables, fresh.variables, strict=True):
            ours.assign(theirs.value)

    def warm_start(self, smaller: Solver) -> None:
        """Take over the optimiser's variables; those of the picture's shape are enlarged bilinearly.

        Bilinear weights are not negative, so second moments stay at or above 0.
        """
        assert isinstance(smaller, FirstOrderSolver)
        for ours, theirs in zip(self._optimizer.variables, smaller._optimizer.variables, strict=True):
            same = ours.shape == theirs.shape  # the number of steps, the learning rate
            ours.assign(theirs.value if same else tf.image.resize(theirs.value, ours.shape[1:3]))


@dataclass
class FirstOrder(Optimizer):
    """Settings that the Keras optimisers share: a learning rate that may decay exponentially.

    ``rate(step) = learning_rate · decay_rate^(step / decay_steps)``. A subclass adds the settings of one Keras
    optimiser and overrides ``keras_optimizer``.

    Attributes:
        learning_rate: Learning rate, for pixels in the units of ``units``. Default 0.02.
        decay_rate: Factor per ``decay_steps`` steps. Default 1: the rate is constant.
        decay_steps: Steps per factor. Default 100.
        staircase: Whether the exponent is rounded down, so that the rate falls in steps. Default off.
    """

    learning_rate: float = 0.02
    decay_rate: float = 1.0
    decay_steps: int = 100
    staircase: bool = False

    single_evaluation: ClassVar[bool] = True
    supports_warm_start: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("learning_rate", "decay_rate", "decay_steps"):
            above(f"optimizer.{name}", getattr(self, name), 0)

    @property
    def image_copies(self) -> int:
        """Memory of the gradient, at most two moments, and the update of a step."""
        return 4

    @abstractmethod
    def keras_optimizer(self, learning_rate: Any) -> keras.optimizers.Optimizer:
        """Create a fresh Keras optimiser with these settings.

        Args:
            learning_rate: A number, or a Keras schedule.
        """

    def rate(self) -> Any:
        """Return the learning rate for Keras: a number, or a schedule if it decays."""
        if self.decay_rate == 1:
            return self.learning_rate
        return keras.optimizers.schedules.ExponentialDecay(
            self.learning_rate, self.decay_steps, self.decay_rate, staircase=self.staircase
        )

    def static_config(self) -> FirstOrder:
        """Return all settings except a constant learning rate, which Keras keeps in a variable."""
        return replace(self, learning_rate=1.0) if self.decay_rate == 1 else self

    def solver(self, image: tf.Tensor) -> FirstOrderSolver:
        """Create a solver with fresh moments."""
        return FirstOrderSolver(self.keras_optimizer(self.rate()), image, self.units, self.clamp)
