"""What every loss has in common: a weight, references, and state passed as arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

from nst_tf.util.checks import at_least, coerce_choices
from nst_tf.util.lazy import tf

Features: TypeAlias = "Mapping[str, tf.Tensor]"
"""Layer name to features ``(B, H, W, C)``; ``"image"`` is the picture itself, ``(B, H, W, 3)`` RGB in [0, 1]."""

Targets: TypeAlias = "Mapping[str, tf.Tensor]"
"""Layer name to what a loss compares there; ``temperature:LAYER``: what the features there are divided by, ``(B,)``."""


@dataclass
class Loss:
    """A named component of the objective: ``weight · Σ_l w_l E_l`` per picture.

    A subclass says what it compares (``represent``) and how (``distance``), and what of that can be done once for all
    steps (``settle``); it keeps no state, so one object serves any number of pictures. Every value is float32 of shape
    ``(B,)``.

    Attributes:
        weight: The component's weight: α, β or the weight of total variation. A loss of weight 0 is not computed.
    """

    weight: float = 1.0

    positional: ClassVar[bool] = False
    """Whether it compares position by position, so that its references need the picture's own shape."""

    def __post_init__(self) -> None:
        coerce_choices(self)
        at_least("weight", self.weight, 0)

    def static_config(self) -> Loss:
        """What of it a compiled step holds: all but its weight, which is a tensor there."""
        return replace(self, weight=1.0)

    @property
    def taps(self) -> Sequence[str]:
        """Names of the backbone layers this loss reads; ``"image"`` needs no backbone."""
        raise NotImplementedError

    def references(self, styles: int) -> Sequence[str]:
        """The pictures this loss compares with, of so many styles: ``content``, ``style:1`` …, or none."""
        raise NotImplementedError

    def represent(self, features: Features) -> Targets:
        """What the loss looks at in ``features``, layer by layer."""
        raise NotImplementedError

    def distance(self, representation: Targets, targets: Targets) -> dict[str, tf.Tensor]:
        """Each layer's share ``w_l E_l``, ``(B,)``; the shares add up to the raw loss."""
        raise NotImplementedError

    @property
    def uses_temperature(self) -> bool:
        """Whether its features have temperatures."""
        return False

    def temperatures(self, features: Features) -> Targets:
        """What of a reference decides how any picture's features are smoothed; see `Targets`."""
        return {}

    def smooth(self, features: Features, temperatures: Targets) -> Features:
        """The features as the loss compares them; ``temperatures`` may be whole targets."""
        return features

    @property
    def diagnostic_names(self) -> Sequence[str]:
        """Names of what is told beside the loss."""
        return []

    def compute_diagnostics(self, features: Features) -> dict[str, tf.Tensor]:
        """What is told beside the loss of smoothed features, ``(B,)`` each, by the names in `told`."""
        return {}

    def finalize_targets(self, representation: Targets) -> Targets:
        """What every step compares with, out of a reference's representation, or of several blended into one."""
        return representation

    def prepare(self, features: Features) -> Targets:
        """Targets of a reference picture, computed once before the loop."""
        temperatures = self.temperatures(features)
        settled = self.finalize_targets(self.represent(self.smooth(features, temperatures)))
        return {name: tf.stop_gradient(value) for name, value in {**settled, **temperatures}.items()}

    def __call__(self, features: Features, targets: Targets) -> tf.Tensor:
        """The raw loss (before ``weight``), ``(B,)`` float32."""
        representation = self.represent(self.smooth(features, targets))
        return tf.add_n(list(self.distance(representation, targets).values()))
