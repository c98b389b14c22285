"""Recognition of published VGG weights by their first filter, and the preprocessing that belongs to them.

PyTorch files from torchvision and from Caffe have the same names and shapes. Their first filters differ, and most
programs that train a VGG further keep them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nst_tf.backbones.preprocessing import Preprocessing

TOLERANCE = 0.004
"""Largest difference of a weight; 8-bit copies differ by up to 0.0025."""


class Origin(NamedTuple):
    """Published weights.

    Attributes:
        name: Whose weights they are.
        preprocessing: Preprocessing that they were trained with.
        first_filter: Weights of the first filter for the first colour (red, in Caffe blue), row by row.
    """

    name: str
    preprocessing: Preprocessing
    first_filter: tuple[float, ...]


ORIGINS = (
    Origin(
        "torchvision's VGG-19",
        Preprocessing.torch,
        (-0.0535, -0.0493, -0.0679, 0.0153, 0.0451, 0.0021, 0.0362, 0.0200, 0.0199),
    ),
    Origin(
        "torchvision's VGG-16",
        Preprocessing.torch,
        (-0.5537, 0.1427, 0.5290, -0.5831, 0.3566, 0.7657, -0.6902, -0.0480, 0.4841),
    ),
    Origin(
        "the Caffe model's VGG-19",
        Preprocessing.caffe,
        (0.3412, 0.3400, -0.0448, 0.2322, 0.0898, -0.3033, -0.0726, -0.2467, -0.3368),
    ),
    Origin(
        "the Caffe model's VGG-16",
        Preprocessing.caffe,
        (0.4295, 0.3735, -0.0614, 0.2748, 0.0387, -0.3672, -0.0575, -0.2622, -0.3501),
    ),
)
"""Published weights, those of Simonyan & Zisserman 2015 (which Keras and neural-style-pt convert) as Caffe's.

Torchvision's filters have the four decimals with which PyTorch prints them; Caffe's are those of Keras's files.
"""


def origin_of(first_kernel: np.ndarray) -> Origin | None:
    """Return whose weights a first kernel ``(3, 3, 3, C)`` belongs to, or None if it is not known."""
    if first_kernel.shape[:3] != (3, 3, 3):
        return None
    received = first_kernel[:, :, 0, 0].ravel()
    matching = (x for x in ORIGINS if np.abs(received - np.array(x.first_filter)).max() < TOLERANCE)
    return next(matching, None)
