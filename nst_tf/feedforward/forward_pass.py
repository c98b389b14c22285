"""A photograph and its paintings, through the network once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nst_tf.feedforward.network import StyleNetwork
from nst_tf.images import Canvas, Picture, StyleFit

STYLE_SIZE = 256
"""Side of a painting in pixels, as the network was trained."""


@dataclass
class ForwardPass:
    """Everything one forward pass needs, without a word on where its picture is kept.

    Attributes:
        canvas: Size of the picture, and its colours.
        content: The photograph at its own size.
        styles: The paintings at their own sizes.
        shares: One share a style, summing to 1.
    """

    canvas: Canvas
    content: Picture
    styles: Sequence[Picture]
    shares: Sequence[float]

    def picture(self, network: StyleNetwork) -> np.ndarray:
        """Stylise: ``transfer(content, Σ share_i · predict(style_i))``.

        Args:
            network: What makes the picture.

        Returns:
            ``(1, H, W, 3)`` float32 in [0, 1], of the canvas's size.
        """
        content = self.canvas.content(self.content)
        vectors = [network.predict(painting) for painting in self.paintings(content)]
        blend = sum(np.float32(share) * vector for share, vector in zip(self.shares, vectors, strict=True))
        return self.canvas.finish(network.transfer(content, np.asarray(blend)), self.content)

    def paintings(self, content: np.ndarray) -> list[np.ndarray]:
        """The middle square of each painting, in the canvas's colours.

        Args:
            content: What the canvas makes of the photograph, ``(1, H, W, 3)``.

        Returns:
            ``(1, 256, 256, 3)`` float32 in [0, 1] each.
        """
        canvas = replace(
            self.canvas, style_size=STYLE_SIZE, style_fit=StyleFit.long_side, style_scale=1.0, enlarge_style=True
        )
        paintings = canvas.styles([_square(style) for style in self.styles], content)
        return [painting.astype(np.float32) for painting in paintings]


def _square(picture: Picture) -> Picture:
    h, w = picture.pixels.shape[:2]
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    return replace(picture, pixels=picture.pixels[top : top + side, left : left + side], alpha=None)
