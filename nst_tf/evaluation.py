"""The judge: how close a picture is to its photograph and its painting, whatever network or loss made it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from nst_tf.backbones import VGG19, Backbone
from nst_tf.images import Canvas, Fit, Picture
from nst_tf.tensors import gram, positions

CONTENT_LAYER = "conv4_2"
STYLE_LAYERS = tuple(f"conv{block}_1" for block in range(1, 6))


@dataclass(frozen=True)
class Scores:
    """What the judge says of a picture; lower is closer, 0 is the same.

    Attributes:
        content: ``mean((F − P)²) / mean(P²)`` at conv4_2, P of the photograph at the picture's size.
        style: Mean over conv1_1 … conv5_1 of ``mean((G − A)²) / mean(A²)``, Gram matrices divided by H·W, A of the
            painting; over several paintings, the mean by their shares.
        style_ratio: ``style`` over that of the photograph itself: 1 is an untouched photograph.
        judge: Whose features they are.
    """

    content: float
    style: float
    style_ratio: float
    judge: str


class Judge:
    """A fixed network that scores pictures, so that losses of different networks and formulas compare.

    Args:
        backbone: Its features; VGG-19 as trained by default.
    """

    def __init__(self, backbone: Backbone | None = None) -> None:
        backbone = backbone or VGG19()
        self.name = f"{backbone.name}, {backbone.weights}"
        self._extractor = backbone.extractor([CONTENT_LAYER, *STYLE_LAYERS])

    def scores(
        self, picture: np.ndarray, content: Picture, styles: Sequence[Picture], shares: Sequence[float] | None = None
    ) -> Scores:
        """Score a picture.

        Args:
            picture: ``(H, W, 3)`` in [0, 1].
            content: The photograph; it is brought to the picture's size.
            styles: The paintings; each long side becomes the picture's, but is never enlarged.
            shares: One share a painting, summing to 1; equal by default.

        Returns:
            See `Scores`.
        """
        canvas = Canvas(size=max(picture.shape[:2]), fit=Fit.exact, height=picture.shape[0], width=picture.shape[1])
        photograph = canvas.content(content)
        paintings = [self._grams(self._features(style)) for style in canvas.styles(styles, photograph)]
        x, p = self._features(picture[None]), self._features(photograph)
        shares = shares or [1 / len(styles)] * len(styles)
        style, untouched = (_style(self._grams(features), paintings, shares) for features in (x, p))
        content_score = _relative(x[CONTENT_LAYER], p[CONTENT_LAYER])
        return Scores(content_score, style, style / untouched if untouched else 0.0, self.name)

    def _features(self, image: np.ndarray) -> dict[str, tf.Tensor]:
        return self._extractor(tf.constant(image, tf.float32))

    def _grams(self, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {layer: gram(features[layer]) / positions(features[layer]) for layer in STYLE_LAYERS}


def _style(grams: dict[str, tf.Tensor], paintings: Sequence[dict[str, tf.Tensor]], shares: Sequence[float]) -> float:
    distances = [
        np.mean([_relative(grams[layer], painting[layer]) for layer in STYLE_LAYERS]) for painting in paintings
    ]
    return float(np.dot(shares, distances))


def _relative(x: tf.Tensor, target: tf.Tensor) -> float:
    """``mean((x − t)²) / mean(t²)``."""
    return float(tf.reduce_mean(tf.square(x - target)) / tf.reduce_mean(tf.square(target)))
