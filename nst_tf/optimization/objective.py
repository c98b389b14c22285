"""The objective: from a picture to the total loss, its gradient and its named terms, in one pass each way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from nst_tf.losses import Balance, LayerLoss, Loss
from nst_tf.optimization.references import FeatureFunction, References, extract_features
from nst_tf.optimization.terms import Term, TermInputs, active_losses
from nst_tf.optimizers import Evaluation
from nst_tf.util.compilation import compile_function
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import squared_sum

GRADIENT_FLOOR = 1e-3
"""Smallest gradient norm at the start, relative to that at white noise; smaller norms are rounding errors."""


class Objective:
    """The total loss ``Σ weight · loss`` of a picture, with fixed targets; it is called with the picture.

    Attributes:
        extractor: Picture to features, as `Backbone.extractor` gives it.

    Args:
        terms: The active losses by name, each with its targets.
    """

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
    ) -> Objective:
        """Compute every target once.

        Args:
            extractor: Picture to features of the layers in `nst_tf.optimization.terms.tapped_layers`.
            losses: Named losses; those of weight 0 are left out.
            content: ``(B, H, W, 3)``, RGB in [0, 1].
            styles: Pictures ``(B, h, w, 3)``, of any sizes.
            shares: One share per style; they should sum to 1.

        Raises:
            InputError: No loss has a weight above 0, or one refers to a style that was not given.
        """
        references = References(extractor, active_losses(losses), content, styles, shares)
        return cls(extractor, references.terms())

    @property
    def losses(self) -> dict[str, Loss]:
        """The active losses by name."""
        return {name: term.loss for name, term in self._terms.items()}

    @property
    def inputs(self) -> dict[str, TermInputs]:
        """Weights, targets and factors of every term, all as tensors: the second argument of `evaluator`'s function."""
        return {name: term.inputs.as_tensors() for name, term in self._terms.items()}

    def evaluator(self) -> Callable[[tf.Tensor, Mapping[str, TermInputs]], Evaluation]:
        """Return a function of a picture and `inputs`, which is compiled once for all objectives of these settings."""
        extractor, losses = self.extractor, self.losses

        def evaluate(image: tf.Tensor, inputs: Mapping[str, TermInputs]) -> Evaluation:
            return Objective(extractor, {name: Term(loss, inputs[name]) for name, loss in losses.items()})(image)

        return evaluate

    def with_weights(self, losses: Mapping[str, Loss]) -> Objective:
        """Return an objective with the same targets and the weights of ``losses``."""
        terms = {
            name: Term(losses[name], term.inputs._replace(weight=losses[name].weight))
            for name, term in self._terms.items()
        }
        return Objective(self.extractor, terms)

    @property
    def gradient_balanced(self) -> dict[tuple[str, str], float]:
        """Loss and layer of every layer under `Balance.gradient`, each with its weight ``w_l`` in the loss."""
        return {
            (name, layer): loss.effective_weight(layer)
            for name, loss in self.losses.items()
            if isinstance(loss, LayerLoss) and loss.balance is Balance.gradient
            for layer in loss.layers
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
        return Objective(self.extractor, terms)

    def _gradient_norms(self, image: tf.Tensor) -> tf.Tensor:
        """Compute ``‖∂(w_l E_l)/∂x‖`` of the layers in `gradient_balanced`, ``(layers, B)`` float64.

        It takes one evaluation per layer.
        """
        term_names = [f"{name}/{layer}" for name, layer in self.gradient_balanced]

        @compile_function
        def gradient_norm(image: tf.Tensor, one_hot: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(image)
                _, terms = self.values(image)
                value = tf.add_n([one_hot[n] * terms[name] for n, name in enumerate(term_names)])
            return tf.sqrt(squared_sum(tf.cast(tape.gradient(value, image), tf.float64)))

        rows = tf.unstack(tf.eye(len(term_names)))
        compiled = gradient_norm.get_concrete_function(image, rows[0])  # concrete, as in `References`
        return tf.stack([compiled(image, row) for row in rows])

    def __call__(self, image: tf.Tensor) -> Evaluation:
        """Compute total, gradient and terms.

        Args:
            image: ``(B, H, W, 3)``, RGB in [0, 1].

        Returns:
            The evaluation; its terms have the names of `nst_tf.optimization.terms.term_names`.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(image)
            total, terms = self.values(image)
        return Evaluation(total, tape.gradient(total, image), terms)

    def values(self, image: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Compute the total and the terms of a picture, ``(B,)`` float32 each, by the forward pass alone."""
        features = extract_features(self.extractor, image)
        terms: dict[str, tf.Tensor] = {}
        for name, term in self._terms.items():
            smoothed = term.smooth(features)
            layers = term.layers(smoothed)
            raw = tf.add_n(list(layers.values()))
            terms |= {name: term.inputs.weight * raw, f"{name}/raw": raw}
            terms |= {f"{name}/{layer}": value for layer, value in layers.items() if layer != "image"}
            diagnostics = term.loss.compute_diagnostics(smoothed)
            terms |= {f"{name}/{diagnostic}": value for diagnostic, value in diagnostics.items()}
        return tf.add_n([terms[name] for name in self._terms]), terms


def _factors_of(name: str, by_layer: Mapping[tuple[str, str], tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the layer factors of one loss, by layer."""
    return {layer: factor for (loss, layer), factor in by_layer.items() if loss == name}
