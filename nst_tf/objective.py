"""One forward and one backward pass: from a picture to the total loss, its gradient and its named terms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf

from nst_tf.errors import InputError
from nst_tf.losses import Blend, Features, LayerLoss, Loss, Targets
from nst_tf.optimizers import Evaluation

Extractor = Callable[[tf.Tensor], dict[str, tf.Tensor]]


Targeted = Sequence[tuple[tf.Tensor | float, Targets]]
"""Targets, each with its share of a loss."""

Numbers = tuple[tf.Tensor | float, Targeted]
"""What of a term is no form: the loss's weight, and what it compares with."""


@dataclass
class Term:
    """A loss, its weight, and what it compares with."""

    loss: Loss
    weight: tf.Tensor | float
    targets: Targeted

    @property
    def numbers(self) -> Numbers:
        """All but the loss, as tensors."""
        targets = [(tf.constant(share), dict(targets)) for share, targets in self.targets]
        return tf.constant(self.weight), targets

    def layers(self, features: Features) -> dict[str, tf.Tensor]:
        """Each layer's share of the raw loss, ``(B,)``, summed over the targets by their shares.

        The picture's own representation (its Gram matrices, say) is computed once for all targets.
        """
        representation = self.loss.represent(features)
        distances = [
            {layer: share * value for layer, value in self.loss.distance(representation, targets).items()}
            for share, targets in self.targets
        ]
        return {layer: tf.add_n([distance[layer] for distance in distances]) for layer in distances[0]}


def columns(losses: Mapping[str, Loss]) -> list[str]:
    """Names of the terms an objective of these losses reports, in order.

    For a loss ``style``: ``style`` its weighted share of the total, ``style/raw`` its raw value, and
    ``style/conv1_1`` … what each layer adds to the raw value.
    """
    names = []
    for name, loss in active(losses).items():
        layers = [f"{name}/{layer}" for layer in loss.taps if layer != "image"]
        names += [name, f"{name}/raw", *layers]
    return names


def active(losses: Mapping[str, Loss]) -> dict[str, Loss]:
    """The losses that count: those of a weight above 0.

    Raises:
        InputError: None does.
    """
    counting = {name: loss for name, loss in losses.items() if loss.weight > 0}
    if not counting:
        raise InputError("every loss has weight 0: give at least one of losses.NAME.weight a value above 0")
    return counting


def taps(losses: Mapping[str, Loss]) -> list[str]:
    """The backbone layers the active losses read, each once, in the order first asked for."""
    layers = [layer for loss in active(losses).values() for layer in loss.taps]
    return [layer for layer in dict.fromkeys(layers) if layer != "image"]


