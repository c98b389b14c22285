"""The files that a config names: pictures and weights, read, checked and identified by their hashes."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from nst_tf.config.tree import Config, Method
from nst_tf.feedforward import style_scale
from nst_tf.images import Picture, read_picture
from nst_tf.optimization.phases import active_in, tapped_in
from nst_tf.util.errors import InputError


def read_inputs(config: Config) -> tuple[Picture, list[Picture]]:
    """Return the pictures of an experiment: the content, and a list of the styles.

    If no loss refers to the content and none is given, the first style takes its place and determines the shape.

    Raises:
        InputError: A picture that a loss refers to is not given, or a picture cannot be read.
    """
    required = _required_pictures(config)
    if config.content is None and ("content" in required or not config.styles):
        raise InputError("content is missing: give content=PATH or content=sample:NAME")
    if not config.styles and required - {"content"}:
        raise InputError("style is missing: give style=PATH or style=sample:NAME")
    styles = [_read_style(config, style, number) for number, style in enumerate(config.styles, start=1)]
    return styles[0] if config.content is None else _read_content(config), styles


def _read_content(config: Config) -> Picture:
    return read_picture(config.content, "content", config.image.limits, config.image.content_scale)


def _read_style(config: Config, style: str | Picture, number: int) -> Picture:
    if config.method is Method.feedforward:
        return read_picture(style, "style", config.image.limits, style_scale)
    scale = functools.partial(config.image.style_size_scale, number=number)
    return read_picture(style, "style", config.image.limits, scale)


def _required_pictures(config: Config) -> set[str]:
    """Return the pictures that the losses refer to, such as ``content`` and ``style:1``."""
    if config.method is not Method.optimize:
        return {"content", "style:1"}
    style_count = len(config.styles) or 1
    losses = active_in(config.schedule.plan(), config.losses)
    return {name for loss in losses for name in loss.references(style_count)}


def with_pictures_read(config: Config, record: Mapping[str, Any] | None = None) -> Config:
    """Return a config that holds its pictures in place of their paths, and the numbers that depend on the content.

    Each file is then read once, and before TensorFlow is loaded.

    Args:
        config: An experiment with the paths of its pictures.
        record: Content of `run.json` of the run that is resumed, which keeps its margin; empty for a new run.

    Raises:
        InputError: See `read_inputs`; or a picture of the start or of the colours, or a mask, cannot be read; or a mask
            does not fit.
    """
    content, styles = read_inputs(config)
    style: Any = styles + config.style[len(styles) :] if isinstance(config.style, list) else next(iter(styles), None)
    image = config.image.resolved(content, record.get("margin", 0) if record else None)
    image = image.with_colours_read(styles)
    regions = config.regions
    if config.method is Method.optimize:
        image, regions = image.with_start_read(), regions.with_masks_read(config.image.limits)
        regions.check(content, styles)
    changes = {"style": style, "image": image, "regions": regions}
    return dataclasses.replace(config, content=None if config.content is None else content, **changes)


def input_record(config: Config) -> dict[str, dict[str, str]]:
    """Return the source, the SHA-256 and the path of each picture: content, styles, start, colours and masks.

    Args:
        config: A config that holds its pictures, from `with_pictures_read`.
    """
    pictures: dict[str, Any] = {} if config.content is None else {"content": config.content}
    pictures |= {f"style:{n}": style for n, style in enumerate(config.styles, start=1)}
    starts = config.image.start_pictures if config.method is Method.optimize else []
    pictures |= {f"start:{n}": start for n, start in enumerate(starts, start=1)}
    pictures |= {} if config.image.colour_from is None else {"colour_from": config.image.colour_from}
    pictures |= config.regions.pictures() if config.method is Method.optimize else {}
    return {role: _picture_record(picture) for role, picture in pictures.items()}


def _picture_record(picture: Picture) -> dict[str, str]:
    path = {} if picture.path is None else {"path": picture.path}
    return {"source": picture.source, "sha256": picture.sha256} | path


def weights_identity(config: Config) -> dict[str, str | None] | None:
    """Return the identity of the network's weights, or None if nothing reads its features."""
    if config.method is Method.feedforward:
        return config.feedforward.identity()
    if config.method is Method.recolour:
        return None
    return config.backbone.identity() if tapped_in(config.schedule.plan(), config.losses) else None
