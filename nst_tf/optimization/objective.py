"""One forward and one backward pass: from a picture to the total loss, its gradient and its named terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from nst_tf.losses import Balance, LayerLoss, Loss
from nst_tf.optimization.references import FeatureFunction, References, extract_features
from nst_tf.optimization.terms import Term, TermInputs, active_losses
from nst_tf.optimizers import Evaluation
from nst_tf.util.lazy import tf
from nst_tf.util.tensors import squared_sum

FLAT = 1e-3
"""Slopes below this part of the slope at white noise are rounding."""


class Objective:
    """The total loss ``Σ weight · loss`` of a picture under fixed targets.

    Attributes:
        extractor: Picture to features, as `Backbone.extractor` gives it.

    Args:
        terms: Named losses with their weights and targets.
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
            extractor: Picture to features of the layers in `taps`.
            losses: Named losses; those of weight 0 are left out.
            content: ``(B, H, W, 3)``, RGB in [0, 1].
            styles: Pictures ``(B, h, w, 3)``, of any sizes.
            shares: One share a style; they should sum to 1.

        Raises:
            InputError: No loss has a weight above 0, or one refers to a style that was not given.
        """
        references = References(extractor, active_losses(losses), content, styles, shares)
        return cls(extractor, references.terms())

    @property
    def losses(self) -> dict[str, Loss]:
        """The losses that count."""
        return {name: term.loss for name, term in self._terms.items()}

    @property
    def inputs(self) -> dict[str, TermInputs]:
        """Its weights and targets, all as tensors: what `evaluator` takes beside a picture."""
        return {name: term.inputs for name, term in self._terms.items()}

    def evaluator(self) -> Callable[[tf.Tensor, Mapping[str, TermInputs]], Evaluation]:
        """Picture and `inputs` to evaluation: the objective without its numbers, compiled once for all of its form."""
        extractor, losses = self.extractor, self.losses

        def evaluate(image: tf.Tensor, inputs: Mapping[str, TermInputs]) -> Evaluation:
            return Objective(extractor, {name: Term(loss, *inputs[name]) for name, loss in losses.items()})(image)

        return evaluate

    def with_weights(self, losses: Mapping[str, Loss]) -> Objective:
        """The same losses and targets under the weights of ``losses``."""
        terms = {
            name: replace(term, loss=losses[name], weight=losses[name].weight) for name, term in self._terms.items()
        }
        return Objective(self.extractor, terms)

    @property
    def gradient_balanced(self) -> dict[tuple[str, str], float]:
        """Loss and layer of those that `Balance.gradient` balances, each with its share ``w_l`` of the loss."""
        return {
            (name, layer): loss.share(layer)
            for name, loss in self.losses.items()
            if isinstance(loss, LayerLoss) and loss.balance is Balance.gradient
            for layer in loss.layers
        }

    def balance_gradients(self, start: tf.Tensor, noise: tf.Tensor) -> Objective:
        """The same, with each layer in `sloped` divided by its slope ``‖∂E_l/∂x‖`` at the start.

        A layer has no slope where it is at its target, as the content loss is at the content. One whose slope at the
        start is less than `FLAT` of that at white noise is divided by the latter, and one without any left as it is.

        Args:
            start: ``(B, H, W, 3)``, what the optimisation starts from.
            noise: White noise, of the same shape.
        """
        at_start, at_noise = self._slopes(start), self._slopes(noise)
        slopes = tf.where(at_start < FLAT * at_noise, at_noise, at_start)  # (layers, B) of w_l E_l
        shares = tf.abs(tf.constant(list(self.gradient_balanced.values()), tf.float64))[:, None]
        factors = tf.where(slopes > 0, tf.math.divide_no_nan(shares, slopes), 1.0)
        named = dict(zip(self.gradient_balanced, tf.unstack(tf.cast(factors, tf.float32)), strict=True))
        terms = {name: replace(term, factors=_of(name, named)) for name, term in self._terms.items()}
        return Objective(self.extractor, terms)

    def _slopes(self, image: tf.Tensor) -> tf.Tensor:
        """Norms of the pixel gradients of the layers in `sloped`, ``(layers, B)`` float64; an evaluation each."""
        term_names = [f"{name}/{layer}" for name, layer in self.gradient_balanced]

        @tf.function(autograph=False)
        def slope(image: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(image)
                _, terms = self.values(image)
                value = tf.add_n([chosen[n] * terms[column] for n, column in enumerate(term_names)])
            return tf.sqrt(squared_sum(tf.cast(tape.gradient(value, image), tf.float64)))

        rows = tf.unstack(tf.eye(len(term_names)))
        compiled = slope.get_concrete_function(image, rows[0])  # for this one picture, as in `References`
        return tf.stack([compiled(image, row) for row in rows])

    def __call__(self, image: tf.Tensor) -> Evaluation:
        """Total, gradient and terms at ``image`` ``(B, H, W, 3)``; see `columns` for the terms' names."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(image)
            total, terms = self.values(image)
        return Evaluation(total, tape.gradient(total, image), terms)

    def values(self, image: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Total ``(B,)`` and terms at ``image``, the forward pass alone."""
        features = extract_features(self.extractor, image)
        terms: dict[str, tf.Tensor] = {}
        for name, term in self._terms.items():
            seen = term.smooth(features)
            layers = term.layers(seen)
            raw = tf.add_n(list(layers.values()))
            terms |= {name: term.weight * raw, f"{name}/raw": raw}
            terms |= {f"{name}/{layer}": value for layer, value in layers.items() if layer != "image"}
            terms |= {f"{name}/{told}": value for told, value in term.loss.compute_diagnostics(seen).items()}
        return tf.add_n([terms[name] for name in self._terms]), terms


def _of(name: str, factors: Mapping[tuple[str, str], tf.Tensor]) -> dict[str, tf.Tensor]:
    """The factors of one loss, by layer."""
    return {layer: factor for (loss, layer), factor in factors.items() if loss == name}