class Objective:
    """The total loss ``Σ weight · loss`` of a picture under fixed targets.

    Attributes:
        extractor: Picture to features, as `Backbone.extractor` gives it.

    Args:
        terms: Named losses with their weights and targets.
    """

    def __init__(self, extractor: Extractor, terms: Mapping[str, Term]) -> None:
        self.extractor, self._terms = extractor, terms

    @classmethod
    def prepare(
        cls,
        extractor: Extractor,
        losses: Mapping[str, Loss],
        content: tf.Tensor,
        styles: Sequence[tf.Tensor],
        shares: Sequence[float],
    ) -> "Objective":
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
        losses = active(losses)
        pictures = {"content": content} | {f"style:{n}": style for n, style in enumerate(styles, start=1)}
        weights = {"content": 1.0} | {f"style:{n}": share for n, share in enumerate(shares, start=1)}
        seen: dict[str, dict[str, Targets]] = {name: {} for name in losses}
        for name, loss in losses.items():
            _check_shapes(name, loss, pictures)
        for reference, picture in pictures.items():
            looking = {name: loss for name, loss in losses.items() if reference in loss.references(len(styles))}
            for name, representation in _represented(extractor, looking, picture).items():
                seen[name][reference] = representation
        return cls(extractor, {name: _term(loss, seen[name], weights) for name, loss in losses.items()})

    @property
    def losses(self) -> dict[str, Loss]:
        """The losses that count."""
        return {name: term.loss for name, term in self._terms.items()}

    @property
    def inputs(self) -> dict[str, Numbers]:
        """Its weights and targets, all as tensors: what `evaluator` takes beside a picture."""
        return {name: term.numbers for name, term in self._terms.items()}

    def evaluator(self) -> Callable[[tf.Tensor, Mapping[str, Numbers]], Evaluation]:
        """Picture and `inputs` to evaluation: the objective without its numbers, compiled once for all of its form."""
        extractor, losses = self.extractor, self.losses

        def evaluate(image: tf.Tensor, inputs: Mapping[str, Numbers]) -> Evaluation:
            return Objective(extractor, {name: Term(loss, *inputs[name]) for name, loss in losses.items()})(image)

        return evaluate

    def weighted(self, losses: Mapping[str, Loss]) -> "Objective":
        """The same losses and targets under the weights of ``losses``."""
        terms = {name: Term(losses[name], losses[name].weight, term.targets) for name, term in self._terms.items()}
        return Objective(self.extractor, terms)

    def __call__(self, image: tf.Tensor) -> Evaluation:
        """Total, gradient and terms at ``image`` ``(B, H, W, 3)``; see `columns` for the terms' names."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(image)
            total, terms = self.values(image)
        return Evaluation(total, tape.gradient(total, image), terms)

    def values(self, image: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Total ``(B,)`` and terms at ``image``, the forward pass alone."""
        features = _features(self.extractor, image)
        terms: dict[str, tf.Tensor] = {}
        for name, term in self._terms.items():
            layers = term.layers(features)
            raw = tf.add_n(list(layers.values()))
            terms |= {name: term.weight * raw, f"{name}/raw": raw}
            terms |= {f"{name}/{layer}": value for layer, value in layers.items() if layer != "image"}
        return tf.add_n([terms[name] for name in self._terms]), terms


def _check_shapes(name: str, loss: Loss, pictures: Mapping[str, tf.Tensor]) -> None:
    """Refuse to compare position by position with a picture of another shape."""
    for reference in loss.references(len(pictures) - 1):
        if loss.positional and pictures[reference].shape[1:3] != pictures["content"].shape[1:3]:
            raise InputError(
                f"losses.{name}.reference={reference} compares position by position with a picture of another shape: "
                "set image.style_fit=content"
            )


def _features(extractor: Extractor, image: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"image": image} | extractor(image)


def _represented(extractor: Extractor, losses: Mapping[str, Loss], picture: tf.Tensor) -> dict[str, Targets]:
    """What some losses see in a picture; compiled, so that each feature is let go as soon as it has been looked at.

    For this one look: as a concrete function, since TensorFlow warns of functions that are traced as often as called.
    """
    if not losses:
        return {}

    @tf.function(autograph=False)
    def look(image: tf.Tensor) -> dict[str, Targets]:
        features = _features(extractor, image)
        return {name: dict(loss.represent(features)) for name, loss in losses.items()}

    return look.get_concrete_function(picture)(picture)


def _term(loss: Loss, seen: Mapping[str, Targets], weights: Mapping[str, float]) -> Term:
    """The loss with the targets of its references, blended into one where it asks for that."""
    if not seen:
        return Term(loss, loss.weight, [(1.0, {})])
    alone = len(seen) == 1  # a single reference counts in full, whatever its share among several
    shared = [(1.0 if alone else weights[reference], representation) for reference, representation in seen.items()]
    if isinstance(loss, LayerLoss) and loss.blend is Blend.targets:
        shared = [(1.0, _blended(loss, shared))]
    return Term(loss, loss.weight, [(share, loss.settle(representation)) for share, representation in shared])


def _blended(loss: Loss, shared: Sequence[tuple[float, Targets]]) -> Targets:
    """The weighted mean of what the loss saw in some pictures."""
    first = shared[0][1]
    if any(seen[layer].shape != first[layer].shape for _, seen in shared for layer in first):
        raise InputError(
            f"blend=targets: {type(loss).__name__} cannot blend styles of different sizes; "
            "set image.style_fit=content, or blend=losses"
        )
    return {layer: tf.add_n([share * seen[layer] for share, seen in shared]) for layer in first}
