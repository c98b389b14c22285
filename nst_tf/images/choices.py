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


class Finishing(enum.Enum):
    """The step that a method takes after the optimisation, see `nst_tf.images.finishing`.

    ``none`` · ``match_style`` the mean and covariance of the style's colours (Zhang et al. 2022) · ``nnst`` the
    content's hues, moved to those of the style (Kolkin et al. 2022) · ``photorealistic`` a smooth map of the content's
    colours (Luan et al. 2017) · ``photorealistic_detail`` the same with the content's details.
    """

    none = "none"
    match_style = "match_style"
    nnst = "nnst"
    photorealistic = "photorealistic"
    photorealistic_detail = "photorealistic_detail"
