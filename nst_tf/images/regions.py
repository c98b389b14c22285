"""Regions of the photograph and of the styles (config group ``regions``): their masks, and what each one takes."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any

import numpy as np

from nst_tf.images.in_memory import as_source, source_text
from nst_tf.images.label_map import is_same_colour, parse_colour, read_label_map
from nst_tf.images.masks import ALPHA, check_proportions, extend_mask, mask_of, resize_mask
from nst_tf.images.picture import Picture, read_picture
from nst_tf.images.reading import Limits
from nst_tf.images.resizing import resize
from nst_tf.images.seams import SeamBlend, cut_at_half, least_visible_cut, soften
from nst_tf.images.semantic_maps import extend_map, semantic_maps
from nst_tf.util.checks import at_least, convert, convert_fields, wrong_type
from nst_tf.util.errors import InputError
from nst_tf.util.roles import role

NO_STYLE, EVERY_STYLE = "none", "all"
"""Values of ``style_of``: the region stays the photograph, or it takes every style that has it."""

REST = "rest"
"""Name of the region that consists of what no mask covers."""

WHOLE_PICTURE = ""
"""Name of the region that holds what belongs to whole pictures: their opaque parts and their semantic maps."""

NAME = re.compile(r"\w[\w .-]*")
"""Names of regions, which become parts of column names."""

_MASK_ROLE = role(in_fingerprint=False, in_run_name=False, takes="path")


class Propagation(Enum):
    """The positions of a layer that belong to a region; each position sees its receptive field of the picture.

    ``simple`` averages the mask over the cell of each position, with soft edges · ``inside`` takes the positions that
    see the region alone · ``all`` takes those that see any of it (Gatys et al. 2017). These two cut a soft mask at one
    half. ``means`` averages the mask over 3×3 positions for every convolution up to the layer, with 0 beyond the
    border, and over the cells of every pooling (Luan et al. 2017); it needs a network without branches, such as VGG.
    """

    simple = "simple"
    inside = "inside"
    all = "all"
    means = "means"


@dataclass(frozen=True, eq=False)
class RegionMasks:
    """One region of the optimised picture at one scale, with the styles that it takes.

    Attributes:
        name: Name of the region.
        share: Its share of each loss; those of all regions add up to 1.
        content: Mask ``(H, W)`` float32 in [0, 1] of the optimised picture; None for the whole picture.
        styles: ``style:1`` and so on to the mask ``(h, w)`` of that style, or to None for the whole style.
        propagation: See `Propagation`.
        grow: See `Regions.grow`.
        maps: ``content``, ``style:1`` and so on to the semantic map ``(H, W, 3)`` of the picture, or nothing.
    """

    name: str
    share: float
    content: np.ndarray | None
    styles: Mapping[str, np.ndarray | None]
    propagation: Propagation = Propagation.simple
    grow: int = 0
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)

    def extended(self, content_margin: int, style_margin: int) -> RegionMasks:
        """Return the region with its masks and maps extended by reflection, as the pictures are."""
        styles = {name: None if mask is None else extend_mask(mask, style_margin) for name, mask in self.styles.items()}
        content = None if self.content is None else extend_mask(self.content, content_margin)
        margins = dict.fromkeys(self.maps, style_margin) | {"content": content_margin}
        maps = {name: extend_map(each, margins[name]) for name, each in self.maps.items()}
        return replace(self, content=content, styles=styles, maps=maps)


@dataclass
class Regions:
    """Regions of the photograph, the styles that they take, and how masks reach the layers of the network.

    Without ``labels`` and ``masks`` the picture has no regions. Otherwise what no mask covers is the region ``rest``,
    which takes every style. Masks may have any size in the proportions of their picture; a mask with transparency is
    its alpha channel, any other its luminance, white inside the region.

    Attributes:
        labels: A picture of the photograph in one colour for each region. Colours closer than 0.1 count as one, and
            those of less than 0.5 % of the pixels join the nearest other. A region is called after its colour, such as
            ``blue`` or ``3366cc``.
        style_labels: The same for the style, or a list with one for each style, in which null stands for the whole
            style. A region takes the same colour of the styles. None takes whole styles.
        masks: Mask of the photograph by the name of a region. ``alpha`` is the photograph's own transparency.
        style_masks: Mask of the region's style by the name of the region, or a list with one for each style.
        colours: Colour in ``labels`` by the name that its region gets, such as ``{sky: blue}`` or ``{sky: "#3366cc"}``.
        style_of: Number of a style by the name of a region; ``none`` leaves the region the photograph, ``all`` takes
            every style that has the region, by shares. Default ``all``.
        weights: Factor of the losses by the name of a region, default 1; divided by their sum over the regions.
        propagation: See `Propagation`; default ``simple``.
        grow: Positions in each layer by which a region grows on every side; below 0, it shrinks. Default 0.
        blend: Passage from a region with ``style_of=none`` into the result, see `SeamBlend`; default ``gaussian``.
        seam: Width of that passage in pixels. Default 8.
        map: Semantic map of the photograph: a picture that has similar colours where things are of a kind. Losses that
            match patches (`nst_tf.losses.mrf.MRFLoss`) add the similarity of the maps to that of the features. It
            makes no regions.
        style_map: The same for the style, or a list with one for each style.

    Raises:
        InputError: A value is out of range; the message names its config key.

    Reference:
        Gatys, Ecker, Bethge, Hertzmann & Shechtman 2017, *Controlling Perceptual Factors in Neural Style Transfer*;
        Castillo et al. 2017, *Son of Zorn's Lemma: Targeted Style Transfer Using Instance-aware Semantic Segmentation*.
    """

    labels: Any = field(default=None, metadata=_MASK_ROLE)
    style_labels: Any = field(default=None, metadata=_MASK_ROLE)
    masks: Any = field(default=None, metadata=_MASK_ROLE)
    style_masks: Any = field(default=None, metadata=_MASK_ROLE)
    colours: Any = field(default=None, metadata=role(implied_value="null"))
    style_of: Any = field(default=None, metadata=role(implied_value="null"))
    weights: Any = field(default=None, metadata=role(implied_value="null"))
    propagation: Propagation = field(default=Propagation.simple, metadata=role(implied_value="simple"))
    grow: int = field(default=0, metadata=role(implied_value=0))
    blend: SeamBlend = field(default=SeamBlend.gaussian, metadata=role(in_objective=False, implied_value="gaussian"))
    seam: float = field(default=8.0, metadata=role(in_objective=False, implied_value=8.0))
    map: Any = field(default=None, metadata=_MASK_ROLE)
    style_map: Any = field(default=None, metadata=_MASK_ROLE)

    def __post_init__(self) -> None:
        convert_fields(self, "regions.", skip=("labels", "style_labels", "map", "style_map", *NAMED_KEYS))
        for key, kind in NAMED_KEYS.items():
            setattr(self, key, convert(f"regions.{key}", getattr(self, key), kind) or None)
        for key in MASK_KEYS:
            setattr(self, key, _as_masks(f"regions.{key}", getattr(self, key)))
        for key in ("labels", "style_labels", "map", "style_map"):
            _refuse_alpha(f"regions.{key}", getattr(self, key))
        at_least("regions.seam", self.seam, 0)
        for name, weight in self._named("weights").items():
            at_least(f"regions.weights.{name}", weight, 0)
        for name in {**self._named("masks"), **self._named("colours")}:
            if not NAME.fullmatch(name) or name == REST:
                raise InputError(f"regions: {name!r} cannot name a region. Use letters and digits, and not {REST!r}.")
        for name, style in self._named("style_of").items():
            _check_style_of(name, style)
        for name, colour in self._named("colours").items():
            parse_colour(f"regions.colours.{name}", colour)

    def _named(self, key: str) -> dict[str, Any]:
        """Return a setting by the names of regions, as a dictionary; empty for None."""
        return getattr(self, key) or {}

    @property
    def enabled(self) -> bool:
        """True if the photograph has regions."""
        return self.labels is not None or self.masks is not None

    def with_masks_read(self, limits: Limits) -> Regions:
        """Return a copy that holds the pictures of all masks in place of their paths.

        Raises:
            InputError: A picture cannot be read.
        """
        read = {
            key: _map_sources(getattr(self, key), functools.partial(_read, key=key, limits=limits)) for key in MASK_KEYS
        }
        return replace(self, **read)

    def with_source_texts(self) -> Regions:
        """Return a copy that holds the source of each picture in memory in its place."""
        return replace(self, **{key: _map_sources(getattr(self, key), source_text) for key in MASK_KEYS})

    def pictures(self) -> dict[str, Picture]:
        """Return the pictures of all masks by their role in the record, after `with_masks_read`, in a fixed order."""
        return dict(pair for key in MASK_KEYS for pair in _pictures_in(f"regions.{key}", getattr(self, key)))

    def at(
        self,
        content: Picture,
        styles: Sequence[Picture],
        shape: tuple[int, int],
        style_shapes: Sequence[tuple[int, int]],
    ) -> list[RegionMasks]:
        """Return the regions that take a style, with masks at the sizes of one scale.

        With semantic maps, all of them have the maps, and the last is `WHOLE_PICTURE`, for losses without regions.

        Args:
            content: The photograph.
            styles: The styles.
            shape: Height and width of the content.
            style_shapes: Height and width of each style.

        Raises:
            InputError: A mask is empty or does not fit its picture, or a region has no style.
        """
        masks = {name: mask for name, mask in self._content_masks(content).items() if not self._is_kept(name)}
        total = sum(self._named("weights").get(name, 1.0) for name in masks)
        if masks and not total:
            raise InputError(f"regions.weights={self.weights}: must not be 0 for every region that takes a style.")
        regions = [
            RegionMasks(
                name,
                self._named("weights").get(name, 1.0) / total,
                resize_mask(mask, *shape),
                {
                    f"style:{number}": None if part is None else resize_mask(part, *style_shapes[number - 1])
                    for number, part in self._style_parts(name, styles).items()
                },
                self.propagation,
                self.grow,
            )
            for name, mask in masks.items()
            if self._named("weights").get(name, 1.0)
        ]
        maps = semantic_maps(self.map, self.style_map, content, styles, shape, style_shapes)
        whole = [RegionMasks(WHOLE_PICTURE, 1.0, None, dict.fromkeys(maps))] if maps else []
        return [replace(region, maps=maps) for region in [*regions, *whole]]

    def check(self, content: Picture, styles: Sequence[Picture]) -> None:
        """Check every mask against its picture, at their own sizes.

        Raises:
            InputError: See `at`.
        """
        shapes = [style.pixels.shape[:2] for style in styles]
        self.at(content, styles, content.pixels.shape[:2], shapes)
        if self.enabled:
            return
        if given := [name for name in ("style_labels", "style_masks", "colours", "style_of") if getattr(self, name)]:
            raise InputError(f"regions.{given[0]}: needs the content's regions. Set regions.labels or regions.masks.")

    def names(self, content: Picture) -> list[str]:
        """Return the names of the regions that take a style."""
        names = self._content_masks(content)
        return [name for name in names if not self._is_kept(name) and self._named("weights").get(name, 1.0)]

    def kept(
        self, content: Picture, height: int, width: int, scale: float = 1.0, result: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Return how much of the photograph the result keeps, ``(height, width)`` in [0, 1]; None for nothing.

        Args:
            content: The photograph.
            height: Rows of the result.
            width: Columns of the result.
            scale: Fraction of the full size, for the width of the seam.
            result: The result before the photograph is put in, ``(height, width, 3)``; ``blend=mrf`` alone needs it.
        """
        masks = [mask for name, mask in self._content_masks(content).items() if self._is_kept(name)]
        if not masks:
            return None
        union = np.clip(sum(resize_mask(mask, height, width) for mask in masks), 0, 1)
        if self.blend is SeamBlend.hard:
            return cut_at_half(union)
        if self.blend is SeamBlend.gaussian:
            return soften(union, self.seam * scale)
        assert result is not None
        return least_visible_cut(union, resize(content.pixels, height, width), result, self.seam * scale)

    @property
    def seam_follows_result(self) -> bool:
        """True if `kept` needs the result."""
        return self.keeps_content and self.blend is SeamBlend.mrf

    @property
    def keeps_content(self) -> bool:
        """True if a region stays the photograph."""
        return any(self._is_kept(name) for name in self._named("style_of"))

    def _is_kept(self, name: str) -> bool:
        return self._named("style_of").get(name, EVERY_STYLE) in (NO_STYLE, None)

    def _content_masks(self, content: Picture) -> dict[str, np.ndarray]:
        """Return the mask of each region at its own size, those of ``labels`` first and ``rest`` last."""
        if not self.enabled:
            return {}
        masks = {
            name: mask_of(m, content, f"regions.masks.{name}", "the content")
            for name, m in self._named("masks").items()
        }
        masks = self._labelled(content) | masks
        shape = max((mask.shape for mask in masks.values()), key=lambda size: size[0] * size[1])
        rest = np.clip(1 - sum(resize_mask(mask, *shape) for mask in masks.values()), 0, 1)
        if rest.max() > 0.5:
            masks[REST] = rest
        for key in ("style_of", "style_masks", "weights"):
            for name in self._named(key):
                if name not in masks:
                    raise InputError(f"regions.{key}.{name}: no such region; there are: {', '.join(masks)}")
        return masks

    def _labelled(self, content: Picture) -> dict[str, np.ndarray]:
        if self.labels is None:
            if self.colours:
                raise InputError(f"regions.colours={self.colours}: needs regions.labels, whose colours it names.")
            return {}
        check_proportions(self.labels, content, "regions.labels", "the content")
        label_map = read_label_map(self.labels)
        masks = {name: label_map.mask(colour) for name, colour in self._label_colours().items()}
        return {name: mask for name, mask in masks.items() if mask is not None}

    def _label_colours(self) -> dict[str, np.ndarray]:
        """Return the colours of the content's label map by the names of their regions."""
        found = dict(read_label_map(self.labels).colours) if self.labels is not None else {}
        for name, colour in self._named("colours").items():
            wanted = parse_colour(f"regions.colours.{name}", colour)
            old = next((key for key, value in found.items() if is_same_colour(value, wanted)), None)
            if old is None:
                raise InputError(
                    f"regions.colours.{name}={colour}: {self.labels.source!r} (regions.labels) has no such colour; "
                    f"it has {', '.join(found)}"
                )
            found = {name if key == old else key: value for key, value in found.items()}
        return found

    def _style_parts(self, name: str, styles: Sequence[Picture]) -> dict[int, np.ndarray | None]:
        """Return the numbers of the styles that a region takes, each with its mask; None for a whole style."""
        chosen = self._named("style_of").get(name, EVERY_STYLE)
        every = chosen == EVERY_STYLE
        numbers = range(1, len(styles) + 1) if every else [int(chosen)]
        if numbers and max(numbers) > len(styles):
            raise InputError(f"regions.style_of.{name}={chosen}: the run has {len(styles)} style(s).")
        if name in self._named("style_masks"):
            return {n: self._style_mask(name, n, numbers, styles) for n in numbers}
        parts = {n: self._style_labels(name, n, styles) for n in numbers}
        present = {n: mask for n, mask in parts.items() if mask is None or mask.any()}
        if not present:
            raise InputError(
                f"regions.style_labels: the region {name!r} has a colour that "
                f"{'no style has' if every else f'style {chosen} has not'}. Paint it there, or set "
                f"regions.style_of.{name}=none, which leaves the region the photograph."
            )
        return present

    def _style_mask(self, name: str, number: int, numbers: Sequence[int], styles: Sequence[Picture]) -> Any:
        masks, key = self._named("style_masks")[name], f"regions.style_masks.{name}"
        if not isinstance(masks, list):
            if len(numbers) > 1:
                raise InputError(f"{key}: give a list with a mask for each style, or set regions.style_of.{name}.")
            masks = [masks] * len(styles)
        if len(masks) != len(styles):
            raise InputError(f"{key}: has {len(masks)} masks for {len(styles)} style(s). Give one for each style.")
        mask = masks[number - 1]
        return None if mask is None else mask_of(mask, styles[number - 1], key, f"style {number}")

    def _style_labels(self, name: str, number: int, styles: Sequence[Picture]) -> np.ndarray | None:
        """Return a style's part of the region's colour, all 0 if it has none; None for the whole style."""
        maps = self.style_labels if isinstance(self.style_labels, list) else [self.style_labels] * len(styles)
        if len(maps) != len(styles):
            raise InputError(
                f"regions.style_labels: has {len(maps)} label maps for {len(styles)} style(s). Give one for each, or "
                "null for a style without."
            )
        labels, colours = maps[number - 1], self._label_colours()
        if labels is None or name not in colours:
            return None
        check_proportions(labels, styles[number - 1], "regions.style_labels", f"style {number}")
        mask = read_label_map(labels).mask(colours[name])
        return np.zeros(labels.pixels.shape[:2], np.float32) if mask is None else mask


