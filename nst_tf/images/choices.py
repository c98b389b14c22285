"""Named choices of the config group ``image``; each member's value is its name."""

import enum


class Fit(enum.Enum):
    """Which measure of the content ``size`` sets."""

    long_side = "long_side"
    short_side = "short_side"
    height = "height"
    width = "width"
    exact = "exact"


class StyleFit(enum.Enum):
    """Which measure of a style ``style_size`` sets."""

    long_side = "long_side"
    short_side = "short_side"
    content = "content"


class Colour(enum.Enum):
    """What becomes of the content's colours."""

    free = "free"
    histogram = "histogram"
    linear = "linear"
    luminance = "luminance"
