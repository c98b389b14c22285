"""The hypercolumn loss of neural neighbours: each position is moved towards the nearest features of the style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from nst_tf.losses.loss import Features, Representation
from nst_tf.losses.neighbour_loss import NeighbourLoss
from nst_tf.util.checks import at_least, whole_number_or
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.nearest import cosine, nearest_cosine
from nst_tf.util.tensors import of_picture, resize_aligned

HYPERCOLUMNS = "hypercolumns"
"""Name of the only part of the loss, and of its representation."""

CHUNK = 128**2
"""Positions of the picture that the published program compares at once, if the style has no more hypercolumns."""

SMALLEST_SQUARE = 1e-8
"""Floor of the squared lengths of hypercolumns, as in the published program."""


class Centre(Enum):
    """The positions of the picture whose mean is subtracted before the search.

    ``all`` all of them · ``chunk`` those that the published program compares at once: of N style hypercolumns,
    copies included, ``16384 // max(1, N // 16384)`` positions in row order. The style's mean is always that of all
    its hypercolumns.
    """

    all = "all"
    chunk = "chunk"


@dataclass
class HypercolumnLoss(NeighbourLoss):
    """``weight · mean_p (1 − cos(T_p, F_p))`` per picture, over the positions p of hypercolumns F.

    A hypercolumn joins the features of all layers at one position. Each layer is divided by its number of filters,
    so that wide layers do not dominate, and resized to a quarter of the picture's sides, bilinearly with aligned
    corners. The target T_p is the style's hypercolumn of the largest cosine with that of a picture between the
    present one and the content, after the mean of each set is subtracted. The loss itself compares the hypercolumns
    as they are. Several styles are searched together.

    Attributes:
        centre: See `Centre`; default ``chunk``, as in the published program.
        rematch: When the targets are matched: ``phase`` for once, at the start of a phase, or a number of steps.
            Default ``phase``.
        content_share: Share of the content in the picture that is matched; 1 matches the content itself.
            Default 0.75.
        content_detail: Whether the finest Laplacian level of the content is added to the present picture before. At the
            start of a phase that picture is an enlarged one, which lacks such detail. Default false.

    Reference:
        Kolkin, Kucera, Paris, Sýkora, Shechtman & Shakhnarovich 2022, *Neural Neighbor Style Transfer*.
    """

    centre: Centre = Centre.chunk
    rematch: Any = "phase"
    content_share: float = 0.75
    content_detail: bool = False

    anchors: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rematch = whole_number_or("rematch", self.rematch, "phase")
        at_least("content_share", self.content_share, 0)
        if self.content_share > 1:
            raise InputError(f"content_share={self.content_share}: must be at most 1")

    @property
    def part_names(self) -> Sequence[str]:
        """The single part ``hypercolumns``."""
        return [HYPERCOLUMNS]

    def represent(self, features: Features) -> Representation:
        """Compute the hypercolumns, ``(B, M, C)`` float32 with M = (H // 4)·(W // 4)."""
        height, width = (max(side // 4, 1) for side in features["image"].shape[1:3])
        resized = [resize_aligned(tf.cast(features[layer], tf.float32), height, width) for layer in self.layers]
        joined = tf.concat([x / x.shape[-1] for x in resized], axis=-1)
        return {HYPERCOLUMNS: tf.reshape(joined, [-1, height * width, joined.shape[-1]])}

    def join(self, representations: Mapping[str, Representation], shares: Mapping[str, float]) -> Representation:
        """Put the hypercolumns of all styles into one set; a style of share 0 is left out."""
        kept = [values[HYPERCOLUMNS] for name, values in representations.items() if shares.get(name, 1.0) > 0]
        return {HYPERCOLUMNS: tf.concat(kept, axis=1)}

    def anchor(self, features: Features, targets: Representation) -> Representation:
        """Return the nearest hypercolumn of the style for each position of a picture, ``(B, M, C)``."""
        nearest = []
        for number, queries in enumerate(tf.unstack(self.represent(features)[HYPERCOLUMNS])):
            keys = of_picture(targets[HYPERCOLUMNS], number)
            nearest.append(tf.gather(keys, self._search(queries, keys)))
        return {HYPERCOLUMNS: tf.stop_gradient(tf.stack(nearest))}

    def _search(self, queries: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        """Return the index of the nearest key ``(M', C)`` for each query ``(M, C)``, after centring."""
        count, available = queries.shape[0], keys.shape[0]
        rows = count if self.centre is Centre.all else max(1, CHUNK // max(1, available // CHUNK))
        key_mean = tf.reduce_mean(keys, axis=0)
        chunks = [queries[start : start + rows] for start in range(0, count, rows)]
        found = [
            nearest_cosine(chunk, keys, query_mean=tf.reduce_mean(chunk, axis=0), key_mean=key_mean)[0]
            for chunk in chunks
        ]
        return tf.concat(found, axis=0)

    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute ``mean_p (1 − cos(T_p, F_p))``, ``(B,)`` float32."""
        cosines = cosine(representation[HYPERCOLUMNS], targets[HYPERCOLUMNS], SMALLEST_SQUARE)  # (B, M)
        return {HYPERCOLUMNS: 1.0 - tf.reduce_mean(cosines, axis=1)}
