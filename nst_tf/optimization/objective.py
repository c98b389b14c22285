"""The objective: from a picture to the total loss, its gradient and its named terms, in one pass each way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from nst_tf.images import RegionMasks
from nst_tf.losses import Balance, Features, LayerLoss, Loss, Representation
from nst_tf.optimization.layer_gradients import LayerGradients, vjp_of_features
from nst_tf.optimization.reference_passes import ReferencePasses
from nst_tf.optimization.references import FeatureFunction, References, extract_features
from nst_tf.optimization.terms import (
    WHOLE_PICTURE,
    Draws,
    RegionInputs,
    Term,
    TermInputs,
    WeightedTarget,
    active_losses,
    part_name,
    redraw_period,
    rematch_period,
)
from nst_tf.optimizers import Evaluation, finest_level
from nst_tf.util.compilation import compile_function
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import squared_sum

GRADIENT_FLOOR = 1e-3
"""Smallest gradient norm at the start, relative to that at white noise; smaller norms are rounding errors."""


class Objective:
    """The total loss ``Σ weight · loss`` of a picture, with fixed targets; it is called with the picture.

    Attributes:
        extractor: Picture to features, as `Backbone.extractor` gives it.
        tile: Side of a tile in pixels, see `nst_tf.optimization.tiled_objective.TiledObjective`; None for none.

    Args:
        terms: The active losses by name, each with its targets.
    """

    tile: int | None = None

    def __init__(self, extractor: FeatureFunction, terms: Mapping[str, Term]) -> None:
        self.extractor, self._terms = extractor, terms

    @classmethod
    def prepare(
        cls,
        extractor: FeatureFunction,
        losses: Mapping[str, Loss],
        content: tf.Tensor,
        styles: Sequence[tf.Tensor],
        shares: Sequence[float],
        regions: Sequence[RegionMasks] = (),
        draws: Draws | None = None,
        passes: ReferencePasses | None = None,
    ) -> Objective:
        """Compute every target once.

        Args:
            extractor: Picture to features of the layers in `nst_tf.optimization.terms.tapped_layers`.
            losses: Named losses; those of weight 0 are left out.
            content: ``(B, H, W, 3)``, RGB in [0, 1].
            styles: Pictures ``(B, h, w, 3)``, of any sizes.
            shares: One share per style; they should sum to 1.
            regions: Regions of the picture, to which losses on the styles are limited; empty for the whole picture.
            draws: Seed and phase of the draws of losses; None for seed 0 and the first phase.
            passes: Passes over references that are kept for the next run; None keeps none.

        Raises:
            InputError: No loss has a weight above 0, or one refers to a style that was not given.
        """
        references = References(extractor, active_losses(losses), content, styles, shares, regions, draws, passes)
        return cls(extractor, references.terms())

    @property
    def losses(self) -> dict[str, Loss]:
        """The active losses by name."""
        return {name: term.loss for name, term in self._terms.items()}

    @property
    def inputs(self) -> dict[str, TermInputs]:
        """Weights, targets and factors of every term, all as tensors: the second argument of `evaluator`'s function."""
        return {name: term.inputs.as_tensors() for name, term in self._terms.items()}

    def evaluator(self) -> Callable[..., Evaluation]:
        """Return a function of a picture and `inputs`, which is compiled once for all objectives of these settings.

        If the objective `changes_by_step`, the function also takes the step of the phase.
        """
        losses = self.losses

        def evaluate(image: tf.Tensor, inputs: Mapping[str, TermInputs], step: tf.Tensor | None = None) -> Evaluation:
            return self._with_terms({name: Term(loss, inputs[name]) for name, loss in losses.items()})(image, step)

        return evaluate

    @property
    def changes_by_step(self) -> bool:
        """True if a loss draws anew in the course of a phase."""
        return any(redraw_period(term.loss) is not None for term in self._terms.values())

    @property
    def rematch_period(self) -> int | None:
        """Steps between two rematches of the losses whose targets follow the picture; None for none in a phase.

        Raises:
            InputError: Two losses have different periods.
        """
        periods = {rematch_period(term.loss) for term in self._terms.values() if term.loss.anchors}
        if len(periods) > 1:
            raise InputError("losses.NAME.rematch: losses whose targets follow the picture must have the same value")
        return periods.pop() if periods else None

    @property
    def anchors(self) -> bool:
        """True if the targets of a loss follow the picture, so that `anchored` makes them."""
        return any(term.loss.anchors for term in self._terms.values())

    def anchored(self, image: tf.Tensor, content: tf.Tensor) -> Objective:
        """Return the objective whose targets are matched to a picture, for the losses whose targets follow it.

        Args:
            image: ``(B, H, W, 3)``, RGB in [0, 1].
            content: The content at the same size.
        """
        terms = {
            name: self._anchored_term(term, image, content) if term.loss.anchors else term
            for name, term in self._terms.items()
        }
        return self._with_terms(terms)

    def _anchored_term(self, term: Term, image: tf.Tensor, content: tf.Tensor) -> Term:
        share = getattr(term.loss, "content_share", 0.0)
        if getattr(term.loss, "content_detail", False):
            image = image + finest_level(content)

        @compile_function
        def anchor(mixed: tf.Tensor, targets: list[dict[str, tf.Tensor]]) -> list[dict[str, tf.Tensor]]:
            features = term.smooth(extract_features(self.extractor, mixed))
            return [dict(term.loss.anchor(features, layers)) for layers in targets]

        regions = {}
        for name, region in term.inputs.regions.items():
            arguments = ((1 - share) * image + share * content, [dict(layers) for _, layers in region.targets])
            matched = anchor.get_concrete_function(*arguments)(*arguments)  # concrete, as in `References`
            targets = [WeightedTarget(old.share, new) for old, new in zip(region.targets, matched, strict=True)]
            regions[name] = region._replace(targets=targets)
        return replace(term, inputs=term.inputs._replace(regions=regions))

    def with_inputs(self, inputs: Mapping[str, TermInputs]) -> Objective:
        """Return an objective of the same losses with other targets, weights and factors."""
        return self._with_terms({name: replace(term, inputs=inputs[name]) for name, term in self._terms.items()})

    def with_weights(self, losses: Mapping[str, Loss]) -> Objective:
        """Return an objective with the same targets and the weights of ``losses``."""
        terms = {
            name: Term(losses[name], term.inputs._replace(weight=losses[name].weight))
            for name, term in self._terms.items()
        }
        return self._with_terms(terms)

    def with_targets(self, targets: Mapping[str, Representation]) -> Objective:
        """Return an objective whose losses without references have targets that are given from outside.

        Args:
            targets: Name of a loss to its one target. Names of losses that are not active are left out.
        """
        terms = dict(self._terms)
        for name in terms.keys() & targets.keys():
            regions = {WHOLE_PICTURE: RegionInputs([WeightedTarget(1.0, targets[name])], {})}
            terms[name] = replace(terms[name], inputs=terms[name].inputs._replace(regions=regions))
        return self._with_terms(terms)

    def _with_terms(self, terms: Mapping[str, Term]) -> Objective:
        """Return an objective that computes these terms in the same way."""
        return Objective(self.extractor, terms)

    @property
    def gradient_balanced(self) -> dict[tuple[str, str], float]:
        """Loss and `part_name` of every layer under `Balance.gradient`, each with its weight ``w_l`` in the loss."""
        return {
            (name, part_name(region, layer)): term.loss.effective_weight(layer) * term.share(region)
            for name, term in self._terms.items()
            if isinstance(term.loss, LayerLoss) and term.loss.balance is Balance.gradient
            for region in term.inputs.regions
            for layer in term.loss.part_names
        }

    def balance_gradients(self, start: tf.Tensor, noise: tf.Tensor) -> Objective:
        """Divide each layer in `gradient_balanced` by its gradient norm ``‖∂E_l/∂x‖`` at the start.

        A layer at its target has no gradient; the content loss, for example, has none at the content. Where the norm at
        the start is below `GRADIENT_FLOOR` times that at white noise, the layer is divided by the latter. A layer
        without any gradient stays as it is.

        Args:
            start: ``(B, H, W, 3)``, the start picture of the optimisation.
            noise: White noise, of the same shape.

        Returns:
            The objective with these layer factors.
        """
        at_start, at_noise = self._gradient_norms(start), self._gradient_norms(noise)
        norms = tf.where(at_start < GRADIENT_FLOOR * at_noise, at_noise, at_start)  # (layers, B), of w_l E_l
        weights = tf.abs(tf.constant(list(self.gradient_balanced.values()), tf.float64))[:, None]
        factors = tf.where(norms > 0, tf.math.divide_no_nan(weights, norms), 1.0)
        by_layer = dict(zip(self.gradient_balanced, tf.unstack(tf.cast(factors, tf.float32)), strict=True))
        terms = {
            name: replace(term, inputs=term.inputs._replace(layer_factors=_factors_of(name, by_layer)))
            for name, term in self._terms.items()
        }
        return self._with_terms(terms)

    def _gradient_norms(self, image: tf.Tensor) -> tf.Tensor:
        """Compute ``‖∂(w_l E_l)/∂x‖`` of the layers in `gradient_balanced`, ``(layers, B)`` float64.

        It takes one evaluation per layer, of the balanced losses alone: others may have targets that are yet to be
        matched to a picture.
        """
        term_names = [f"{name}/{layer}" for name, layer in self.gradient_balanced]
        balanced = self._with_terms({name: self._terms[name] for name, _ in self.gradient_balanced})

        @compile_function
        def gradient_norm(image: tf.Tensor, one_hot: tf.Tensor) -> tf.Tensor:
            def value_of(terms: Mapping[str, tf.Tensor]) -> tf.Tensor:
                return tf.add_n([one_hot[n] * terms[name] for n, name in enumerate(term_names)])

            _, gradient, _ = balanced.differentiate(image, value_of)
            return tf.sqrt(squared_sum(tf.cast(gradient, tf.float64)))

        rows = tf.unstack(tf.eye(len(term_names)))
        compiled = gradient_norm.get_concrete_function(image, rows[0])  # concrete, as in `References`
        return tf.stack([compiled(image, row) for row in rows])

    def __call__(self, image: tf.Tensor, step: tf.Tensor | None = None) -> Evaluation:
        """Compute total, gradient and terms.

        Args:
            image: ``(B, H, W, 3)``, RGB in [0, 1].
            step: Step of the phase, an int64 scalar, which decides draws; None is the start.

        Returns:
            The evaluation; its terms have the names of `nst_tf.optimization.terms.term_names`.
        """
        return Evaluation(*self.differentiate(image, self._total, step))

    def differentiate(
        self,
        image: tf.Tensor,
        value_of: Callable[[Mapping[str, tf.Tensor]], tf.Tensor],
        step: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """Compute a function of the terms, its gradient with respect to the picture, and the terms.

        Args:
            image: ``(B, H, W, 3)``, RGB in [0, 1].
            value_of: Function from the terms by name to ``(B,)`` float32.
            step: See `__call__`.

        Returns:
            ``(B,)`` float32, ``(B, H, W, 3)`` float32, and the terms, ``(B,)`` float32 each.
        """
        features, pull_back = vjp_of_features(self.extractor, image)
        with LayerGradients(features, self.losses.values()) as gradients:
            terms = self._terms_of(features, step)
            value = value_of(terms)
        return value, pull_back(gradients.towards(value)), terms

    def values(self, image: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Compute the total and the terms of a picture, ``(B,)`` float32 each, by the forward pass alone."""
        terms = self._term_values(image)
        return self._total(terms), terms

    def _total(self, terms: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return tf.add_n([terms[name] for name in self._terms])

    def _term_values(self, image: tf.Tensor, step: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return self._terms_of(extract_features(self.extractor, image), step)

    def _terms_of(self, features: Features, step: tf.Tensor | None) -> dict[str, tf.Tensor]:
        terms: dict[str, tf.Tensor] = {}
        for name, term in self._terms.items():
            smoothed = term.smooth(features, step)
            terms |= self._named(name, term, term.layers(smoothed))
            diagnostics = term.loss.compute_diagnostics(smoothed)
            terms |= {f"{name}/{diagnostic}": value for diagnostic, value in diagnostics.items()}
        return terms

    def _named(self, name: str, term: Term, layers: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return the terms of one loss, by their names in `nst_tf.optimization.terms.term_names`."""
        raw = tf.add_n(list(layers.values()))
        named = {name: term.inputs.weight * raw, f"{name}/raw": raw}
        return named | {f"{name}/{layer}": value for layer, value in layers.items() if layer != "image"}


def _factors_of(name: str, by_layer: Mapping[tuple[str, str], tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the layer factors of one loss, by layer."""
    return {layer: factor for (loss, layer), factor in by_layer.items() if loss == name}
