"""What losses see in the pictures they refer to, once before the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from nst_tf.losses import Blend, Features, LayerLoss, Loss, Targets
from nst_tf.optimization.terms import Term
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

FeatureFunction: TypeAlias = "Callable[[tf.Tensor], dict[str, tf.Tensor]]"

Representation: TypeAlias = "Callable[[Features], Targets]"


def extract_features(extractor: FeatureFunction, image: tf.Tensor) -> dict[str, tf.Tensor]:
    """Features by layer, the picture itself among them."""
    return {"image": image} | extractor(image)


class References:
    """Content and styles, and how losses look at them.

    Args:
        extractor: Picture to features.
        losses: Those that count, by name.
        content: ``(B, H, W, 3)``.
        styles: ``(B, h, w, 3)`` each, of any sizes.
        shares: One share a style.

    Raises:
        InputError: A loss refers to a style that was not given, or compares position by position with one of another
            shape.
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
        names = [f"style:{n}" for n in range(1, len(styles) + 1)]
        self._pictures = {"content": content} | dict(zip(names, styles, strict=True))
        self._weights = {"content": 1.0} | dict(zip(names, shares, strict=True))
        self._named = {name: loss.references(len(styles)) for name, loss in losses.items()}
        for name, loss in losses.items():
            self._check_shapes(name, loss)

    def terms(self) -> dict[str, Term]:
        """Each loss with its targets.

        Features that a softmax smooths are divided by temperatures that all references of a loss share, so these are
        found first, in a pass that is taken for such losses alone.
        """
        measured = self._seen({name: loss.temperatures for name, loss in self._losses.items() if loss.uses_temperature})
        shared = {name: _blended(self._losses[name], self._shared(seen)) for name, seen in measured.items()}
        temperatures = {name: shared.get(name, {}) for name in self._losses}
        seen = self._seen({name: _look(loss, temperatures[name]) for name, loss in self._losses.items()})
        return {name: self._term(loss, seen[name], temperatures[name]) for name, loss in self._losses.items()}

    def _check_shapes(self, name: str, loss: Loss) -> None:
        for reference in self._named[name]:
            shape = self._pictures[reference].shape[1:3]
            if loss.positional and shape != self._pictures["content"].shape[1:3]:
                raise InputError(
                    f"losses.{name}.reference={reference} compares position by position with a picture of another "
                    "shape: set image.style_fit=content"
                )

    def _seen(self, looks: Mapping[str, Representation]) -> dict[str, dict[str, Targets]]:
        """What losses see in their references: loss to reference to that."""
        seen: dict[str, dict[str, Targets]] = {name: {} for name in looks}
        for reference, picture in self._pictures.items():
            looking = {name: look for name, look in looks.items() if reference in self._named[name]}
            for name, targets in _looked(self._extractor, looking, picture).items():
                seen[name][reference] = targets
        return seen

    def _shared(self, seen: Mapping[str, Targets]) -> list[tuple[float, Targets]]:
        """What was seen, with shares; a single reference counts in full, whatever its share among several."""
        return [(1.0 if len(seen) == 1 else self._weights[reference], targets) for reference, targets in seen.items()]

    def _term(self, loss: Loss, seen: Mapping[str, Targets], temperatures: Targets) -> Term:
        """The loss with its targets, blended into one where it asks for that."""
        if not seen:
            return Term(loss, loss.weight, [(1.0, {})])
        shared = self._shared(seen)
        if isinstance(loss, LayerLoss) and loss.blend is Blend.targets:
            shared = [(1.0, _blended(loss, shared))]
        return Term(
            loss,
            loss.weight,
            [(share, {**loss.finalize_targets(targets), **temperatures}) for share, targets in shared],
        )


def _look(loss: Loss, temperatures: Targets) -> Representation:
    return lambda features: loss.represent(loss.smooth(features, temperatures))


def _looked(extractor: FeatureFunction, looks: Mapping[str, Representation], picture: tf.Tensor) -> dict[str, Targets]:
    """What is seen in one picture; compiled, so that each feature is let go as soon as it has been looked at.

    For this one look: as a concrete function, since TensorFlow warns of functions that are traced as often as called.
    """
    if not looks:
        return {}

    @tf.function(autograph=False)
    def run(image: tf.Tensor) -> dict[str, Targets]:
        features = extract_features(extractor, image)
        return {name: dict(look(features)) for name, look in looks.items()}

    return run.get_concrete_function(picture)(picture)


def _blended(loss: Loss, shared: Sequence[tuple[float, Targets]]) -> Targets:
    """The weighted mean of what the loss saw in some pictures."""
    first = shared[0][1]
    if any(seen[layer].shape != first[layer].shape for _, seen in shared for layer in first):
        raise InputError(
            f"blend=targets: {type(loss).__name__} cannot blend styles of different sizes; "
            "set image.style_fit=content, or blend=losses"
        )
    return {layer: tf.add_n([share * seen[layer] for share, seen in shared]) for layer in first}
