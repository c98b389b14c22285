"""Choices of the config group ``backbone`` that change how a network computes; `surgery` applies them."""

from enum import Enum


class Pooling(Enum):
    """Operation that reduces the resolution; Gatys et al. 2016 found average pooling slightly more pleasing."""

    max = "max"
    average = "average"


class Padding(Enum):
    """Values that a convolution reads beyond the border; zeros leave visible edges in some styles."""

    zero = "zero"
    reflect = "reflect"
