"""The transfer of colours alone, without a network and without an optimisation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nst_tf.images.canvas import Canvas
from nst_tf.images.choices import Colour
from nst_tf.images.colour import fit_to, match_colours
from nst_tf.images.picture import Picture


@dataclass
class Recolouring:
    """The content with the colours of its styles.

    With ``colour=free``, ``linear`` and ``chroma`` the content is mapped linearly, so that it gets the mean and the
    covariance of the style's colours; ``histogram`` matches each channel, and ``chroma`` restores the content's
    luminance afterwards.

    Attributes:
        canvas: Settings of the picture's size and colours.
        content: The content at its own size.
        styles: The styles at their own sizes; one that is larger than the result is shrunk to its long side.
        shares: One share for each style, with sum 1.
    """

    canvas: Canvas
    content: Picture
    styles: Sequence[Picture]
    shares: Sequence[float]

    def picture(self) -> np.ndarray:
        """Recolour the content: ``Σ share_i · clip(match(content, style_i))``.

        Returns:
            Picture ``(1, H, W, 3)`` float32 in [0, 1], of the canvas's size.

        Reference:
            `nst_tf.images.colour.match_covariance` and `match_histogram`.
        """
        content = self.canvas.content(self.content)
        by_histogram = self.canvas.colour is Colour.histogram
        recoloured = [match_colours(content, fit_to(style.pixels, content), by_histogram) for style in self.styles]
        blend = sum(np.float32(share) * picture for share, picture in zip(self.shares, recoloured, strict=True))
        return self.canvas.finish(np.asarray(blend), self.content)
