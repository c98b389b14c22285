"""The Adam optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nst_tf.optimizers.first_order import FirstOrder
from nst_tf.util.checks import above, fraction
from nst_tf.util.lazy import keras


@dataclass
class Adam(FirstOrder):
    """Settings of Adam, through `keras.optimizers.Adam`.

    Attributes:
        beta_1: Decay of the first moment. Default 0.9.
        beta_2: Decay of the second moment. Default 0.999.
        epsilon: Added to the root of the second moment before the correction of its bias (the paper's ε̂).
            Default 1e-8; Keras's default is 1e-7.

    Reference:
        Kingma & Ba 2015, *Adam: A Method for Stochastic Optimization*.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction("optimizer.beta_1", self.beta_1)
        fraction("optimizer.beta_2", self.beta_2)
        above("optimizer.epsilon", self.epsilon, 0)

    def keras_optimizer(self, learning_rate: Any) -> keras.optimizers.Optimizer:
        """Create a fresh `keras.optimizers.Adam`."""
        return keras.optimizers.Adam(learning_rate, self.beta_1, self.beta_2, self.epsilon)