NAMED_KEYS = {
    "masks": dict[str, Any] | None,
    "style_masks": dict[str, Any] | None,
    "colours": dict[str, str] | None,
    "style_of": dict[str, Any] | None,
    "weights": dict[str, float] | None,
}
"""Settings by the names of regions, and their types. Their fields take any value, so that each can be typed whole."""

MASK_KEYS = tuple(each.name for each in fields(Regions) if each.metadata == _MASK_ROLE)
"""Settings that hold masks, alone, in lists or by the name of a region."""


def _check_style_of(name: str, style: Any) -> None:
    is_number = isinstance(style, int) and not isinstance(style, bool) and style >= 1
    if not is_number and style not in (NO_STYLE, EVERY_STYLE, None):
        raise InputError(
            f"regions.style_of.{name}={style!r}: must be the number of a style from 1 on, {NO_STYLE} or {EVERY_STYLE}."
        )


def _map_sources(value: Any, change: Callable[[Any], Any]) -> Any:
    """Apply a function to each source in a setting that holds one, a list of them, or either by name."""
    if isinstance(value, dict):
        return {name: _map_sources(item, change) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map_sources(item, change) for item in value]
    return None if value is None else change(value)


def _as_masks(key: str, value: Any) -> Any:
    def convert(item: Any) -> Any:
        source = as_source(key, item)
        if source is None:
            raise wrong_type(key, item, f"a path, sample:NAME or {ALPHA}")
        return source

    return _map_sources(value, convert)


