"""What a network of two halves gives: a painting becomes a vector, a photograph and a vector become a picture."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class StyleNetwork:
    """Arbitrary stylisation in its two halves.

    Attributes:
        predict: A painting ``(1, 256, 256, 3)`` to its style vector, ``(1, 1, 1, N)``; N is 100 in Magenta's.
        transfer: A photograph ``(1, H, W, 3)`` and a style vector to the picture, ``(1, H, W, 3)``; all pictures
            float32 RGB in [0, 1].
        size: Height and width that ``transfer`` computes at, whatever its photograph's; None where it takes any.

    Reference:
        Ghiasi et al. 2017, "Exploring the structure of a real-time, arbitrary neural artistic stylization network".
    """

    predict: Callable[[np.ndarray], np.ndarray]
    transfer: Callable[[np.ndarray, np.ndarray], np.ndarray]
    size: tuple[int, int] | None = None
