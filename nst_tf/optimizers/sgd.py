"""The gradient descent optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nst_tf.optimizers.first_order import FirstOrder
from nst_tf.util.checks import fraction
from nst_tf.util.lazy import keras


@dataclass
class SGD(FirstOrder):
    """Settings of gradient descent, with optional momentum, through `keras.optimizers.SGD`.

    Attributes:
        momentum: Factor of the previous update in the next one. Default 0: plain gradient descent.
        nesterov: Whether the momentum is Nesterov's. Default off.
    """

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction("optimizer.momentum", self.momentum)

    def keras_optimizer(self, learning_rate: Any) -> keras.optimizers.Optimizer:
        """Create a fresh `keras.optimizers.SGD`."""
        return keras.optimizers.SGD(learning_rate, self.momentum, self.nesterov)
