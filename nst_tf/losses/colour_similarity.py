"""A content loss on colours alone: the distances between all pixels of small copies of picture and content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from nst_tf.losses.loss import Features, PictureLoss, Representation
from nst_tf.util.checks import at_least
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import resize_aligned


@dataclass
class ColourSimilarityLoss(PictureLoss):
    """``weight · mean |D(x) − D(c)|`` per picture, where D holds the distances ``|a − b|`` of all pairs of pixels.

    Picture and content are first reduced, bilinearly with aligned corners, to a long side of ``side`` pixels. A change
    of all colours alike costs nothing, so that light and dark places of the content stay apart in any palette.

    Attributes:
        side: Long side of the small copies in pixels, at least 2. Default 32.

    Reference:
        Kolkin, Kucera, Paris, Sýkora, Shechtman & Shakhnarovich 2022, *Neural Neighbor Style Transfer*.
    """

    side: int = 32

    positional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("side", self.side, 2)

    def references(self, styles: int) -> Sequence[str]:
        """Return the content."""
        return ["content"]

    def represent(self, features: Features) -> Representation:
        """Compute the distances of all pairs of pixels, ``(B, n, n)`` float32."""
        image = features["image"]
        height, width = image.shape[1:3]
        size = [max(1, side * self.side // max(height, width)) for side in (height, width)]
        small = resize_aligned(image, *size)
        pixels = tf.reshape(small, [-1, size[0] * size[1], image.shape[-1]])
        squares = tf.reduce_sum(tf.square(pixels), axis=-1)  # (B, n)
        products = tf.matmul(pixels, pixels, transpose_b=True)
        return {"image": tf.sqrt(tf.maximum(squares[:, :, None] + squares[:, None] - 2.0 * products, 1e-8))}

    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute ``mean |D(x) − D(c)|``, ``(B,)`` float32, under the name ``"image"``."""
        return {"image": tf.reduce_mean(tf.abs(representation["image"] - targets["image"]), axis=[1, 2])}
