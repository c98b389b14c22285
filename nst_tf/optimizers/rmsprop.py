"""The RMSprop optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nst_tf.optimizers.first_order import FirstOrder
from nst_tf.util.checks import above, fraction
from nst_tf.util.lazy import keras


@dataclass
class RMSprop(FirstOrder):
    """Settings of RMSprop, through `keras.optimizers.RMSprop`.

    Attributes:
        rho: Decay of the mean square. Default 0.9.
        momentum: Factor of the previous update in the next one. Default 0.
        epsilon: Added to the mean square under the root. Default 1e-7, as in Keras.

    Reference:
        Tieleman & Hinton 2012, *Lecture 6.5: RMSProp*, Coursera.
    """

    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction("optimizer.rho", self.rho)
        fraction("optimizer.momentum", self.momentum)
        above("optimizer.epsilon", self.epsilon, 0)

    def keras_optimizer(self, learning_rate: Any) -> keras.optimizers.Optimizer:
        """Create a fresh `keras.optimizers.RMSprop`."""
        return keras.optimizers.RMSprop(learning_rate, self.rho, self.momentum, self.epsilon)
