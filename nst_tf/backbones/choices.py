"""Choices of the config group ``backbone`` that change how a network computes; `surgery` applies them."""

from enum import Enum


class Pooling(Enum):
    """Operation that reduces the resolution; Gatys et al. 2016 found average pooling slightly more pleasing."""

    max = "max"
    average = "average"


class Padding(Enum):
    """Values that a convolution reads beyond the border.

    Zeros leave visible edges in some styles. ``reflect`` mirrors the features, and ``circular`` continues them at the
    opposite border, so that a texture can be laid side by side without a seam.
    """

    zero = "zero"
    reflect = "reflect"
    circular = "circular"
