"""Targets of the losses, computed from content and styles once before the loop."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from nst_tf.images import RegionMasks
from nst_tf.losses import Blend, Features, LayerLoss, Loss, PositionWeights, Representation, Temperatures
from nst_tf.losses.style_copies import StyleCopy
from nst_tf.optimization.position_weights import LayerWeights
from nst_tf.optimization.reference_passes import ReferencePasses, picture_key
from nst_tf.optimization.terms import (
    Draws,
    RegionInputs,
    Term,
    TermInputs,
    WeightedTarget,
    regions_of,
    represent,
)
from nst_tf.util.compilation import compile_function
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

FeatureFunction: TypeAlias = "Callable[[tf.Tensor], dict[str, tf.Tensor]]"
"""A picture ``(B, H, W, 3)`` to its features by layer, as `Backbone.extractor` gives it."""

Part: TypeAlias = "tuple[str, str]"
"""Names of a loss and of one of its regions."""

Measure: TypeAlias = "Callable[[Features, PositionWeights], Mapping[str, tf.Tensor]]"
"""Features of a reference, and weights of their positions, to a tensor per layer: a representation, or temperatures."""


def extract_features(extractor: FeatureFunction, image: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return features by layer, with the picture itself under ``"image"``."""
    return {"image": image} | extractor(image)


