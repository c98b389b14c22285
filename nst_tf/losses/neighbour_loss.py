"""The settings that the two losses of neural neighbours share: their layers, and the copies of the styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from nst_tf.losses.layer_loss import check_layers
from nst_tf.losses.loss import Loss
from nst_tf.losses.style_copies import quarter_turns

CONVOLUTIONS = (
    *("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3"),
    *("conv4_1", "conv4_2", "conv4_3"),
)
"""The ten convolutions of VGG-16 up to conv4_3, which the published program compares."""


@dataclass
class NeighbourLoss(Loss):
    """A loss that compares features of the picture with the nearest ones of all styles.

    Attributes:
        layers: Layer names, in any form that the backbone accepts. Default: `CONVOLUTIONS`.
        rotations: Whether the style is also searched after rotations by 90, 180 and 270 degrees. Default true.
    """

    layers: list[str] = field(default_factory=lambda: list(CONVOLUTIONS))
    rotations: bool = True

    joint: ClassVar[bool] = True
    reference: ClassVar[str] = "style"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_layers(self, self.layers)

    @property
    def taps(self) -> Sequence[str]:
        """The layers, as given."""
        return self.layers

    def references(self, styles: int) -> Sequence[str]:
        """Return every style, with its rotated copies."""
        return quarter_turns(styles, self.rotations)
