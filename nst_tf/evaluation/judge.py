"""One fixed network for all pictures, and the scores it and plain measures give."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nst_tf.backbones import VGG19, Backbone
from nst_tf.backbones.weights import SOURCES
from nst_tf.evaluation.measures import histogram, histogram_distance, similarity, total_variation
from nst_tf.images import Canvas, Fit, Picture
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import gram, positions, reciprocal

CONTENT_LAYER = "conv4_2"
STYLE_LAYERS = tuple(f"conv{block}_1" for block in range(1, 6))
REMEMBERED = 4
"""Photographs with their paintings, at one size each, whose features a judge keeps."""


@dataclass(frozen=True)
class Scores:
    """What the judge says of a picture; None where it has no photograph, or no painting, to compare with.

    Attributes:
        content: ``mean((F − P)²) / mean(P²)`` at conv4_2, P of the photograph at the picture's size; 0 is the
            photograph.
        style: Mean over conv1_1 … conv5_1 of ``mean((G − A)²) / mean(A²)``, Gram matrices divided by H·W, A of the
            painting; over several paintings, the mean by their shares; 0 is the painting's style.
        style_ratio: ``style`` over that of the photograph itself: 1 is an untouched photograph.
        ssim: `similarity` to the photograph; 1 is the photograph.
        histogram_distance: `histogram_distance` to the painting, or the mean by shares; 0 is its colours, 1 the most.
        total_variation: `total_variation` of the picture, from 0 to 2.
        judge: Whose features they are.
    """

    content: float | None
    style: float | None
    style_ratio: float | None
    ssim: float | None
    histogram_distance: float | None
    total_variation: float
    judge: str

    def __str__(self) -> str:
        """One line: who judged, and what was said."""
        said = {name: value for name, value in asdict(self).items() if isinstance(value, float)}
        return f"{self.judge}: " + ", ".join(f"{name} {value:.3g}" for name, value in said.items())


@dataclass(frozen=True)
class Seen:
    """What the network says of a picture: features at `CONTENT_LAYER`, and by style layer ``FᵀF / (H·W)``."""

    content: tf.Tensor
    grams: dict[str, tf.Tensor]


@dataclass(frozen=True)
class Reference:
    """What pictures of one size are compared with.

    Attributes:
        photograph: ``(H, W, 3)``; None where there is none.
        of_photograph: What the network sees in it.
        of_paintings: What it sees in each painting.
        histograms: Of each painting at its own size.
    """

    photograph: np.ndarray | None
    of_photograph: Seen | None
    of_paintings: list[Seen]
    histograms: list[np.ndarray]


class Judge:
    """A fixed network that scores pictures, so that losses of different networks and formulas compare.

    What photograph and paintings look like to it is computed once for all pictures of a size. Features are let go as
    soon as they have been looked at, so that they are never all held at once.

    Args:
        backbone: Its features; VGG-19 as trained by default.
    """

    def __init__(self, backbone: Backbone | None = None) -> None:
        backbone = backbone or VGG19()
        self.name = _name(backbone)
        self._extractor = backbone.extractor([CONTENT_LAYER, *STYLE_LAYERS])
        self._references: dict[tuple[str, ...], Reference] = {}
        any_size = tf.TensorSpec([1, None, None, 3], tf.float32)
        self._look = tf.function(self._represent, input_signature=[any_size], autograph=False)

    def scores(
        self,
        picture: np.ndarray,
        content: Picture | None,
        styles: Sequence[Picture],
        shares: Sequence[float] | None = None,
    ) -> Scores:
        """Score a picture.

        Args:
            picture: ``(H, W, 3)`` in [0, 1].
            content: The photograph; it is brought to the picture's size. None for a picture made without one.
            styles: The paintings; each long side becomes the picture's, but is never enlarged. May be empty.
            shares: One share a painting, summing to 1; equal by default.

        Returns:
            See `Scores`.

        Raises:
            InputError: A picture is too small for the network.
        """
        reference = self._reference(picture, content, styles)
        seen = self._see(picture[None])
        shares = shares or [1 / len(styles) for _ in styles]
        return Scores(
            **_to_photograph(picture, seen, reference),
            **_to_paintings(picture, seen, reference, shares),
            total_variation=total_variation(picture),
            judge=self.name,
        )

    def _reference(self, picture: np.ndarray, content: Picture | None, styles: Sequence[Picture]) -> Reference:
        """What to compare with, from memory where the same was asked for lately."""
        key = (f"{picture.shape[:2]}", "" if content is None else _identity(content), *map(_identity, styles))
        found = self._references.pop(key, None) or self._compute(picture, content, styles)
        self._references[key] = found  # the latest stands last
        for oldest in list(self._references)[:-REMEMBERED]:
            del self._references[oldest]
        return found

    def _compute(self, picture: np.ndarray, content: Picture | None, styles: Sequence[Picture]) -> Reference:
        canvas = Canvas(size=max(picture.shape[:2]), fit=Fit.exact, height=picture.shape[0], width=picture.shape[1])
        photograph = None if content is None else canvas.content(content)
        paintings = canvas.styles(styles, picture[None])
        return Reference(
            photograph=None if photograph is None else photograph[0],
            of_photograph=None if photograph is None else self._see(photograph),
            of_paintings=[self._see(painting) for painting in paintings],
            histograms=[histogram(style.pixels) for style in styles],
        )

    def _see(self, image: np.ndarray) -> Seen:
        height, width = image.shape[1:3]
        if min(height, width) < self._extractor.minimum_size:
            raise InputError(
                f"Picture of {width}×{height} pixels is too small for the judge {self.name}; "
                f"each side needs at least {self._extractor.minimum_size}"
            )
        return Seen(*self._look(tf.constant(image, tf.float32)))

    def _represent(self, image: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        features = self._extractor(image)
        return features[CONTENT_LAYER], {
            layer: gram(features[layer]) / positions(features[layer]) for layer in STYLE_LAYERS
        }


def _name(backbone: Backbone) -> str:
    """``vgg19, imagenet``; a file by its name and the first digits of its SHA-256, wherever it lies."""
    if backbone.weights in SOURCES:
        return f"{backbone.name}, {backbone.weights}"
    return f"{backbone.name}, {Path(backbone.weights).name} {backbone.identity()['sha256']:.8}"


def _identity(picture: Picture) -> str:
    return picture.sha256 or hashlib.sha256(picture.pixels.tobytes()).hexdigest()


def _to_photograph(picture: np.ndarray, seen: Seen, reference: Reference) -> dict[str, float | None]:
    if reference.photograph is None or reference.of_photograph is None:
        return {"content": None, "ssim": None}
    content = _relative(seen.content, reference.of_photograph.content)
    return {"content": content, "ssim": similarity(picture, reference.photograph)}


def _to_paintings(
    picture: np.ndarray, seen: Seen, reference: Reference, shares: Sequence[float]
) -> dict[str, float | None]:
    if not reference.of_paintings:
        return {"style": None, "style_ratio": None, "histogram_distance": None}
    of_picture = histogram(picture)
    style = _style(seen, reference.of_paintings, shares)
    of_photograph = reference.of_photograph
    untouched = None if of_photograph is None else _style(of_photograph, reference.of_paintings, shares)
    distances = [histogram_distance(of_picture, of_painting) for of_painting in reference.histograms]
    return {
        "style": style,
        "style_ratio": style / untouched if untouched else None,
        "histogram_distance": float(np.dot(shares, distances)),
    }


def _style(seen: Seen, paintings: Sequence[Seen], shares: Sequence[float]) -> float:
    """Relative distance of Gram matrices: a mean over layers, by shares over paintings."""
    distances = [
        np.mean([_relative(seen.grams[layer], painting.grams[layer]) for layer in STYLE_LAYERS])
        for painting in paintings
    ]
    return float(np.dot(shares, distances))


def _relative(x: tf.Tensor, target: tf.Tensor) -> float:
    """``mean((x − t)²) / mean(t²)``."""
    return float(tf.reduce_mean(tf.square(x - target)) * reciprocal(tf.reduce_mean(tf.square(target))))
