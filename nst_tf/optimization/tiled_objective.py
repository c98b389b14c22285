"""The objective of a picture that is computed tile by tile, equal to that of the whole picture up to rounding.

The first pass adds up what the losses need of each tile. The total and its slopes with respect to these sums follow
from them. The second pass computes each tile again and passes the slopes back to its pixels; the gradients of
overlapping windows are added. So the network's features are in memory for one tile at a time, at the cost of a second
forward pass.

Reference:
    Galerne, Raad, Lezama & Morel 2024, *Scaling Painting Style Transfer*. Their windows have wider margins, because
    each tile's gradient is cropped to its own part there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nst_tf.backbones import Extractor
from nst_tf.images import RegionMasks
from nst_tf.losses import ContentLoss, Features, Loss, PositionWeights, Representation, StatisticsLoss
from nst_tf.optimization.layer_gradients import LayerGradients, vjp_of_features
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.references import Measure, Part, References, extract_features
from nst_tf.optimization.terms import Term, active_losses, represent
from nst_tf.optimization.tile_sums import (
    TermSums,
    in_float64,
    layers_of_sums,
    reads_picture_alone,
    represent_sums,
    statistics_sums,
    sum_over_tiles,
    term_sums,
    tile_obstacle,
)
from nst_tf.optimization.tiles import Grid, Tile, Tiling
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf


class TiledObjective(Objective):
    """An `Objective` that computes the network tile by tile.

    Losses that read the picture alone, such as the total variation, are computed on the whole picture.

    Args:
        extractor: The network; each of its features depends on a bounded part of the picture.
        terms: The active losses by name, each with its targets.
        own: Side of the square that a tile owns, in pixels, see `nst_tf.optimization.tiles.AxisTiles.plan`.
    """

    extractor: Extractor
    tile: int

    def __init__(self, extractor: Extractor, terms: Mapping[str, Term], own: int) -> None:
        super().__init__(extractor, terms)
        self.tile = own

    @classmethod
    def prepare_tiled(
        cls,
        extractor: Extractor,
        losses: Mapping[str, Loss],
        content: tf.Tensor,
        styles: Sequence[tf.Tensor],
        shares: Sequence[float],
        regions: Sequence[RegionMasks],
        own: int,
    ) -> TiledObjective:
        """Compute every target once, tile by tile too.

        Args:
            extractor: See `Objective.prepare`; so are ``losses`` to ``regions``.
            losses: Named losses.
            content: ``(B, H, W, 3)``.
            styles: ``(B, h, w, 3)`` each.
            shares: One share per style.
            regions: Regions of the picture.
            own: Side of the square that a tile owns, in pixels.

        Raises:
            InputError: A loss or the network cannot be computed tile by tile, or see `Objective.prepare`.
        """
        active = active_losses(losses)
        if reason := tile_obstacle(extractor, active):
            raise InputError(f"image.tile={own}: {reason} Set image.tile=off.")
        references = TiledReferences(extractor, active, content, styles, shares, regions, own=own)
        return cls(extractor, references.terms(), own)

    def _with_terms(self, terms: Mapping[str, Term]) -> TiledObjective:
        return TiledObjective(self.extractor, terms, self.tile)

    def differentiate(
        self,
        image: tf.Tensor,
        value_of: Callable[[Mapping[str, tf.Tensor]], tf.Tensor],
        step: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """Compute a function of the terms, its gradient and the terms, see `Objective.differentiate`."""
        tiling = self._tiling(image)
        if tiling.count == 1:
            return super().differentiate(image, value_of, step)
        sums = self._sums(tiling, image)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([image, *tf.nest.flatten(sums)])
            terms = self._terms_of_sums(tiling, image, sums)
            value = value_of(terms)
        gradient, slopes = tape.gradient(value, [image, sums], unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return value, self._add_tile_gradients(tiling, image, gradient, slopes), terms

    def _term_values(self, image: tf.Tensor, step: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        tiling = self._tiling(image)
        if tiling.count == 1:
            return super()._term_values(image, step)
        return self._terms_of_sums(tiling, image, self._sums(tiling, image))

    def _tiling(self, image: tf.Tensor) -> Tiling:
        return Tiling.plan(image.shape[1], image.shape[2], self.tile, Grid.of(self.extractor))

    def _sums(self, tiling: Tiling, image: tf.Tensor) -> dict[str, TermSums]:
        """Add up the sums of all tiles, by name of the loss."""

        def of_tile(tile: Tile, image: tf.Tensor) -> dict[str, TermSums]:
            return in_float64(self._tile_sums(tile, extract_features(self.extractor, tile.crop(image))))

        return sum_over_tiles(tiling, of_tile, image)

    def _tile_sums(self, tile: Tile, features: Features) -> dict[str, TermSums]:
        """Compute the sums over the positions that a tile owns, from the features of its window."""
        return {name: term_sums(term, features, tile) for name, term in self._tiled_terms().items()}

    def _tiled_terms(self) -> dict[str, Term]:
        return {name: term for name, term in self._terms.items() if not reads_picture_alone(term.loss)}

    def _terms_of_sums(self, tiling: Tiling, image: tf.Tensor, sums: Mapping[str, TermSums]) -> dict[str, tf.Tensor]:
        """Compute all terms: those of the network's losses from their sums, the others from the picture."""
        terms: dict[str, tf.Tensor] = {}
        for name, term in self._terms.items():
            layers = layers_of_sums(term, sums[name], tiling) if name in sums else term.layers({"image": image})
            terms |= self._named(name, term, layers)
        return terms

    def _add_tile_gradients(
        self, tiling: Tiling, image: tf.Tensor, gradient: tf.Tensor, slopes: dict[str, TermSums]
    ) -> tf.Tensor:
        """Add the gradients of all tiles to that of the losses that read the picture alone, ``(B, H, W, 3)``."""
        if not slopes:
            return gradient

        def of_tile(tile: Tile, image: tf.Tensor) -> tf.Tensor:
            features, pull_back = vjp_of_features(self.extractor, tile.crop(image))
            with LayerGradients(features, [term.loss for term in self._tiled_terms().values()]) as gradients:
                sums = tf.nest.flatten(self._tile_sums(tile, features))
            upstream = [tf.cast(slope, value.dtype) for slope, value in zip(tf.nest.flatten(slopes), sums, strict=True)]
            return tile.place(pull_back(gradients.towards(sums, upstream)))

        return sum_over_tiles(tiling, of_tile, image, start=gradient)


