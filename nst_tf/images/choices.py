"""Named choices of the config group ``image``; the value of each member is its name."""

import enum


class Fit(enum.Enum):
    """The measure of the content that ``image.size`` sets."""

    long_side = "long_side"
    short_side = "short_side"
    height = "height"
    width = "width"
    exact = "exact"


class StyleFit(enum.Enum):
    """The measure of a style that ``image.style_size`` sets."""

    long_side = "long_side"
    short_side = "short_side"
    content = "content"


class Colour(enum.Enum):
    """The treatment of the content's colours."""

    free = "free"
    histogram = "histogram"
    linear = "linear"
    luminance = "luminance"
    chroma = "chroma"
