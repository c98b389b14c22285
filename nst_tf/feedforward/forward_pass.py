"""One forward pass of a content picture and its styles through the network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nst_tf.feedforward.network import StyleNetwork
from nst_tf.images import Canvas, Picture, StyleFit
from nst_tf.util.errors import InputError

STYLE_SIZE = 256
"""Side in pixels of the style pictures that the network was trained on."""


def style_scale(height: int, width: int) -> float:
    """Return the factor at which a style of this height and width in pixels is used."""
    return STYLE_SIZE / min(height, width)


@dataclass
class ForwardPass:
    """Inputs of one forward pass.

    Attributes:
        canvas: Settings of the picture's size and colours.
        content: The content at its own size.
        styles: The styles at their own sizes.
        shares: One share for each style, with sum 1.
    """

    canvas: Canvas
    content: Picture
    styles: Sequence[Picture]
    shares: Sequence[float]

    def picture(self, network: StyleNetwork) -> np.ndarray:
        """Stylise the content: ``transfer(content, Σ share_i · predict(style_i))``.

        Args:
            network: The stylising network.

        Returns:
            Picture ``(1, H, W, 3)`` float32 in [0, 1], of the canvas's size.

        Raises:
            InputError: The network cannot compute a picture of finite values.
        """
        content = self.canvas.content(self.content)
        vectors = [network.predict(square) for square in self.style_squares(content)]
        blend = sum(np.float32(share) * vector for share, vector in zip(self.shares, vectors, strict=True))
        picture = network.transfer(content, np.asarray(blend))
        if not np.isfinite(picture).all():
            raise InputError("feedforward.weights: the network computes NaN or infinity; download it again")
        return self.canvas.finish(picture, self.content)

    def style_squares(self, content: np.ndarray) -> list[np.ndarray]:
        """Return the middle square of each style, recoloured as the canvas says.

        Args:
            content: The content ``(1, H, W, 3)`` as the canvas prepares it.

        Returns:
            One array ``(1, STYLE_SIZE, STYLE_SIZE, 3)`` float32 in [0, 1] for each style.
        """
        canvas = replace(
            self.canvas, style_size=STYLE_SIZE, style_fit=StyleFit.long_side, style_scale=1.0, enlarge_style=True
        )
        squares = canvas.styles([_middle_square(style) for style in self.styles], content)
        return [square.astype(np.float32) for square in squares]


def _middle_square(picture: Picture) -> Picture:
    h, w = picture.pixels.shape[:2]
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    return replace(picture, pixels=picture.pixels[top : top + side, left : left + side], alpha=None)
