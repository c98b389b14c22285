"""The variant of RMSprop that Keras lacks. Importing this module imports Keras."""

from __future__ import annotations

import keras
from keras import ops


class RMSpropOutsideRoot(keras.optimizers.RMSprop):
    """RMSprop with epsilon added to the root, as in PyTorch: ``g / (√v + ε)`` in place of Keras's ``g / √(v + ε)``."""

    def update_step(
        self, gradient: keras.KerasTensor, variable: keras.Variable, learning_rate: keras.KerasTensor
    ) -> None:
        """Move one variable by one step.

        Args:
            gradient: Gradient of the loss, of the variable's shape.
            variable: The variable.
            learning_rate: Learning rate of the step, a scalar.
        """
        index = self._get_variable_index(variable)
        velocity = self._velocities[index]
        self.assign(velocity, self.rho * velocity + (1 - self.rho) * ops.square(gradient))
        update = learning_rate * gradient / (ops.sqrt(velocity) + self.epsilon)
        if self.momentum > 0:
            momentum = self._momentums[index]
            self.assign(momentum, self.momentum * momentum + update)
            update = momentum
        self.assign_sub(variable, update)
