"""The RMSprop optimiser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nst_tf.optimizers.first_order import FirstOrder
from nst_tf.util.checks import above, fraction
from nst_tf.util.lazy import keras
from nst_tf.util.roles import role


@dataclass
class RMSprop(FirstOrder):
    """Settings of RMSprop: ``v ← ρ v + (1 − ρ) g²`` and ``x ← x − learning_rate · g / √(v + ε)``.

    Implementations differ in the place of ε. TensorFlow 1, TensorFlow 2 and Keras add it under the root, so that it is
    compared with squared gradients: the default of 1e-7 damps gradients below about 3e-4. Multiplying the weights of
    all losses by 1e-4 then changes the path of the picture. PyTorch adds ε to the root, ``g / (√v + ε)``; gradients
    matter down to about ε itself, and such a factor hardly changes the path.

    Attributes:
        rho: Decay ρ of the mean square v. Default 0.9.
        momentum: Factor of the previous update in the next one. Default 0.
        epsilon: The constant ε. Default 1e-7, as in Keras; TensorFlow 1 has 1e-10, PyTorch 1e-8.
        epsilon_in_root: Whether ε is added under the root, as in TensorFlow and Keras, or to the root, as in PyTorch.
            Default true.

    Reference:
        Tieleman & Hinton 2012, *Lecture 6.5: RMSProp*, Coursera.
    """

    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    epsilon_in_root: bool = field(default=True, metadata=role(implied_value=True))

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction("optimizer.rho", self.rho)
        fraction("optimizer.momentum", self.momentum)
        above("optimizer.epsilon", self.epsilon, 0)

    def keras_optimizer(self, learning_rate: Any) -> keras.optimizers.Optimizer:
        """Create a fresh Keras optimiser: `keras.optimizers.RMSprop`, or its variant with ε outside of the root."""
        if self.epsilon_in_root:
            return keras.optimizers.RMSprop(learning_rate, self.rho, self.momentum, self.epsilon)
        from nst_tf.optimizers.rmsprop_variants import RMSpropOutsideRoot

        return RMSpropOutsideRoot(learning_rate, self.rho, self.momentum, self.epsilon)
