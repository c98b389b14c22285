"""The judge: one fixed network that scores every picture by its features, together with measures of the pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Protocol

import numpy as np

from nst_tf.backbones import VGG19, Backbone
from nst_tf.backbones.weights import WEIGHT_KEYWORDS
from nst_tf.evaluation.measures import histogram, histogram_distance, ssim, total_variation
from nst_tf.images import Canvas, Fit, Picture
from nst_tf.util.compilation import compile_function
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import gram, positions, reciprocal

CONTENT_LAYER = "conv4_2"
STYLE_LAYERS = tuple(f"conv{block}_1" for block in range(1, 6))
MAX_REFERENCES = 4
"""Number of references (a content and its styles at one size) that a judge keeps in its cache."""


@dataclass(frozen=True)
class Scores:
    """Scores of a picture. A score is None if the content or the styles that it needs are missing.

    Attributes:
        content: ``mean((F − P)²) / mean(P²)`` at conv4_2, where P are the features of the content at the picture's
            size; 0 for the content itself.
        style: Mean over conv1_1 … conv5_1 of ``mean((G − A)²) / mean(A²)``, where G and A are the Gram matrices of
            picture and style divided by H·W; for several styles, the mean weighted by shares; 0 for the style itself.
        style_ratio: ``style`` divided by the ``style`` of the content itself; 1 for an unchanged content.
        ssim: Structural similarity of picture and content, `nst_tf.evaluation.measures.ssim`; 1 for the content itself.
        histogram_distance: Distance from the style's colours, `nst_tf.evaluation.measures.histogram_distance`; for
            several styles, the mean weighted by shares; from 0 (equal colours) to 1.
        total_variation: Total variation of the picture, `nst_tf.evaluation.measures.total_variation`, from 0 to 2.
        judge: Name of the network, with its weights.
        further: Scores of the further measures that were asked for, by the names of the measures.
        files: SHA-256 of the weights files of further measures, by the settings that name them.
    """

    content: float | None
    style: float | None
    style_ratio: float | None
    ssim: float | None
    histogram_distance: float | None
    total_variation: float
    judge: str
    further: Mapping[str, float | None] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, float | str | None]:
        """Return all scores by name, and under ``judge`` the name of the judge; see `score_names`."""
        own = {name: getattr(self, name) for name in score_names()}
        return {**own, **self.further, "judge": self.judge}

    def __str__(self) -> str:
        """Return the judge and the scores that are not None in one line."""
        numbers = {name: value for name, value in self.as_dict().items() if isinstance(value, float)}
        return f"{self.judge}: " + ", ".join(f"{name} {value:.3g}" for name, value in numbers.items())


def score_names(further: Sequence[str] = ()) -> list[str]:
    """Return the names of the scores that every judge gives, then those of further measures."""
    texts = ("judge", "further", "files")
    return [*(entry.name for entry in fields(Scores) if entry.name not in texts), *further]


class Measure(Protocol):
    """A measure beside those that every judge computes.

    Attributes:
        name: Name of the score. It names the weights of the measure's network, so that scores of different weights
            have different names.
    """

    @property
    def name(self) -> str:
        """Name of the score."""

    def score(
        self, picture: np.ndarray, content: np.ndarray | None, styles: Sequence[Picture], shares: Sequence[float]
    ) -> float | None:
        """Return the score of a picture ``(H, W, 3)`` against a content of its size and styles of any size.

        None stands for a score whose content or styles are missing.
        """


@dataclass(frozen=True)
class JudgedFeatures:
    """The judge's features of a picture.

    Attributes:
        content: Features ``(1, H, W, C)`` at `CONTENT_LAYER`.
        grams: Gram matrices ``FᵀF / (H·W)`` of `STYLE_LAYERS`, each ``(1, C, C)``.
    """

    content: tf.Tensor
    grams: dict[str, tf.Tensor]


@dataclass(frozen=True)
class Reference:
    """The content and the styles that pictures of one size are compared with.

    Attributes:
        content: Pixels ``(H, W, 3)`` of the content at the picture's size; None without a content.
        content_features: The judge's features of the content; None without a content.
        style_features: The judge's features of each style.
        style_histograms: Histogram of each style at its own size.
    """

    content: np.ndarray | None
    content_features: JudgedFeatures | None
    style_features: list[JudgedFeatures]
    style_histograms: list[np.ndarray]


class Judge:
    """A fixed network that scores pictures, so that the results of different networks and losses compare.

    The reference is computed once for all pictures of a size. A picture is represented by the features of one layer and
    the Gram matrices of the others, so that the features of all layers are never in memory together.

    Args:
        backbone: Network whose features are compared; VGG-19 with Keras's ImageNet weights by default.
        measures: Further measures; none by default.
        files: SHA-256 of the weights files of the measures, by setting.
    """

    def __init__(
        self,
        backbone: Backbone | None = None,
        measures: Sequence[Measure] = (),
        files: Mapping[str, str] | None = None,
    ) -> None:
        backbone = backbone or VGG19()
        self.name = _judge_name(backbone)
        self.measures = tuple(measures)
        self.files = dict(files or {})
        self._extractor = backbone.extractor([CONTENT_LAYER, *STYLE_LAYERS])
        self._references: dict[tuple[str, ...], Reference] = {}
        any_size = tf.TensorSpec([1, None, None, 3], tf.float32)
        self._compiled_features = compile_function(self._content_and_grams, input_signature=[any_size])

    def scores(
        self,
        picture: np.ndarray,
        content: Picture | None,
        styles: Sequence[Picture],
        shares: Sequence[float] | None = None,
    ) -> Scores:
        """Score a picture.

        Args:
            picture: Pixels ``(H, W, 3)`` in [0, 1].
            content: The content, which is resized to the picture's size; None for a picture made without one.
            styles: The styles; may be empty. A style whose long side exceeds the picture's is shrunk to it.
            shares: One share for each style, with sum 1; equal by default.

        Returns:
            The scores; a score without a picture to compare with is None.

        Raises:
            InputError: A picture is too small for the network.
        """
        reference = self._reference(picture, content, styles)
        features = self._features(picture[None])
        shares = shares or [1 / len(styles) for _ in styles]
        return Scores(
            **_content_scores(picture, features, reference),
            **_style_scores(picture, features, reference, shares),
            total_variation=total_variation(picture),
            judge=self.name,
            further={
                measure.name: measure.score(picture, reference.content, styles, shares) for measure in self.measures
            },
            files=self.files,
        )

    def _reference(self, picture: np.ndarray, content: Picture | None, styles: Sequence[Picture]) -> Reference:
        """Return the reference from the cache, or compute it; the cache drops the least recently used."""
        key = (f"{picture.shape[:2]}", "" if content is None else picture_sha256(content), *map(picture_sha256, styles))
        reference = self._references.pop(key, None) or self._compute_reference(picture, content, styles)
        self._references[key] = reference  # the most recently used is the last
        for oldest in list(self._references)[:-MAX_REFERENCES]:
            del self._references[oldest]
        return reference

    def _compute_reference(self, picture: np.ndarray, content: Picture | None, styles: Sequence[Picture]) -> Reference:
        canvas = Canvas(size=max(picture.shape[:2]), fit=Fit.exact, height=picture.shape[0], width=picture.shape[1])
        content_image = None if content is None else canvas.content(content)
        style_images = canvas.styles(styles, picture[None])
        return Reference(
            content=None if content_image is None else content_image[0],
            content_features=None if content_image is None else self._features(content_image),
            style_features=[self._features(image) for image in style_images],
            style_histograms=[histogram(style.pixels) for style in styles],
        )

    def _features(self, image: np.ndarray) -> JudgedFeatures:
        height, width = image.shape[1:3]
        if min(height, width) < self._extractor.minimum_size:
            raise InputError(
                f"Picture of {width}×{height} pixels is too small for the judge {self.name}; "
                f"each side needs at least {self._extractor.minimum_size} pixels. Choose a larger image.size."
            )
        return JudgedFeatures(*self._compiled_features(tf.constant(image, tf.float32)))

    def _content_and_grams(self, image: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        features = self._extractor(image)
        return features[CONTENT_LAYER], {
            layer: gram(features[layer]) / positions(features[layer]) for layer in STYLE_LAYERS
        }


def _judge_name(backbone: Backbone) -> str:
    """Return ``vgg19, imagenet``, or for a weights file its name and the first eight digits of its SHA-256."""
    if backbone.weights in WEIGHT_KEYWORDS:
        return f"{backbone.name}, {backbone.weights}"
    return f"{backbone.name}, {Path(backbone.weights).name} {backbone.identity()['sha256']:.8}"


def picture_sha256(picture: Picture) -> str:
    """Return the SHA-256 of a picture's file, or of its pixels if it has no file."""
    return picture.sha256 or hashlib.sha256(picture.pixels.tobytes()).hexdigest()


