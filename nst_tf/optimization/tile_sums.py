"""Sums over the tiles of a picture, from which the losses and their gradients are computed.

A loss compares statistics of a layer, which are made of sums over positions, or features position by position, whose
squared differences are a sum too. Each position counts in the one tile that owns it. Sums are added in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from nst_tf.backbones import Extractor
from nst_tf.losses import ContentLoss, Extent, Features, Loss, Smoothing, StatisticsLoss, Sums
from nst_tf.losses.distribution_loss import weighted
from nst_tf.optimization.terms import RegionInputs, Term
from nst_tf.optimization.tiles import Grid, Tile, Tiling
from nst_tf.util.compilation import compile_function
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

TermSums: TypeAlias = "dict[str, dict[str, Sums]]"
"""Region to layer to sums over positions, ``(B, …)`` each: what one loss needs of a picture."""


def sum_over_tiles(tiling: Tiling, of_tile: Callable[..., Any], *inputs: Any, start: Any = None) -> Any:
    """Return ``start + Σ of_tile(tile, *inputs)``, computed one tile after the other.

    Args:
        tiling: The tiles.
        of_tile: Function of a tile and ``inputs``, traced once. It returns nested tensors.
        inputs: Nested tensors.
        start: Nested tensors; None for zeros.
    """

    @compile_function
    def numbered(index: tf.Tensor, *inputs: Any) -> Any:
        return of_tile(Tile(tiling, index), *inputs)

    compiled = numbered.get_concrete_function(tf.TensorSpec([], tf.int32), *inputs)
    if start is None:
        start = tf.nest.map_structure(lambda value: tf.zeros(value.shape, value.dtype), compiled.structured_outputs)

    def add_tile(index: tf.Tensor, total: Any) -> tuple[tf.Tensor, Any]:
        return index + 1, tf.nest.map_structure(tf.add, total, compiled(index, *inputs))

    _, total = tf.while_loop(
        lambda index, total: index < tiling.count, add_tile, (tf.constant(0), start), parallel_iterations=1
    )
    return total


def term_sums(term: Term, features: Features, tile: Tile) -> TermSums:
    """Compute the sums of one loss over the positions that a tile owns, in the precision of the loss.

    Args:
        term: The loss, with its targets and weights for the whole picture.
        features: Features of the tile's window.
        tile: The tile.
    """
    smoothed = term.smooth(features)
    return {
        region: {layer: _layer_sums(term.loss, inputs, smoothed[layer], tile, layer) for layer in term.loss.taps}
        for region, inputs in term.inputs.regions.items()
    }


def _layer_sums(loss: Loss, inputs: RegionInputs, x: tf.Tensor, tile: Tile, layer: str) -> Sums:
    """Compute statistics' sums, or the squared difference from each target, of features ``(B, h, w, C)``."""
    weights = inputs.weights.get(layer)
    if isinstance(loss, StatisticsLoss):
        return statistics_sums(loss, x, tile, layer, weights)
    assert isinstance(loss, ContentLoss)
    own = weighted(x, None if weights is None else tile.crop_layer(weights, layer, x))
    targets = (tile.crop_layer(layers[layer], layer, x) for _, layers in inputs.targets)
    return tuple(loss.difference(own, target, tile.owned(layer, x)) for target in targets)


def statistics_sums(loss: StatisticsLoss, x: tf.Tensor, tile: Tile, layer: str, weights: tf.Tensor | None) -> Sums:
    """Compute a layer's `StatisticsLoss.sums` over the positions that a tile owns.

    Args:
        loss: The loss.
        x: Features of the tile's window, ``(B, h, w, C)``.
        tile: The tile.
        layer: Name of the layer.
        weights: Weights of the positions of the whole picture, ``(1, H, W, 1)``; None weighs all alike.
    """
    owned = tile.owned(layer, x)
    return loss.sums(x, owned if weights is None else owned * tile.crop_layer(weights, layer, x))


def in_float64(sums: Any) -> Any:
    """Return nested sums in float64, in which they are added up."""
    return tf.nest.map_structure(lambda value: tf.cast(value, tf.float64), sums)


def layers_of_sums(term: Term, sums: TermSums, tiling: Tiling) -> dict[str, tf.Tensor]:
    """Compute what `Term.layers` computes from features, from the sums over all tiles."""
    parts: dict[str, tf.Tensor] = {}
    for region in term.inputs.regions:
        parts |= term.sum_targets(_distances(term, region, sums[region], tiling), region)
    return parts


def _distances(term: Term, region: str, sums: Mapping[str, Sums], tiling: Tiling) -> Iterator[dict[str, tf.Tensor]]:
    """Yield each layer's distance to every target of a region, ``(B,)`` float32."""
    loss, inputs = term.loss, term.inputs.regions[region]
    if isinstance(loss, StatisticsLoss):
        representation = represent_sums(loss, sums, tiling, inputs.weights)
        yield from (loss.distance(representation, layers) for _, layers in inputs.targets)
    elif isinstance(loss, ContentLoss):
        for number, (_, layers) in enumerate(inputs.targets):
            yield {
                layer: loss.effective_weight(layer)
                * loss.target_factor(layers[layer])
                * tf.cast(sums[layer][number], tf.float32)
                for layer in loss.layers
            }


def represent_sums(
    loss: StatisticsLoss, sums: Mapping[str, Sums], tiling: Tiling, weights: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """Return what ``loss.represent`` returns for the whole picture, from the sums over all tiles.

    Args:
        loss: The loss.
        sums: Layer name to sums.
        tiling: The tiles.
        weights: Layer name to the weights of the picture's positions; empty weighs all alike.
    """
    return {
        layer: loss.from_sums(sums[layer], _extent(tiling, layer, sums[layer], weights.get(layer)))
        for layer in loss.layers
    }


def _extent(tiling: Tiling, layer: str, sums: Sequence[tf.Tensor], weights: tf.Tensor | None) -> Extent:
    """Return the sizes of a layer of the whole picture; the last axis of the widest sum has one entry per filter."""
    height, width = tiling.layer_shape(layer)
    return Extent(
        positions=tf.constant(height * width, tf.float32),
        filters=max(value.shape[-1] for value in sums),
        image_elements=tf.constant(3 * tiling.rows.size * tiling.columns.size, tf.float32),
        weight=None if weights is None else tf.reduce_sum(tf.cast(weights, tf.float64), [1, 2, 3]),
    )


def reads_picture_alone(loss: Loss) -> bool:
    """Return whether a loss needs no network, as the total variation; it is computed on the whole picture."""
    return list(loss.taps) == ["image"]


def tile_obstacle(extractor: Extractor, losses: Mapping[str, Loss]) -> str | None:
    """Return, in a sentence, why a problem cannot be computed tile by tile; None if it can.

    Args:
        extractor: The network.
        losses: The active losses by name.
    """
    try:
        Grid.of(extractor)
    except InputError as error:
        return str(error)
    return next((reason for name, loss in losses.items() if (reason := _loss_obstacle(name, loss))), None)


def _loss_obstacle(name: str, loss: Loss) -> str | None:
    if reads_picture_alone(loss):
        return None
    if not isinstance(loss, StatisticsLoss | ContentLoss):
        return f"losses.{name}: {type(loss).__name__} is no sum over the positions of a picture."
    if loss.smoothing is Smoothing.softmax:
        return f"losses.{name}.smoothing=softmax: the softmax goes over all positions of a picture at once."
    if loss.diagnostics:
        return f"losses.{name}.diagnostics=true: they are measured over all positions of a picture at once."
    return None