class References:
    """Content and styles, and the targets that losses take from them.

    Args:
        extractor: Picture to features.
        losses: The active losses by name.
        content: ``(B, H, W, 3)``.
        styles: ``(B, h, w, 3)`` each, of any sizes.
        shares: One share per style.
        regions: Regions of the picture, to which losses on the styles are limited; empty for the whole picture.
        draws: Seed and phase of the draws of losses; None for seed 0 and the first phase.
        passes: Passes that are kept for the next run; None keeps none.

    Raises:
        InputError: A loss refers to a style that was not given, it compares position by position with a picture of
            another shape, or it cannot be limited to a region.
    """

    def __init__(
        self,
        extractor: FeatureFunction,
        losses: Mapping[str, Loss],
        content: tf.Tensor,
        styles: Sequence[tf.Tensor],
        shares: Sequence[float],
        regions: Sequence[RegionMasks] = (),
        draws: Draws | None = None,
        passes: ReferencePasses | None = None,
    ) -> None:
        self._extractor, self._losses, self._draws = extractor, losses, draws or Draws()
        self._passes = passes or ReferencePasses()
        style_names = [f"style:{n}" for n in range(1, len(styles) + 1)]
        self._pictures = {"content": content} | dict(zip(style_names, styles, strict=True))
        self._shares = {"content": 1.0} | dict(zip(style_names, shares, strict=True))
        self._regions = {region.name: region for region in regions}
        self._references_of = {name: loss.references(len(styles)) for name, loss in losses.items()}
        self._add_copies()
        for name, loss in losses.items():
            self._check_shapes(name, loss)
        self._regions_of = {name: regions_of(name, loss, list(self._regions)) for name, loss in losses.items()}
        self._layer_weights = LayerWeights(extractor)

    def terms(self) -> dict[str, Term]:
        """Return each loss with its targets.

        All references of a loss share the temperatures of its softmax. So these are measured first, in a pass over the
        references that only losses with a softmax need.
        """
        temperatures = self._temperatures()
        measures = {
            (name, region): _representation(loss, temperatures[name], self._draws.of(loss))
            for name, loss in self._losses.items()
            for region in self._regions_of[name]
        }
        seen = self._measure(measures)
        return {name: self._term(name, seen, temperatures[name]) for name in self._losses}

    def _add_copies(self) -> None:
        """Add the copies of styles that losses refer to, each with the share of its style."""
        for name in {name for references in self._references_of.values() for name in references}:
            copy = StyleCopy.parse(name)
            if name not in self._pictures and copy.style in self._pictures:
                self._pictures[name] = tf.constant(copy.of(self._pictures[copy.style]))
                self._shares[name] = self._shares[copy.style]

    def _check_shapes(self, name: str, loss: Loss) -> None:
        for reference in self._references_of[name]:
            shape = self._pictures[reference].shape[1:3]
            if loss.positional and shape != self._pictures["content"].shape[1:3]:
                raise InputError(
                    f"losses.{name}.reference={reference}: compares position by position with a picture of another "
                    "shape. Set image.style_fit=content."
                )

    def _temperatures(self) -> dict[str, Temperatures]:
        """Measure each loss's temperatures, the mean by shares over its references; empty without a softmax."""
        measures = {(name, ""): _temperatures(loss) for name, loss in self._losses.items() if loss.uses_temperature}
        seen = self._measure(measures)
        return {
            name: _weighted_mean(loss, self._with_shares(seen[name, ""])) if (name, "") in seen else {}
            for name, loss in self._losses.items()
        }

    def _measure(self, measures: Mapping[Part, Measure]) -> dict[Part, dict[str, Representation]]:
        """Apply the measure of each part to its references: part to reference to values by layer."""
        seen: dict[Part, dict[str, Representation]] = {part: {} for part in measures}
        for reference, picture in self._pictures.items():
            wanted = {part: measure for part, measure in measures.items() if reference in self._references_in(part)}
            weights = {part: self._reference_weights(part, reference) for part in wanted}
            for part, values in self._measure_reference(reference, wanted, picture, weights).items():
                seen[part][reference] = values
        return seen

    def _measure_reference(
        self,
        reference: str,
        measures: Mapping[Part, Measure],
        picture: tf.Tensor,
        weights: Mapping[Part, PositionWeights],
    ) -> dict[Part, Representation]:
        """Apply measures to a reference, or take the kept values of a style without weights of positions."""
        key = None if reference == "content" or any(weights.values()) else self._pass_key(measures, picture, weights)
        key = key and (*key, picture_key(picture))
        return self._passes.values(key, lambda: self._measure_picture(measures, picture, weights))

    def _pass_key(
        self, measures: Mapping[Part, Measure], picture: tf.Tensor, weights: Mapping[Part, PositionWeights]
    ) -> tuple[Hashable, ...] | None:
        """Return what determines a compiled pass; None if it depends on temperatures or draws."""
        losses = [self._losses[name] for name, _ in measures]
        if not losses or any(loss.uses_temperature or loss.draws for loss in losses):
            return None
        settings = tuple(repr(loss.static_config()) for loss in losses)
        shapes = tuple((layer, tuple(w.shape)) for part in measures for layer, w in weights[part].items())
        return type(self).__name__, id(self._extractor), tuple(measures), settings, tuple(picture.shape), shapes

    def _measure_picture(
        self, measures: Mapping[Part, Measure], picture: tf.Tensor, weights: Mapping[Part, PositionWeights]
    ) -> dict[Part, Representation]:
        """Apply measures to the features of one picture, ``(B, h, w, 3)``, with weights of their positions."""
        key = self._pass_key(measures, picture, weights)
        return _measure_picture(self._extractor, measures, picture, weights, self._passes, key)

    def _region(self, part: Part) -> RegionMasks | None:
        """Return the masks of a loss's region; None for a loss that is not limited to a region."""
        name, region = part
        weighs = getattr(self._losses[name], "weighs_positions", False)
        return self._regions.get(region) if self._references_of[name] and weighs else None

    def _references_in(self, part: Part) -> list[str]:
        """Return the references of a loss that have a region, or all of them."""
        region, references = self._region(part), self._references_of[part[0]]
        return [
            name
            for name in references
            if region is None or name == "content" or StyleCopy.parse(name).style in region.styles
        ]

    def _reference_weights(self, part: Part, reference: str) -> PositionWeights:
        """Return the weights of a reference's positions in a region; empty if it belongs to the region as a whole."""
        region = self._region(part)
        if region is None:
            return {}
        mask = region.content if reference == "content" else region.styles[StyleCopy.parse(reference).style]
        return self._weights_at(part[0], region, mask, reference)

    def _picture_weights(self, name: str, region: RegionMasks | None) -> PositionWeights:
        """Return the weights of the optimised picture's positions in a region; empty for the whole picture."""
        return {} if region is None else self._weights_at(name, region, region.content, "content")

    def _weights_at(
        self, name: str, region: RegionMasks, mask: np.ndarray | None, reference: str
    ) -> dict[str, tf.Tensor]:
        """Return the weights of a picture's positions in a region, with its semantic map for a loss that reads it.

        Args:
            name: Name of the loss.
            region: The region.
            mask: Mask of the picture, or of the style of which the picture is a copy; None for the whole picture.
            reference: Name of the picture.
        """
        loss, picture, copy = self._losses[name], self._pictures[reference], StyleCopy.parse(reference)
        weights: dict[str, tf.Tensor] = {}
        if mask is not None:
            own_mask = copy.of(mask[None, ..., None])[0, ..., 0]
            weights |= self._layer_weights.of(own_mask, picture, loss.weighed_layers, region, reference)
        if getattr(loss, "reads_maps", False) and copy.style in region.maps:
            weights |= self._layer_weights.maps(copy.of(region.maps[copy.style][None])[0], picture, loss.taps)
        return weights

    def _with_shares(
        self, seen: Mapping[str, Representation], region: RegionMasks | None = None
    ) -> list[WeightedTarget]:
        """Give each reference its share; a single one counts in full, and those of a region add up to its share."""
        shares = [1.0] if len(seen) == 1 else [self._shares[reference] for reference in seen]
        if region is not None:
            shares = [region.share * share / (sum(shares) or 1.0) for share in shares]
        return [WeightedTarget(share, values) for share, values in zip(shares, seen.values(), strict=True)]

    def _term(self, name: str, seen: Mapping[Part, Mapping[str, Representation]], temperatures: Temperatures) -> Term:
        """Join a loss with its targets in each of its regions."""
        loss = self._losses[name]
        regions = {part: self._region_inputs(name, part, seen[name, part]) for part in self._regions_of[name]}
        if empty := [region for region, inputs in regions.items() if not inputs.targets]:
            raise InputError(
                f"losses.{name}.reference={getattr(loss, 'reference', None)}: the region {empty[0]!r} has none of its "
                "styles. Set regions.style_of, or another reference."
            )
        return Term(loss, TermInputs(loss.weight, regions, temperatures, {}, self._draws.of(loss)))

    def _region_inputs(self, name: str, region: str, seen: Mapping[str, Representation]) -> RegionInputs:
        """Return the targets of a loss in a region, which ``blend=targets`` averages into one."""
        loss, masks = self._losses[name], self._region((name, region))
        if loss.joint:
            if set(seen) <= {"content"}:
                return RegionInputs([], {})
            target = loss.finalize_targets(loss.join(seen, {reference: self._shares[reference] for reference in seen}))
            share = 1.0 if masks is None else masks.share
            return RegionInputs([WeightedTarget(share, target)], self._picture_weights(name, masks))
        if not seen and masks is None:
            return RegionInputs([WeightedTarget(1.0, {})], {})
        weighted = self._with_shares(seen, masks)
        if seen and isinstance(loss, LayerLoss) and loss.blend is Blend.targets:
            total = 1.0 if masks is None else masks.share
            weighted = [WeightedTarget(total, _weighted_mean(loss, weighted, total))]
        targets = [WeightedTarget(share, loss.finalize_targets(layers)) for share, layers in weighted]
        return RegionInputs(targets, self._picture_weights(name, masks))