def _content_scores(picture: np.ndarray, features: JudgedFeatures, reference: Reference) -> dict[str, float | None]:
    if reference.content is None or reference.content_features is None:
        return {"content": None, "ssim": None}
    content = _relative_distance(features.content, reference.content_features.content)
    return {"content": content, "ssim": ssim(picture, reference.content)}


def _style_scores(
    picture: np.ndarray, features: JudgedFeatures, reference: Reference, shares: Sequence[float]
) -> dict[str, float | None]:
    if not reference.style_features:
        return {"style": None, "style_ratio": None, "histogram_distance": None}
    style = _style_distance(features, reference.style_features, shares)
    content = reference.content_features
    unchanged = None if content is None else _style_distance(content, reference.style_features, shares)
    colours = histogram(picture)
    distances = [histogram_distance(colours, style_colours) for style_colours in reference.style_histograms]
    return {
        "style": style,
        "style_ratio": style / unchanged if unchanged else None,
        "histogram_distance": float(np.dot(shares, distances)),
    }


def _style_distance(features: JudgedFeatures, styles: Sequence[JudgedFeatures], shares: Sequence[float]) -> float:
    """Compute the relative distance of the Gram matrices: the mean over layers, then over styles by shares."""
    distances = [
        np.mean([_relative_distance(features.grams[layer], style.grams[layer]) for layer in STYLE_LAYERS])
        for style in styles
    ]
    return float(np.dot(shares, distances))


def _relative_distance(x: tf.Tensor, target: tf.Tensor) -> float:
    """Compute ``mean((x − t)²) / mean(t²)``."""
    return float(tf.reduce_mean(tf.square(x - target)) * reciprocal(tf.reduce_mean(tf.square(target))))