def _refuse_alpha(key: str, value: Any) -> None:
    """Refuse the transparency of a picture as its label map or semantic map."""
    if ALPHA in (value if isinstance(value, list) else [value]):
        raise InputError(f"{key}={ALPHA}: must be a picture of colours. Set regions.masks for the transparency.")


def _read(source: str | Picture, key: str, limits: Limits) -> str | Picture:
    return source if source == ALPHA else read_picture(source, f"regions.{key}", limits)


def mask_sources(settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the sources of the pictures that settings of regions name as plain values, by their role in the record.

    The roles are those of `Regions.pictures`, without the numbers of pictures in a list.
    """
    sources: dict[str, list[str]] = {}
    for key in MASK_KEYS:
        value = settings.get(key)
        named = {f"regions.{key}.{name}": item for name, item in value.items()} if isinstance(value, dict) else {}
        for role_name, item in (named or {f"regions.{key}": value}).items():
            items = item if isinstance(item, list) else [item]
            sources[role_name] = [source for source in items if source not in (None, ALPHA)]
    return {name: found for name, found in sources.items() if found}


def _pictures_in(place: str, value: Any) -> Iterator[tuple[str, Picture]]:
    """Yield the pictures in a setting, each with its place."""
    if isinstance(value, dict):
        for name in sorted(value):
            yield from _pictures_in(f"{place}.{name}", value[name])
    elif isinstance(value, list):
        for number, item in enumerate(value, start=1):
            yield from _pictures_in(f"{place}:{number}", item)
    elif isinstance(value, Picture):
        yield place, value
