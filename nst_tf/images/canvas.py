"""Sizes, colours and start picture of a run (config group ``image``)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nst_tf.images import colour as colours
from nst_tf.images.checks import MIN_SIDE, image_error, require_side
from nst_tf.images.choices import Colour, Fit, StyleFit
from nst_tf.images.in_memory import as_sources
from nst_tf.images.noise import NOISES, Noise
from nst_tf.images.picture import Picture, read_picture
from nst_tf.images.reading import Limits
from nst_tf.images.resizing import resize
from nst_tf.util.checks import above, at_least, convert_fields
from nst_tf.util.errors import InputError
from nst_tf.util.roles import role

COLOUR_MATCHES: dict[Colour, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    Colour.free: lambda style, content: style,
    Colour.histogram: colours.match_histogram,
    Colour.linear: colours.match_covariance,
    Colour.luminance: lambda style, content: colours.match_moments(colours.grey(style), content),
}
"""Functions of style and content, both ``(1, H, W, 3)``, that recolour the style; ``free`` leaves it unchanged."""

_STYLE_ROLE = role(method="optimize")
_START_ROLE = role(method="optimize", in_objective=False)
_READING_ROLE = role(in_fingerprint=False, in_run_name=False, in_sweep_name=False, in_objective=False, in_hparams=False)

BUILT_IN_STARTS = ("content", "noise", "style")
"""Names of `Canvas.start` that are no pictures of their own."""


@dataclass
class Canvas:
    """Settings of the picture's size, its colours and its start.

    Attributes:
        size: Length in pixels of the side that ``fit`` names. A content so narrow that its other side would be below
            16 pixels is refused.
        fit: ``long_side``, ``short_side``, ``height`` and ``width`` keep the content's proportions; ``exact`` stretches
            the content to ``height`` × ``width``.
        height: Rows for ``fit=exact``; None takes ``size``.
        width: Columns for ``fit=exact``; None takes ``size``.
        style_size: Length in pixels of the side that ``style_fit`` names; None takes ``size``.
        style_fit: ``long_side`` and ``short_side`` keep the proportions of each style. ``content`` stretches each style
            to the content's exact shape, as the Keras example and Chandra et al. do; ``style_size``, ``style_scale``
            and ``enlarge_style`` then have no effect.
        style_scale: Factor on the size of the styles; a larger one gives larger brush strokes.
        enlarge_style: Whether a style may be enlarged beyond its own pixels, which adds blur and no detail. A style
            whose shorter side would be below 16 pixels is always enlarged, in its proportions, until it has 16.
        start: ``content``, ``noise``, ``style`` (the first style, stretched to the content's shape), a path or
            ``sample:NAME`` (stretched too), or a list of these, which are blended. From Python also an array or a
            Pillow image.
        start_weights: One share for each entry of ``start``, at least 0; the shares are divided by their sum. None
            blends equally.
        noise: ``uniform`` is ``0.5 + noise_scale · (u − 0.5)`` with u uniform in [0, 1); ``gaussian`` is the mean
            colour of ImageNet plus ``noise_scale · N(0, 1)``.
        noise_scale: Width of ``uniform`` or standard deviation of ``gaussian`` noise, for pixels in [0, 1]. The 0.001
            of neural-style, for pixels in 0..255, is ``0.001/255`` here.
        max_megabytes: Largest file that is read as a picture, in units of 10⁶ bytes.
        max_megapixels: Largest picture that is decoded, in units of 10⁶ pixels. A larger JPEG, up to four times the
            limit, is decoded at a reduced size; any other picture above the limit is refused.
        fit_memory: Whether a picture that does not fit into memory is made smaller; otherwise it is refused.
        colour: ``free`` takes the colours of the style. The others keep those of the content (Gatys et al. 2016):
            ``histogram`` and ``linear`` (mean and covariance) recolour each style first. ``luminance`` works in grey,
            with the style's luminance shifted and scaled to the content's, and restores the content's chroma at the
            end.

    Raises:
        InputError: A value is out of range; the message names its config key.
    """

    size: int = 512
    fit: Fit = Fit.long_side
    height: int | None = None
    width: int | None = None
    style_size: int | None = field(default=None, metadata=_STYLE_ROLE)
    style_fit: StyleFit = field(default=StyleFit.long_side, metadata=_STYLE_ROLE)
    style_scale: float = field(default=1.0, metadata=_STYLE_ROLE)
    enlarge_style: bool = field(default=False, metadata=_STYLE_ROLE)
    start: Any = field(default="content", metadata=role(method="optimize", in_objective=False, takes="path"))
    start_weights: list[float] | None = field(default=None, metadata=_START_ROLE)
    noise: Noise = field(default=Noise.uniform, metadata=_START_ROLE)
    noise_scale: float = field(default=1.0, metadata=_START_ROLE)
    fit_memory: bool = field(default=False, metadata=_START_ROLE)
    colour: Colour = Colour.free
    max_megabytes: int = field(default=Limits.megabytes, metadata=_READING_ROLE)
    max_megapixels: int = field(default=Limits.megapixels, metadata=_READING_ROLE)

    def __post_init__(self) -> None:
        self.start = as_sources("image.start", self.start)
        convert_fields(self, "image.", skip=("start",))
        for key in ("size", "height", "width", "style_size"):
            require_side(key, getattr(self, key))
        for key in ("height", "width"):
            if getattr(self, key) is not None and self.fit is not Fit.exact:
                raise image_error(key, getattr(self, key), "needs image.fit=exact; otherwise set image.size")
        above("image.style_scale", self.style_scale, 0)
        at_least("image.noise_scale", self.noise_scale, 0)
        for key in ("max_megabytes", "max_megapixels"):
            at_least(f"image.{key}", getattr(self, key), 1)
        self._check_start()

    def shape(self, picture: Picture, factor: float = 1.0) -> tuple[int, int]:
        """Return the size at which the content is used.

        Args:
            picture: The content at its own size.
            factor: Fraction of the full size; below 1 at the coarse levels of a pyramid.

        Returns:
            Height and width in pixels, at least `MIN_SIDE` each, in the proportions that ``fit`` asks for.

        Raises:
            InputError: The full size has a side below `MIN_SIDE`.
        """
        height, width = self._full_shape(*picture.pixels.shape[:2])
        if min(round(height), round(width)) < MIN_SIDE:
            raise self._too_narrow(picture, height, width)
        return _rounded(height, width, factor)

    def _full_shape(self, height: int, width: int) -> tuple[float, float]:
        """Return height and width of the content at full size, not rounded."""
        if self.fit is Fit.exact:
            return self.height or self.size, self.width or self.size
        scale = self.size / self._fitted_side(height, width)
        return scale * height, scale * width

    def _fitted_side(self, height: int, width: int) -> int:
        return {
            Fit.long_side: max(height, width),
            Fit.short_side: min(height, width),
            Fit.height: height,
            Fit.width: width,
        }[self.fit]

    def _too_narrow(self, picture: Picture, height: float, width: float) -> InputError:
        h, w = picture.pixels.shape[:2]
        least = math.ceil(MIN_SIDE * self._fitted_side(h, w) / min(h, w))
        place = f"{picture.source!r} (content)"
        return InputError(
            f"Picture too narrow: {place} has {w}x{h} pixels and would become {round(width)}x{round(height)} with "
            f"image.size={self.size}, but no side may be below {MIN_SIDE}. Set image.size={least} or more, or crop it."
        )

    @property
    def limits(self) -> Limits:
        """Limits of the pictures that are read."""
        return Limits(self.max_megabytes, self.max_megapixels, group="image")

    def content_scale(self, height: int, width: int) -> float:
        """Return the factor at which a content of this height and width in pixels is used; the larger of both axes."""
        used_height, used_width = self._full_shape(height, width)
        return max(used_height / height, used_width / width)

    def style_size_scale(self, height: int, width: int) -> float:
        """Return the factor at which a style of this height and width in pixels is used.

        It is 1 with ``style_fit=content``, where the factor depends on the content.
        """
        if self.style_fit is StyleFit.content:
            return 1.0
        side = max(height, width) if self.style_fit is StyleFit.long_side else min(height, width)
        scale = (self.style_size or self.size) * self.style_scale / side
        return scale if self.enlarge_style else min(scale, 1.0)

    def smaller(self, factor: float) -> "Canvas":
        """Return a copy of this canvas with smaller sizes.

        Args:
            factor: Factor on every size, below 1. Sizes are rounded down to whole pixels, but not below `MIN_SIDE`.
        """
        sizes = {key: getattr(self, key) for key in ("size", "height", "width", "style_size")}
        scaled: dict[str, Any] = {
            key: max(MIN_SIDE, int(factor * value)) for key, value in sizes.items() if value is not None
        }
        return replace(self, **scaled)

    def content(self, picture: Picture, factor: float = 1.0) -> np.ndarray:
        """Prepare the content for the network.

        Args:
            picture: The content at its own size.
            factor: Fraction of the full size.

        Returns:
            ``(1, H, W, 3)`` float32 in [0, 1]; with ``colour=luminance`` the three channels are equal.
        """
        pixels = resize(picture.pixels, *self.shape(picture, factor))[None]
        return self._grey_if_luminance(pixels)

    def styles(self, pictures: Sequence[Picture], content: np.ndarray, factor: float = 1.0) -> list[np.ndarray]:
        """Prepare the styles for the network: resize them, then recolour them after the content.

        Args:
            pictures: The styles at their own sizes.
            content: Result of `content` for the same factor, ``(1, H, W, 3)``.
            factor: Fraction of the full size. A style that is already limited to its own pixels is shrunk by it too, so
                that brush strokes keep their proportion to the content at every scale.

        Returns:
            One array ``(1, h, w, 3)`` float32 in [0, 1] for each style.
        """
        match = COLOUR_MATCHES[self.colour]
        shapes = [self.style_shape(picture, (content.shape[1], content.shape[2]), factor) for picture in pictures]
        resized = [resize(p.pixels, *shape)[None] for p, shape in zip(pictures, shapes, strict=True)]
        return [np.clip(match(style, content), 0, 1) for style in resized]

    def start_image(self, content: np.ndarray, styles: Sequence[np.ndarray], seed: int) -> np.ndarray:
        """Build the picture that the optimisation starts from: ``Σ wᵢ sᵢ / Σ wᵢ``, clipped to [0, 1].

        Args:
            content: Result of `content`, ``(1, H, W, 3)``.
            styles: The result of `styles`.
            seed: Seed of the noise.

        Returns:
            ``(1, H, W, 3)`` float32 in [0, 1]; with ``colour=luminance`` the three channels are equal.

        Raises:
            InputError: A start file cannot be read, or ``start`` names ``style`` and there is no style.
        """
        rng = np.random.default_rng(seed)
        names = self.starts
        weights = np.asarray(self.start_weights or [1.0] * len(names), np.float32)
        parts = [self._start_part(name, content, styles, rng) for name in names]
        shares = weights / weights.sum()
        blend = sum(share * part for share, part in zip(shares, parts, strict=True))
        return self._grey_if_luminance(np.clip(blend, 0, 1).astype(np.float32))

    def finish(self, image: np.ndarray, picture: Picture) -> np.ndarray:
        """Turn the optimised image into the result.

        Args:
            image: Picture ``(1, H, W, 3)`` at any scale.
            picture: The content at its own size, whose chroma ``colour=luminance`` restores.

        Returns:
            ``(1, H, W, 3)`` float32 in [0, 1].
        """
        image = np.asarray(image, np.float32)
        if self.colour is Colour.luminance:
            image = colours.with_luminance(resize(picture.pixels, *image.shape[1:3])[None], image)
        return np.clip(image, 0, 1)

    def alpha(self, picture: Picture, height: int, width: int) -> np.ndarray | None:
        """Return the content's alpha channel, resized to the result.

        A result of a coarse scale is smaller than the canvas.

        Args:
            picture: The content at its own size.
            height: Rows of the result.
            width: Columns of the result.

        Returns:
            ``(height, width)`` float32 in [0, 1]; None for an opaque picture.
        """
        return None if picture.alpha is None else resize(picture.alpha, height, width)

    def _grey_if_luminance(self, image: np.ndarray) -> np.ndarray:
        return colours.grey(image) if self.colour is Colour.luminance else image

    def style_shape(self, picture: Picture, content: tuple[int, int], factor: float = 1.0) -> tuple[int, int]:
        """Return the size at which a style is used.

        Args:
            picture: The style at its own size.
            content: Height and width of the content for the same factor.
            factor: Fraction of the full size.

        Returns:
            Height and width in pixels, at least `MIN_SIDE` each and in the style's proportions, unless the style takes
            the content's shape.
        """
        if self.style_fit is StyleFit.content:
            return content
        h, w = picture.pixels.shape[:2]
        scale = self.style_size_scale(h, w)
        return _rounded(scale * h, scale * w, factor)

    def _start_part(
        self, name: str | Picture, content: np.ndarray, styles: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        height, width = content.shape[1:3]
        if name == "content":
            return content
        if name == "noise":
            return NOISES[self.noise](rng, height, width, self.noise_scale)
        if name == "style":
            if not styles:
                raise image_error("start", name, "there is no style to start from; choose content or noise")
            return resize(styles[0][0], height, width)[None]
        return resize(self._read_start(name).pixels, height, width)[None]

    def with_start_read(self) -> "Canvas":
        """Return a copy of this canvas that holds the pictures of ``start`` in place of their paths and samples.

        Raises:
            InputError: A picture cannot be read.
        """
        read = [self._read_start(name) for name in self.starts]
        return replace(self, start=read if isinstance(self.start, list) else read[0])

    @property
    def start_pictures(self) -> list[Picture]:
        """Pictures among the entries of ``start``; after `with_start_read`, all entries but the built-in ones."""
        return [entry for entry in self.starts if isinstance(entry, Picture)]

    def _read_start(self, name: str | Picture) -> Any:
        if name in BUILT_IN_STARTS:
            return name
        return read_picture(name, role="image.start", limits=self.limits)

    @property
    def starts(self) -> list[str | Picture]:
        """Entries of ``start``, as a list."""
        return list(self.start) if isinstance(self.start, list) else [self.start]

    def _check_start(self) -> None:
        remedy = "must be content, noise, style, a path, sample:NAME, or a list of these"
        names = self.starts
        if not names or not all(isinstance(name, str | Picture) and name for name in names):
            raise image_error("start", self.start, remedy)
        weights = self.start_weights
        if weights is None:
            return
        if len(weights) != len(names):
            raise image_error("start_weights", weights, f"needs {len(names)} numbers, one for each image.start")
        if not all(0 <= weight < float("inf") for weight in weights) or sum(weights) <= 0:
            raise image_error("start_weights", weights, "must be at least 0 each, and not all 0")


def _rounded(height: float, width: float, factor: float) -> tuple[int, int]:
    """Return ``factor`` times a size in whole pixels; a larger factor is taken if a side would be below `MIN_SIDE`."""
    factor = max(factor, MIN_SIDE / min(height, width)) if round(factor * min(height, width)) < MIN_SIDE else factor
    return max(MIN_SIDE, round(factor * height)), max(MIN_SIDE, round(factor * width))
