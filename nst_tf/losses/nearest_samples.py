"""The loss of neural neighbours' final pass: samples of each layer against their nearest features of the style."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from nst_tf.losses.loss import DRAW, Features, Representation
from nst_tf.losses.neighbour_loss import NeighbourLoss
from nst_tf.losses.style_copies import StyleCopy
from nst_tf.util.checks import whole_number_or
from nst_tf.util.lazy import tf
from nst_tf.util.nearest import cosine, nearest_cosine
from nst_tf.util.tensors import of_picture

SAMPLES_A_SIDE = 64
"""Samples along the longer side of a layer, about; a layer of at most so many positions a side is used whole."""


class NearestVariant(Enum):
    """The samples of layers whose longer side is at most 64.

    ``corrected`` the layer's own features · ``released`` those of the published program, which compares the style with
    the last samples of a larger layer before, read as if they were of this layer: in blocks of rows, so that filter
    ``2k + b`` of a layer with twice as many filters takes filter k of half b of the samples. Without a larger layer
    before, both are the same. Values that do not fill a whole vector are left out.
    """

    corrected = "corrected"
    released = "released"


@dataclass
class NearestSamplesLoss(NeighbourLoss):
    """``weight · Σ_l mean_p min_q (1 − cos(F_p − mean F, S_q − mean S))`` per picture, in each layer on its own.

    The features F of a layer whose longer side n is above 64 are sampled at every ``n // 64``-th row and column, from a
    row and a column that are drawn for each layer; those S of the style at the same rows and columns. The nearest
    features are searched at every evaluation; the gradient holds them fixed. Several styles are searched together.

    Attributes:
        layers: Layer names, from the first layer of the network on.
        variant: See `NearestVariant`; default ``corrected``.
        redraw: When rows and columns are drawn: ``never``, ``phase`` or a number of steps. Default ``phase``; the
            published program draws at every step.

    Reference:
        Kolkin, Kucera, Paris, Sýkora, Shechtman & Shakhnarovich 2022, *Neural Neighbor Style Transfer*.
    """

    variant: NearestVariant = NearestVariant.corrected
    redraw: Any = "phase"

    draws: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.redraw = whole_number_or("redraw", self.redraw, "never", "phase")

    def represent(self, features: Features) -> Representation:
        """Return the features themselves, ``(B, h, w, C)`` in the precision of the backbone, and the draw."""
        return {name: features[name] for name in (*self.layers, DRAW)}

    def join(self, representations: Mapping[str, Representation], shares: Mapping[str, float]) -> Representation:
        """Put each style's layers under those of its rotated copies, turned back: ``(1, 4 h, w, C)``.

        The name of a layer of one style is ``conv1_1/style:1``. A style of share 0 is left out.
        """
        copies: dict[str, list[tf.Tensor]] = {}
        for name, values in representations.items():
            if shares.get(name, 1.0) > 0:
                copy = StyleCopy.parse(name)
                for layer in self.layers:
                    upright = tf.transpose(values[layer], [0, 2, 1, 3]) if copy.angle % 180 else values[layer]
                    copies.setdefault(f"{layer}/{copy.style}", []).append(upright)
        return {name: tf.concat(parts, axis=1) for name, parts in copies.items()}

    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute ``mean_p min_q (1 − cos)`` of each layer, ``(B,)`` float32."""
        pictures = []
        for n in range(representation[self.layers[0]].shape[0]):
            features = {name: representation[name][n] for name in self.layers}
            keys = {name: of_picture(value, n) for name, value in targets.items()}
            pictures.append(self._distances(features, representation[DRAW], keys))
        return {layer: tf.stack([distances[layer] for distances in pictures]) for layer in self.layers}

    def _distances(
        self, features: Mapping[str, tf.Tensor], draw: tf.Tensor, targets: Representation
    ) -> dict[str, tf.Tensor]:
        """Compute the loss of each layer of one picture; its features and targets are ``(h, w, C)``."""
        distances: dict[str, tf.Tensor] = {}
        before: tf.Tensor | None = None
        for number, layer in enumerate(self.layers):
            x = features[layer]
            sampling = _Sampling(x, tf.random.experimental.stateless_fold_in(draw, number))
            keys = [sampling(value) for name, value in targets.items() if name.rpartition("/")[0] == layer]
            samples = sampling(x)
            if sampling.whole and before is not None and self.variant is NearestVariant.released:
                samples = _read_as(before, x.shape[-1])
            elif not sampling.whole:
                before = samples
            distances[layer] = _mean_distance(samples, tf.concat(keys, axis=0))
        return distances


class _Sampling:
    """The rows and columns at which a layer of the picture and of the styles is sampled.

    Attributes:
        whole: Whether every position is taken.
    """

    def __init__(self, x: tf.Tensor, seed: tf.Tensor) -> None:
        """Draw from a seed ``(2,)`` for a layer ``(h, w, C)`` of the picture."""
        longer = max(x.shape[:2])
        self.whole = longer <= SAMPLES_A_SIDE
        self._stride = max(1, longer // SAMPLES_A_SIDE)
        self._start = tf.random.stateless_uniform([2], seed, maxval=self._stride, dtype=tf.int32)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Return the samples of features ``(h, w, C)``, ``(n, C)`` float32."""
        row, column = (0, 0) if self._stride == 1 else tf.unstack(self._start)
        sampled = x[row :: self._stride, column :: self._stride]
        return tf.reshape(tf.cast(sampled, tf.float32), [-1, x.shape[-1]])


def _read_as(samples: tf.Tensor, filters: int) -> tf.Tensor:
    """Read samples ``(n, C)``, filter by filter, as vectors of another length: ``(n·C // filters, filters)``."""
    flat = tf.reshape(tf.transpose(samples), [-1])
    count = tf.size(flat) // filters
    return tf.transpose(tf.reshape(flat[: count * filters], [filters, count]))


def _mean_distance(samples: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
    """Compute ``mean_p min_q (1 − cos)`` of samples ``(n, C)`` and keys ``(m, C)``, each set centred."""
    queries = samples - tf.reduce_mean(samples, axis=0)
    keys = tf.stop_gradient(keys - tf.reduce_mean(keys, axis=0))
    nearest = tf.gather(keys, nearest_cosine(queries, keys)[0])
    return 1.0 - tf.reduce_mean(cosine(queries, nearest))
