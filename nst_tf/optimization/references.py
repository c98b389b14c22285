"""Targets of the losses, computed from content and styles once before the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from nst_tf.losses import Blend, Features, LayerLoss, Loss, Representation, Temperatures
from nst_tf.optimization.terms import Term, TermInputs, WeightedTarget
from nst_tf.util.compilation import compile_function
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

FeatureFunction: TypeAlias = "Callable[[tf.Tensor], dict[str, tf.Tensor]]"
"""A picture ``(B, H, W, 3)`` to its features by layer, as `Backbone.extractor` gives it."""

Measure: TypeAlias = "Callable[[Features], Mapping[str, tf.Tensor]]"
"""Features of a reference to a tensor per layer: a representation, or temperatures."""


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

    Raises:
        InputError: A loss refers to a style that was not given, or it compares position by position with a picture of
            another shape.
    """

    def __init__(
        self,
        extractor: FeatureFunction,
        losses: Mapping[str, Loss],
        content: tf.Tensor,
        styles: Sequence[tf.Tensor],
        shares: Sequence[float],
    ) -> None:
        self._extractor, self._losses = extractor, losses
        style_names = [f"style:{n}" for n in range(1, len(styles) + 1)]
        self._pictures = {"content": content} | dict(zip(style_names, styles, strict=True))
        self._shares = {"content": 1.0} | dict(zip(style_names, shares, strict=True))
        self._references_of = {name: loss.references(len(styles)) for name, loss in losses.items()}
        for name, loss in losses.items():
            self._check_shapes(name, loss)

    def terms(self) -> dict[str, Term]:
        """Return each loss with its targets.

        All references of a loss share the temperatures of its softmax. So these are measured first, in a pass over the
        references that only losses with a softmax need.
        """
        temperatures = self._temperatures()
        measures = {name: _representation(loss, temperatures[name]) for name, loss in self._losses.items()}
        seen = self._measure(measures)
        return {name: self._term(loss, seen[name], temperatures[name]) for name, loss in self._losses.items()}

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
        measures = {name: loss.temperatures for name, loss in self._losses.items() if loss.uses_temperature}
        seen = self._measure(measures)
        return {
            name: _weighted_mean(loss, self._with_shares(seen[name])) if name in seen else {}
            for name, loss in self._losses.items()
        }

    def _measure(self, measures: Mapping[str, Measure]) -> dict[str, dict[str, Representation]]:
        """Apply each loss's measure to its references: loss to reference to values by layer."""
        seen: dict[str, dict[str, Representation]] = {name: {} for name in measures}
        for reference, picture in self._pictures.items():
            wanted = {name: measure for name, measure in measures.items() if reference in self._references_of[name]}
            for name, values in _measure_picture(self._extractor, wanted, picture).items():
                seen[name][reference] = values
        return seen

    def _with_shares(self, seen: Mapping[str, Representation]) -> list[WeightedTarget]:
        """Give each reference its share; a single reference counts in full."""
        return [
            WeightedTarget(1.0 if len(seen) == 1 else self._shares[reference], values)
            for reference, values in seen.items()
        ]

    def _term(self, loss: Loss, seen: Mapping[str, Representation], temperatures: Temperatures) -> Term:
        """Join a loss with its targets, which ``blend=targets`` averages into one."""
        if not seen:
            return Term(loss, TermInputs(loss.weight, [WeightedTarget(1.0, {})], {}, {}))
        weighted = self._with_shares(seen)
        if isinstance(loss, LayerLoss) and loss.blend is Blend.targets:
            weighted = [WeightedTarget(1.0, _weighted_mean(loss, weighted))]
        targets = [WeightedTarget(share, loss.finalize_targets(layers)) for share, layers in weighted]
        return Term(loss, TermInputs(loss.weight, targets, temperatures, {}))


def _representation(loss: Loss, temperatures: Temperatures) -> Measure:
    return lambda features: loss.represent(loss.smooth(features, temperatures))


def _measure_picture(
    extractor: FeatureFunction, measures: Mapping[str, Measure], picture: tf.Tensor
) -> dict[str, Representation]:
    """Apply measures to the features of one picture, ``(B, h, w, 3)``.

    The pass is compiled, so that each layer's features are freed as soon as they have been measured. It is called as a
    concrete function, because TensorFlow warns of functions that are traced at every call.
    """
    if not measures:
        return {}

    @compile_function
    def run(image: tf.Tensor) -> dict[str, Representation]:
        features = extract_features(extractor, image)
        return {name: dict(measure(features)) for name, measure in measures.items()}

    return run.get_concrete_function(picture)(picture)


def _weighted_mean(loss: Loss, weighted: Sequence[WeightedTarget]) -> dict[str, tf.Tensor]:
    """Compute the mean by shares of several references' values."""
    first = weighted[0].layers
    if any(layers[layer].shape != first[layer].shape for _, layers in weighted for layer in first):
        raise InputError(
            f"blend=targets: {type(loss).__name__} cannot average styles of different sizes. "
            "Set image.style_fit=content, or blend=losses."
        )
    return {layer: tf.add_n([share * layers[layer] for share, layers in weighted]) for layer in first}
