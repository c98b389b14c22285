"""Choices of the config group ``backbone`` that change how a network computes."""

from enum import Enum


class Pooling(Enum):
    """How a block is reduced; Gatys et al. 2016 found average pooling slightly more pleasing."""

    max = "max"
    average = "average"


class Padding(Enum):
    """What a convolution sees beyond the border; zeros leave visible edges in some styles."""

    zero = "zero"
    reflect = "reflect"