def _representation(loss: Loss, temperatures: Temperatures, draw: Mapping[str, tf.Tensor]) -> Measure:
    term = Term(loss, TermInputs(loss.weight, {}, temperatures, {}, draw))
    return lambda features, weights: represent(loss, term.smooth(features), weights)


def _temperatures(loss: Loss) -> Measure:
    return lambda features, weights: loss.temperatures(features)


def _measure_picture(
    extractor: FeatureFunction,
    measures: Mapping[Part, Measure],
    picture: tf.Tensor,
    weights: Mapping[Part, PositionWeights],
    passes: ReferencePasses,
    key: tuple[Hashable, ...] | None,
) -> dict[Part, Representation]:
    """Apply measures to the features of one picture, ``(B, h, w, 3)``, by the kept pass of a key if there is one.

    The pass is compiled, so that each layer's features are freed as soon as they have been measured. It is called as a
    concrete function, because TensorFlow warns of functions that are traced at every call.
    """
    if not measures:
        return {}

    @compile_function
    def run(image: tf.Tensor, weights: list[dict[str, tf.Tensor]]) -> list[Representation]:
        features = extract_features(extractor, image)
        return [dict(measure(features, each)) for measure, each in zip(measures.values(), weights, strict=True)]

    inputs = [dict(weights[part]) for part in measures]
    values = passes.of(key, lambda: run.get_concrete_function(picture, inputs))(picture, inputs)
    return dict(zip(measures, values, strict=True))


def _weighted_mean(loss: Loss, weighted: Sequence[WeightedTarget], total: float = 1.0) -> dict[str, tf.Tensor]:
    """Compute the mean of several references' values by shares that add up to ``total``."""
    first = weighted[0].layers
    if any(layers[layer].shape != first[layer].shape for _, layers in weighted for layer in first):
        raise InputError(
            f"blend=targets: {type(loss).__name__} cannot average styles of different sizes. "
            "Set image.style_fit=content, or blend=losses."
        )
    return {layer: tf.add_n([share / total * layers[layer] for share, layers in weighted]) for layer in first}
