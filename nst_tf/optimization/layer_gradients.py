"""Gradients with respect to features, each computed when the network's backward pass asks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, Self

from nst_tf.backbones import Extractor
from nst_tf.backbones.gradients import GradientOf, Vjp, vjp
from nst_tf.losses import Features, LayerLoss, Loss
from nst_tf.optimization.references import FeatureFunction
from nst_tf.optimization.terms import layers_read
from nst_tf.util.lazy import tf


def vjp_of_features(extractor: FeatureFunction, image: tf.Tensor) -> Vjp:
    """Return the features of a picture, with the picture itself under ``"image"``, and their backward pass.

    Args:
        extractor: Picture to features.
        image: ``(B, H, W, 3)``, RGB in [0, 1].
    """
    if isinstance(extractor, Extractor):
        features, pull_back = extractor.vjp(image)
    else:
        features, pull_back = vjp(lambda x: {name: tf.identity(y) for name, y in extractor(x).items()}, image)

    def pull_back_to_image(gradient_of: GradientOf) -> tf.Tensor | None:
        gradients = pull_back(gradient_of), gradient_of("image")
        known = [gradient for gradient in gradients if gradient is not None]
        return tf.add_n(known) if known else None

    return {"image": image} | features, pull_back_to_image


class LayerGradients:
    """Records what is computed from features within its ``with`` block, layer by layer.

    TensorFlow would compute the gradient that a loss sends to a layer as soon as it can, and keep it until the backward
    pass comes to that layer. With one tape for each layer, `towards` makes it no sooner than it is asked for.

    Args:
        features: Features by layer, as `vjp_of_features` gives them.
        losses: The losses that will read them. A layer that only `LayerLoss`es read has its gradient computed by
            itself; the gradients of `joint_layers` are computed together.
    """

    def __init__(self, features: Features, losses: Iterable[Loss]) -> None:
        self._features = features
        groups = _groups(features, list(losses))
        self._tapes = [(group, tf.GradientTape(watch_accessed_variables=False)) for group in groups]
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for group, tape in self._tapes:
            self._stack.enter_context(tape)
            tape.watch([self._features[name] for name in group])
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def towards(self, value: Any, upstream: Any = None) -> GradientOf:
        """Return the function from a layer's name to the gradient of a value, or of several; call it after the block.

        Args:
            value: A tensor, or a list of tensors, that was computed within the block.
            upstream: Gradients with respect to ``value``; None for ones.
        """
        known: dict[str, tf.Tensor | None] = {}

        def gradient_of(name: str) -> tf.Tensor | None:
            if name not in known:
                group, tape = next((group, tape) for group, tape in self._tapes if name in group)
                sources = [self._features[each] for each in group]
                known.update(zip(group, tape.gradient(value, sources, output_gradients=upstream), strict=True))
            return known[name]

        return gradient_of


def joint_layers(losses: Iterable[Loss]) -> list[str]:
    """Return the layers of the network that a loss reads together with others, so that all need their gradients first.

    Every loss does so but a `LayerLoss`, whose layers are compared one by one.
    """
    return layers_read(loss for loss in losses if not isinstance(loss, LayerLoss))


def _groups(names: Iterable[str], losses: Sequence[Loss]) -> list[list[str]]:
    """Return the layers whose gradients are computed together; those that nobody declares belong to the last group."""
    separate = set(layers_read(losses)) - set(joint_layers(losses))
    alone = [[name] for name in names if name in separate]
    together = [name for name in names if name not in separate]
    return [*alone, together] if together else alone