class TiledReferences(References):
    """`References` whose features are computed tile by tile; its arguments are theirs.

    A content target is kept whole, in the precision of the network.

    Args:
        own: Side of the square that a tile owns, in pixels.
    """

    _extractor: Extractor

    def __init__(self, *arguments: Any, own: int) -> None:
        super().__init__(*arguments)
        self._own = own

    def _measure_picture(
        self, measures: Mapping[Part, Measure], picture: tf.Tensor, weights: Mapping[Part, PositionWeights]
    ) -> dict[Part, Representation]:
        if not measures:
            return {}
        tiling = Tiling.plan(picture.shape[1], picture.shape[2], self._own, Grid.of(self._extractor))
        losses = [self._losses[name] for name, _ in measures]
        inputs = [dict(weights[part]) for part in measures]

        def of_tile(tile: Tile, picture: tf.Tensor, inputs: list[dict[str, tf.Tensor]]) -> list[Any]:
            features = extract_features(self._extractor, tile.crop(picture))
            return [_tile_part(loss, features, tile, each) for loss, each in zip(losses, inputs, strict=True)]

        sums = sum_over_tiles(tiling, of_tile, picture, inputs)
        values = [
            represent_sums(loss, each, tiling, weight) if isinstance(loss, StatisticsLoss) else each
            for loss, each, weight in zip(losses, sums, inputs, strict=True)
        ]
        return dict(zip(measures, values, strict=True))


def _tile_part(loss: Loss, features: Mapping[str, tf.Tensor], tile: Tile, weights: PositionWeights) -> Any:
    """Return a tile's part of a reference's sums or, for a content loss, of its features, by layer."""
    smoothed = loss.smooth(features, {})
    if isinstance(loss, StatisticsLoss):
        return in_float64(
            {layer: statistics_sums(loss, smoothed[layer], tile, layer, weights.get(layer)) for layer in loss.layers}
        )
    assert isinstance(loss, ContentLoss)
    cropped = {layer: tile.crop_layer(each, layer, smoothed[layer]) for layer, each in weights.items()}
    values = represent(loss, smoothed, cropped)
    return {layer: tile.place_layer(x * tf.cast(tile.owned(layer, x), x.dtype), layer) for layer, x in values.items()}
