"""The temporal loss: squared differences from earlier frames of a film, moved along by the optical flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nst_tf.losses.loss import PictureLoss, Representation
from nst_tf.losses.total_variation import ValueRange
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import elements


@dataclass
class TemporalLoss(PictureLoss):
    """``weight · (1/3HW) Σ_p Σ_j c_j(p) |x(p) − ω_j(p)|²`` against other frames ω_j, warped to the present one.

    This is the consistency loss of Ruder, Dosovitskiy & Brox 2016, equations 5 and 7, with the weights c_j of positions
    that both frames show. Its targets come from `nst_tf.video`. A single picture has no other frames: its loss is 0.

    All frames j make one target, so that a compiled step serves any number of them: with ``c = Σ c_j`` and
    ``ω = Σ c_j ω_j / c``, the sum over j is ``c |x − ω|² + (Σ c_j |ω_j|² − c |ω|²)``.

    Attributes:
        value_range: See `nst_tf.losses.total_variation.ValueRange`; default ``unit``. A weight from a paper that works
            in 0..255 needs ``byte``.
    """

    value_range: ValueRange = ValueRange.unit

    def references(self, styles: int) -> Sequence[str]:
        """Return no reference: the targets are other frames, not pictures of the config."""
        return []

    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute the loss, under the name ``"image"``.

        Args:
            representation: The picture.
            targets: ``image``, ω ``(1, H, W, 3)``; ``weights``, c ``(1, H, W, 1)``; and ``spread``, the second summand
                above, ``(1, H, W, 3)``. Empty for a single picture.
        """
        image = representation["image"]
        if not targets:
            return {"image": tf.zeros_like(image[:, 0, 0, 0])}
        scale = 255.0**2 if self.value_range is ValueRange.byte else 1.0
        squares = targets["weights"] * tf.square(image - targets["image"]) + targets["spread"]
        return {"image": scale * tf.reduce_sum(squares, [1, 2, 3]) / elements(image)}
