"""The interface of a stylising network: style to style vector, content and style vector to picture."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class StyleNetwork:
    """The two halves of a network for arbitrary styles; every picture is float32 RGB in [0, 1].

    Attributes:
        predict: Function from a style ``(1, 256, 256, 3)`` to its style vector ``(1, 1, 1, N)``; N is 100 for Magenta's
            network.
        transfer: Function from a content ``(1, H, W, 3)`` and a style vector to the picture ``(1, H, W, 3)``.
        size: Fixed height and width at which ``transfer`` computes; None where it computes at the content's size.

    Reference:
        Ghiasi et al. 2017, "Exploring the structure of a real-time, arbitrary neural artistic stylization network".
    """

    predict: Callable[[np.ndarray], np.ndarray]
    transfer: Callable[[np.ndarray, np.ndarray], np.ndarray]
    size: tuple[int, int] | None = None
