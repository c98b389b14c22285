"""The files that a config names: pictures and weights, read, checked and identified by their hashes."""

import dataclasses
from typing import Any

from nst_tf.config.tree import Config, Method
from nst_tf.feedforward import style_scale
from nst_tf.images import Picture, read_picture
from nst_tf.optimization.terms import active_losses, tapped_layers
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
    styles = [_read_style(config, style) for style in config.styles]
    return styles[0] if config.content is None else _read_content(config), styles


def _read_content(config: Config) -> Picture:
    return read_picture(config.content, "content", config.image.limits, config.image.content_scale)


def _read_style(config: Config, style: str | Picture) -> Picture:
    scale = style_scale if config.method is Method.feedforward else config.image.style_size_scale
    return read_picture(style, "style", config.image.limits, scale)


def _required_pictures(config: Config) -> set[str]:
    """Return the pictures that the losses refer to, such as ``content`` and ``style:1``."""
    if config.method is Method.feedforward:
        return {"content", "style:1"}
    style_count = len(config.styles) or 1
    return {name for loss in active_losses(config.losses).values() for name in loss.references(style_count)}


def with_pictures_read(config: Config) -> Config:
    """Return a config that holds the pictures of content, styles and start in place of their paths.

    Each file is then read once, and before TensorFlow is loaded.

    Raises:
        InputError: See `read_inputs`; or a picture of the start cannot be read.
    """
    content, styles = read_inputs(config)
    style: Any = styles + config.style[len(styles) :] if isinstance(config.style, list) else next(iter(styles), None)
    image = config.image.with_start_read() if config.method is Method.optimize else config.image
    return dataclasses.replace(config, content=None if config.content is None else content, style=style, image=image)


def input_record(config: Config) -> dict[str, dict[str, str]]:
    """Return the source, the SHA-256 and the path of each picture: content, styles, and those of the start.

    Args:
        config: A config that holds its pictures, from `with_pictures_read`.
    """
    pictures: dict[str, Any] = {} if config.content is None else {"content": config.content}
    pictures |= {f"style:{n}": style for n, style in enumerate(config.styles, start=1)}
    starts = config.image.start_pictures if config.method is Method.optimize else []
    pictures |= {f"start:{n}": start for n, start in enumerate(starts, start=1)}
    return {role: _picture_record(picture) for role, picture in pictures.items()}


def _picture_record(picture: Picture) -> dict[str, str]:
    path = {} if picture.path is None else {"path": picture.path}
    return {"source": picture.source, "sha256": picture.sha256} | path


def weights_identity(config: Config) -> dict[str, str | None] | None:
    """Return the identity of the network's weights, or None if no loss reads its features."""
    if config.method is Method.feedforward:
        return config.feedforward.identity()
    return config.backbone.identity() if tapped_layers(config.losses) else None
