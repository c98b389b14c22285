"""Sizes, colours and start picture of a run (config group ``image``)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nst_tf.images import colour as colours
from nst_tf.images.checks import MIN_SIDE, image_error, require_side
from nst_tf.images.choices import Colour, Finishing, Fit, StyleFit
from nst_tf.images.finishing import FINISHINGS
from nst_tf.images.in_memory import as_source, as_sources, source_text
from nst_tf.images.noise import NOISES, Noise
from nst_tf.images.picture import Picture, read_picture
from nst_tf.images.reading import Limits
from nst_tf.images.resizing import resize
from nst_tf.util.checks import above, at_least, convert, convert_fields, word_or_integer, wrong_type
from nst_tf.util.errors import InputError
from nst_tf.util.roles import role

COLOUR_MATCHES: dict[Colour, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    Colour.free: lambda style, content: style,
    Colour.histogram: colours.match_histogram,
    Colour.linear: colours.match_covariance,
    Colour.chroma: lambda style, content: style,
    Colour.luminance: lambda style, content: colours.match_moments(colours.grey(style), content),
}
"""Functions of style and content, both ``(1, H, W, 3)``, that recolour the style.

``free`` and ``chroma`` leave it unchanged.
"""

KEEPING_COLOURS = (Colour.histogram, Colour.linear, Colour.luminance)
"""Choices that keep the colours of the content, or of the picture that `Canvas.colour_from` names."""

_STYLE_ROLE = role(method="optimize")
_START_ROLE = role(method="optimize", in_objective=False)
_FINISHING_ROLE = role(method="optimize", in_objective=False, implied_value="none")
_TILE_ROLE = role(method="optimize", in_fingerprint=False, in_run_name=False, in_sweep_name=False, in_objective=False)
_READING_ROLE = role(in_fingerprint=False, in_run_name=False, in_sweep_name=False, in_objective=False, in_hparams=False)

STYLE = "style"
"""Value of `Canvas.colour_from` that takes the colours of the first style, and of `Canvas.start` for that style."""

AUTO, NATIVE = "auto", "native"
"""Values of `Canvas.margin` and `Canvas.size` that stand for a number until `Canvas.resolved` knows the content."""

TILE_OFF = "off"
"""Value of `Canvas.tile` that computes the whole picture at once."""

LARGEST_MARGIN = 16
"""Margin of ``auto`` in pixels: the unread rows of the deepest layers and the frame of the padding are narrower."""

MARGIN_FRACTION = 16
"""The margin of ``auto`` is at most the shorter side divided by this number."""

BUILT_IN_STARTS = ("content", "noise", STYLE)
"""Names of `Canvas.start` that are no pictures of their own."""


@dataclass
class Canvas:
    """Settings of the picture's size, its colours and its start.

    Attributes:
        size: Length in pixels of the side that ``fit`` names, or ``native`` for the content's own size. A content so
            narrow that its other side would be below 16 pixels is refused.
        fit: ``long_side``, ``short_side``, ``height`` and ``width`` keep the content's proportions; ``exact`` stretches
            the content to ``height`` × ``width``.
        height: Rows for ``fit=exact``; None takes ``size``.
        width: Columns for ``fit=exact``; None takes ``size``.
        style_size: Length in pixels of the side that ``style_fit`` names; None takes ``size``.
        style_fit: ``long_side`` and ``short_side`` keep the proportions of each style. ``content`` stretches each style
            to the content's exact shape, as the Keras example and Chandra et al. do; ``style_size``, ``style_scale``
            and ``enlarge_style`` then have no effect.
        style_scale: Factor on the size of the styles; a larger one gives larger brush strokes. A list has one factor
            for each style.
        enlarge_style: Whether a style may be enlarged beyond its own pixels, which adds blur and no detail. A style
            whose shorter side would be below 16 pixels is always enlarged, in its proportions, until it has 16.
        margin: Pixels by which the picture is extended on every side, by reflection, while it is optimised. They are
            cut off at the end, so that the border of the result has neighbours like the inside. ``auto`` is 1/16 of the
            shorter side, at most 16; 0 optimises the picture alone, as the papers do.
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
        tile: Side in pixels of the squares into which the picture is divided, so that the network's features need the
            memory of one at a time; each is computed with its surroundings, and loss and gradient are those of the
            whole picture. ``off`` computes the whole picture at once, and ``auto``, the default, divides a picture that
            does not fit into memory otherwise.
        colour: ``free`` takes the colours of the style. The others keep those of the content (Gatys et al. 2016):
            ``histogram`` and ``linear`` (mean and covariance) recolour each style first. ``luminance`` works in grey,
            with the style's luminance shifted and scaled to the content's, and restores the content's chroma at the
            end. ``chroma`` is its opposite: it transfers the colours alone, by restoring the content's luminance at the
            end.
        colour_from: A picture whose colours take the place of the content's, for ``histogram``, ``linear`` and
            ``luminance``: the content is first recoloured after it, by histograms with ``histogram`` and otherwise by
            mean and covariance. A path or ``sample:NAME``, or ``style`` for the first style; from Python also an array
            or a Pillow image. None keeps the content's own colours.
        strength: Share of the result in the picture that is saved; the rest is the content, with the colours of
            ``colour_from`` if that is set. 1 saves the result alone, 0.5 the mean of both. It is applied to the
            finished picture and changes neither losses nor targets.
        finishing: The step of a method after the optimisation, see `nst_tf.images.choices.Finishing`: ``none``,
            ``match_style``, ``nnst``, ``photorealistic`` or ``photorealistic_detail``. Default ``none``.

    Raises:
        InputError: A value is out of range; the message names its config key.
    """

    size: Any = 512
    fit: Fit = Fit.long_side
    height: int | None = None
    width: int | None = None
    style_size: int | None = field(default=None, metadata=_STYLE_ROLE)
    style_fit: StyleFit = field(default=StyleFit.long_side, metadata=_STYLE_ROLE)
    style_scale: Any = field(default=1.0, metadata=_STYLE_ROLE)
    enlarge_style: bool = field(default=False, metadata=_STYLE_ROLE)
    margin: Any = field(default=AUTO, metadata=role(method="optimize", implied_value=(0, AUTO)))
    start: Any = field(default="content", metadata=role(method="optimize", in_objective=False, takes="path"))
    start_weights: list[float] | None = field(default=None, metadata=_START_ROLE)
    noise: Noise = field(default=Noise.uniform, metadata=_START_ROLE)
    noise_scale: float = field(default=1.0, metadata=_START_ROLE)
    fit_memory: bool = field(default=False, metadata=_START_ROLE)
    tile: Any = field(default=AUTO, metadata=_TILE_ROLE)
    colour: Colour = Colour.free
    colour_from: Any = field(default=None, metadata=role(implied_value=(None, "null"), takes="path"))
    strength: float = field(default=1.0, metadata=role(in_objective=False, implied_value=1.0))
    finishing: Finishing = field(default=Finishing.none, metadata=_FINISHING_ROLE)
    max_megabytes: int = field(default=Limits.megabytes, metadata=_READING_ROLE)
    max_megapixels: int = field(default=Limits.megapixels, metadata=_READING_ROLE)

    def __post_init__(self) -> None:
        self.start = as_sources("image.start", self.start)
        convert_fields(self, "image.", skip=("start", "size", "margin", "style_scale", "tile", "colour_from"))
        self.size = self._number_or("size", NATIVE)
        self.margin = self._number_or("margin", AUTO)
        if self.size == NATIVE and self.fit is Fit.exact:
            raise image_error("size", NATIVE, "keeps the content's proportions; choose another image.fit")
        if self.margin != AUTO:
            at_least("image.margin", self.margin, 0)
        self.tile = TILE_OFF if self.tile in (False, "false") else self.tile  # YAML reads ``off`` as false
        self.tile = self._number_or("tile", AUTO, TILE_OFF)
        if self.tile_side is not None:
            at_least("image.tile", self.tile_side, MIN_SIDE)
        for key in ("size", "height", "width", "style_size"):
            require_side(key, getattr(self, key))
        for key in ("height", "width"):
            if getattr(self, key) is not None and self.fit is not Fit.exact:
                raise image_error(key, getattr(self, key), "needs image.fit=exact; otherwise set image.size")
        self._check_style_scale()
        if not 0 <= self.strength <= 1:
            raise image_error("strength", self.strength, "must be from 0, the content, to 1, the result")
        at_least("image.noise_scale", self.noise_scale, 0)
        for key in ("max_megabytes", "max_megapixels"):
            at_least(f"image.{key}", getattr(self, key), 1)
        self._check_start()
        self._check_colour_from()

    def _check_style_scale(self) -> None:
        key, scales = "image.style_scale", self.style_scale
        if isinstance(scales, list | tuple):
            self.style_scale = [convert(key, scale, float) for scale in scales]
        else:
            self.style_scale = convert(key, scales, float)
        for scale in self.style_scale if isinstance(self.style_scale, list) else [self.style_scale]:
            above(key, scale, 0)

    def style_scale_of(self, number: int) -> float:
        """Return the factor on the size of a style, by its number from 1 on."""
        return self.style_scale[number - 1] if isinstance(self.style_scale, list) else self.style_scale

    def _number_or(self, key: str, *words: str) -> int | str:
        return word_or_integer(f"image.{key}", getattr(self, key), words, f"an integer or {' or '.join(words)}")

    def resolved(self, picture: Picture, margin: int | None = None) -> "Canvas":
        """Return a copy of this canvas with numbers in place of ``size=native`` and ``margin=auto``.

        Args:
            picture: The content at its own size.
            margin: Value of ``margin=auto``, as a resumed run has it; None computes it.

        Raises:
            InputError: See `shape`.
        """
        native = self.size if self.size != NATIVE else self._fitted_side(*picture.pixels.shape[:2])
        canvas = replace(self, size=native)
        if self.margin != AUTO:
            return canvas
        auto = min(LARGEST_MARGIN, min(canvas.shape(picture)) // MARGIN_FRACTION)
        return replace(canvas, margin=auto if margin is None else margin)

    @property
    def tile_side(self) -> int | None:
        """The side that ``tile`` gives in pixels; None for ``auto`` and ``off``."""
        return None if self.tile in (AUTO, TILE_OFF) else int(self.tile)

    def margin_at(self, factor: float = 1.0) -> int:
        """Return the margin in pixels at a fraction of the full size; 0 for ``auto`` before `resolved`."""
        return 0 if self.margin == AUTO else round(factor * self.margin)

    def extended_shape(self, picture: Picture, factor: float = 1.0) -> tuple[int, int]:
        """Return `shape` with the margin on every side: the size of the picture that is optimised."""
        height, width = self.shape(picture, factor)
        margin = self.margin_at(factor)
        return height + 2 * margin, width + 2 * margin

    def shape(self, picture: Picture, factor: float = 1.0) -> tuple[int, int]:
        """Return the size at which the content is used, and which the result has.

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
        if self.size == NATIVE:
            return height, width
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

    def style_size_scale(self, height: int, width: int, number: int = 1) -> float:
        """Return the factor at which a style of this height and width in pixels is used, by its number from 1 on.

        It is 1 where the factor depends on the content: with ``style_fit=content``, and with ``size=native`` before
        `resolved`.
        """
        if self.style_fit is StyleFit.content or (self.size == NATIVE and not self.style_size):
            return 1.0
        side = max(height, width) if self.style_fit is StyleFit.long_side else min(height, width)
        scale = (self.style_size or self.size) * self.style_scale_of(number) / side
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
        return replace(self, **scaled, margin=AUTO if self.margin == AUTO else self.margin_at(factor))

    def content(self, picture: Picture, factor: float = 1.0) -> np.ndarray:
        """Prepare the content for the network.

        Args:
            picture: The content at its own size.
            factor: Fraction of the full size.

        Returns:
            ``(1, H, W, 3)`` float32 in [0, 1]; with ``colour=luminance`` the three channels are equal.
        """
        return self._grey_if_luminance(self._coloured(picture, *self.shape(picture, factor)))

    def _coloured(self, picture: Picture, height: int, width: int) -> np.ndarray:
        """Return the content ``(1, height, width, 3)``, with the colours of ``colour_from`` if that is set."""
        pixels = resize(picture.pixels, height, width)[None]
        if self.colour_from is None:
            return pixels
        reference = colours.fit_to(self._read_colours().pixels, pixels)
        return colours.match_colours(pixels, reference, by_histogram=self.colour is Colour.histogram)

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
        shape = (content.shape[1], content.shape[2])
        shapes = [self.style_shape(picture, shape, factor, number) for number, picture in enumerate(pictures, start=1)]
        resized = [resize(p.pixels, *shape)[None] for p, shape in zip(pictures, shapes, strict=True)]
        return [np.clip(match(style, content), 0, 1) for style in resized]

    def start_image(self, content: np.ndarray, styles: Sequence[np.ndarray], seed: int, margin: int = 0) -> np.ndarray:
        """Build the picture that the optimisation starts from: ``Σ wᵢ sᵢ / Σ wᵢ``, clipped to [0, 1].

        Args:
            content: Result of `content`, ``(1, H, W, 3)``, extended by the margin.
            styles: The result of `styles`; with ``style_fit=content`` extended too.
            seed: Seed of the noise.
            margin: Pixels by which the content is extended on every side.

        Returns:
            ``(1, H, W, 3)`` float32 in [0, 1]; with ``colour=luminance`` the three channels are equal.

        Raises:
            InputError: A start file cannot be read, or ``start`` names ``style`` and there is no style.
        """
        rng = np.random.default_rng(seed)
        names = self.starts
        weights = np.asarray(self.start_weights or [1.0] * len(names), np.float32)
        inner = crop(content, margin)
        if self.style_fit is StyleFit.content:
            styles = [crop(style, margin) for style in styles]
        parts = [extend(self._start_part(name, inner, styles, rng), margin) for name in names]
        shares = weights / weights.sum()
        blend = sum(share * part for share, part in zip(shares, parts, strict=True))
        return self._grey_if_luminance(np.clip(blend, 0, 1).astype(np.float32))

    def finish(
        self,
        image: np.ndarray,
        picture: Picture,
        margin: int = 0,
        kept: np.ndarray | None = None,
        styles: Sequence[np.ndarray] = (),
    ) -> np.ndarray:
        """Turn the optimised image into the result, without its margin.

        Args:
            image: Picture ``(1, H, W, 3)`` at any scale.
            picture: The content at its own size, whose chroma ``colour=luminance`` restores, and which ``strength`` and
                ``kept`` blend in. It is recoloured if ``colour_from`` is set.
            margin: Pixels that are cut off on every side.
            kept: Share of the content in each pixel, ``(H, W)``; None for 0.
            styles: Result of `styles`, for ``finishing``, which is left out without them.

        Returns:
            ``(1, H, W, 3)`` float32 in [0, 1].
        """
        image = crop(np.asarray(image, np.float32), margin)
        if styles and self.finishing is not Finishing.none:
            content = self._grey_if_luminance(self._coloured(picture, *image.shape[1:3]))
            image = FINISHINGS[self.finishing](np.clip(image, 0, 1), content, styles)
        if self.colour in (Colour.luminance, Colour.chroma):
            content = self._coloured(picture, *image.shape[1:3])
            chroma, light = (content, image) if self.colour is Colour.luminance else (image, content)
            image = colours.with_luminance(chroma, light)
        return self._blended(np.clip(image, 0, 1), picture, kept)

    def _blended(self, image: np.ndarray, picture: Picture, kept: np.ndarray | None) -> np.ndarray:
        """Blend the content into the result, as ``strength`` and ``kept`` say."""
        if self.strength == 1 and kept is None:
            return image
        share = np.float32(self.strength) * (1 - (0 if kept is None else kept[None, ..., None]))
        content = self._coloured(picture, *image.shape[1:3])
        return (share * image + (1 - share) * content).astype(np.float32)

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

    def style_shape(
        self, picture: Picture, content: tuple[int, int], factor: float = 1.0, number: int = 1
    ) -> tuple[int, int]:
        """Return the size at which a style is used.

        Args:
            picture: The style at its own size.
            content: Height and width of the content for the same factor.
            factor: Fraction of the full size.
            number: Number of the style, from 1 on.

        Returns:
            Height and width in pixels, at least `MIN_SIDE` each and in the style's proportions, unless the style takes
            the content's shape.
        """
        if self.style_fit is StyleFit.content:
            return content
        h, w = picture.pixels.shape[:2]
        scale = self.style_size_scale(h, w, number)
        return _rounded(scale * h, scale * w, factor)

    def _start_part(
        self, name: str | Picture, content: np.ndarray, styles: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        height, width = content.shape[1:3]
        if name == "content":
            return content
        if name == "noise":
            return NOISES[self.noise](rng, height, width, self.noise_scale)
        if name == STYLE:
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

    def with_colours_read(self, styles: Sequence[Picture] = ()) -> "Canvas":
        """Return a copy of this canvas that holds the picture of ``colour_from`` in place of its path or sample.

        Args:
            styles: The styles, of which ``colour_from=style`` takes the first.

        Raises:
            InputError: The picture cannot be read, or there is no style.
        """
        if self.colour_from == STYLE:
            if not styles:
                raise image_error("colour_from", STYLE, "there is no style to take the colours of")
            return replace(self, colour_from=styles[0])
        return self if self.colour_from is None else replace(self, colour_from=self._read_colours())

    def with_source_texts(self) -> "Canvas":
        """Return a copy of this canvas that holds the source of each picture in its place, as records show it."""
        return replace(self, start=source_text(self.start), colour_from=source_text(self.colour_from))

    def _read_colours(self) -> Picture:
        return read_picture(self.colour_from, role="image.colour_from", limits=self.limits)

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

    def _check_colour_from(self) -> None:
        if self.colour_from is None:
            return
        source = as_source("image.colour_from", self.colour_from)
        if source in (None, ""):
            raise wrong_type("image.colour_from", self.colour_from, f"a path, sample:NAME or {STYLE}")
        if self.colour not in KEEPING_COLOURS:
            remedy = f"Choose image.colour={', '.join(choice.name for choice in KEEPING_COLOURS[:-1])} or luminance."
            raise image_error("colour_from", str(source), f"image.colour={self.colour.name} does not use it. {remedy}")
        self.colour_from = source

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


def extend(image: np.ndarray, margin: int) -> np.ndarray:
    """Extend pictures or masks ``(B, H, W, C)`` on every side by reflection, without repeating the border."""
    return np.pad(image, [(0, 0), (margin, margin), (margin, margin), (0, 0)], mode="reflect") if margin else image


def crop(image: np.ndarray, margin: int) -> np.ndarray:
    """Cut a margin off every side of pictures ``(B, H, W, C)``; the inverse of `extend`."""
    return image[:, margin:-margin, margin:-margin] if margin else image


def _rounded(height: float, width: float, factor: float) -> tuple[int, int]:
    """Return ``factor`` times a size in whole pixels; a larger factor is taken if a side would be below `MIN_SIDE`."""
    factor = max(factor, MIN_SIDE / min(height, width)) if round(factor * min(height, width)) < MIN_SIDE else factor
    return max(MIN_SIDE, round(factor * height)), max(MIN_SIDE, round(factor * width))
