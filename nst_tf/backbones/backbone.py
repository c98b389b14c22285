"""What every pretrained network offers: features by layer name."""

from __future__ import annotations

import difflib
import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from nst_tf.backbones import float16
from nst_tf.backbones import weights as weights_
from nst_tf.backbones.architecture import Architecture
from nst_tf.backbones.blueprint import blueprint
from nst_tf.backbones.choices import Padding, Pooling
from nst_tf.backbones.download import Embedded, Pretrained, digest
from nst_tf.backbones.extractor import Extractor
from nst_tf.backbones.gradients import Network
from nst_tf.backbones.graph import operations
from nst_tf.backbones.preprocessing import FEATURE_SCALES, PREPROCESSORS, Preprocessing
from nst_tf.backbones.segments import Segment, chained, segments
from nst_tf.backbones.sizes import smallest_input
from nst_tf.backbones.weights import MissingWeights
from nst_tf.util.checks import at_least, coerce_choices
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import keras
from nst_tf.util.roles import role

log = logging.getLogger(__name__)


@dataclass
class Backbone:
    """A Keras network, cut where it is not needed; its fields are its Hydra schema.

    A subclass names its ``application``, its ``pretrained`` file and its ``stages``; `aliases` adds a paper's names,
    and a table in place of `architecture` spares drawing up the network to resolve a name.

    Attributes:
        weights: ``imagenet`` (Keras's file, cached or downloaded), ``random`` (seeded He-normal kernels, zero
            biases), or the path of an ``.h5`` or ``.weights.h5`` file.
        pooling: ``max``, as trained, or ``average``, as in Gatys et al. 2016; it changes nothing in a network that has
            no max pooling.
        padding: ``zero``, as trained, or ``reflect``, which avoids the frame that zeros draw.
        preprocessing: By default that of Keras's weights, here ``caffe``; ``torch`` for weights trained with
            torchvision's normalisation, such as a converted file (see `preprocessing.torch`); ``torch_on_caffe``
            for a paper with that normalisation on Keras's VGG weights.
        missing_weights: ``error``, or ``random`` to fill kernels that a file lacks (zeros, whole or in part).
        seed: For random kernels; not negative.
    """

    weights: str = field(default=Pretrained.keyword, metadata=role(in_fingerprint=False, in_run_name=False))
    pooling: Pooling = Pooling.max
    padding: Padding = Padding.zero
    preprocessing: Preprocessing = Preprocessing.caffe
    missing_weights: MissingWeights = MissingWeights.error
    seed: int = 0

    name: ClassVar[str]
    application: ClassVar[Callable[..., Any]]
    pretrained: ClassVar[Pretrained | Embedded]
    stages: ClassVar[tuple[str, ...]] = ()
    """For each resolution at which the network convolves, its last layer through which everything flows."""
    homogeneous: ClassVar[bool] = False  # made of convolutions, ReLUs and poolings alone

    def __post_init__(self) -> None:
        """Accept the names of choices as well as the choices, and reject what cannot be used."""
        coerce_choices(self, "backbone.")
        at_least("backbone.seed", self.seed, 0)
        if not self.weights:
            raise InputError(f"backbone.weights is empty; it takes {self.pretrained.keyword}, random or a path")

    def aliases(self) -> dict[str, str]:
        """Names from papers, and ``stage1`` … for the end of each resolution, with their Keras names."""
        return {f"stage{n}": name for n, name in enumerate(self.stages, 1)}

    def architecture(self) -> Architecture:
        """Names and weight shapes of the whole network."""
        return _architecture(type(self).application)

    def resolve(self, layer: str) -> str:
        """Find a layer; needs no weights.

        Args:
            layer: A paper's name (``conv4_2`` or ``relu4_2``: after its ReLU), a Keras name
                (``block4_conv2``), ``conv:13`` (the 13th convolution, counted from 1), or ``stage4`` (the end
                of a resolution).

        Returns:
            The Keras layer's name.

        Raises:
            InputError: No such layer; lists those there are.
        """
        names = self._names()
        if layer not in names:
            raise InputError(self._unknown(layer, list(names)))
        return names[layer]

    def extractor(self, layers: Sequence[str], precision: str = "float32", recompute: bool = False) -> Extractor:
        """Build the network as deep as the deepest layer asked for, and no deeper.

        Args:
            layers: Names that `resolve` knows. An empty list gives an extractor that returns ``{}``, without
                reading weights.
            precision: Keras's dtype policy of the layers, ``float32``, ``mixed_bfloat16`` or ``mixed_float16``;
                features come in its compute type, those of float16 raised to float32.
            recompute: Keep only what flows between `segments`, and compute the rest again in the backward pass.

        Returns:
            A callable from a picture ``(B, H, W, 3)`` to ``{name: features (B, h, w, C)}``.

        Raises:
            InputError: Unknown layer, or weights that are absent, damaged or of another network.
        """
        from nst_tf.backbones.transposed_conv import finalize_kernels

        taps = {layer: self.resolve(layer) for layer in layers}
        if not taps:
            return Extractor(taps, None, lambda x: {}, [], PREPROCESSORS[self.preprocessing])
        path = weights_.locate(self.weights, self.name, self.pretrained)
        model = self._build(set(taps.values()), precision)
        if path is None:
            weights_.randomize(model, self.architecture(), self.seed)
        else:
            weights_.load(model, self.name, self.architecture(), path, self.missing_weights, self.seed)
        finalize_kernels(model)
        self._warn_of_preprocessing()
        scale = FEATURE_SCALES.get(self.preprocessing, 1.0)
        pieces = segments(model) if recompute else [Segment(model)]
        network = chained(pieces) if recompute else functools.partial(model, training=False)
        if precision == "mixed_float16":
            network = self._guarded(model, network)
        return Extractor(taps, model, network, pieces, PREPROCESSORS[self.preprocessing], smallest_input(model), scale)

    def identity(self) -> dict[str, str | None]:
        """What tells this network from another, for provenance.

        Returns:
            ``name``, ``weights`` (as configured), ``path`` and ``sha256`` of the file, None for ``random``.

        Raises:
            InputError: The weights file is absent.
        """
        path = weights_.locate(self.weights, self.name, self.pretrained)
        return {
            "name": self.name,
            "weights": self.weights,
            "path": str(path) if path else None,
            "sha256": digest(path, "sha256") if path else None,
        }

    def _guarded(self, model: Any, network: Network) -> Network:
        """A network in float16 that stays in its range."""
        if self.homogeneous:
            float16.shrink(model)
        return float16.with_gradient_scaling(network, float16.HEADROOM if self.homogeneous else 1.0)

    def _build(self, names: set[str], precision: str) -> Any:
        from nst_tf.backbones.surgery import modified_copy

        whole = blueprint(type(self).application)
        found = operations(whole)
        cut = keras.Model(whole.input, {name: found[name].output for name in names}, name=self.name)
        return modified_copy(cut, self.pooling, self.padding, precision, frozen=True)

    def _names(self) -> dict[str, str]:
        architecture = self.architecture()
        numbered = {f"conv:{n}": name for n, name in enumerate(architecture.convolutions, 1)}
        return {**self.aliases(), **numbered, **{name: name for name in architecture.layers}}

    def _unknown(self, layer: str, names: list[str]) -> str:
        papers = [name for name in self.aliases() if not name.startswith("relu")]
        numbered = f"conv:1 to conv:{len(self.architecture().convolutions)}"
        close = difflib.get_close_matches(str(layer), names, n=1)
        suggestion = f"; did you mean {close[0]!r}?" if close else ""
        return (
            f"Unknown layer {layer!r} for {self.name}; available: {', '.join(papers)}, {numbered} "
            f"and Keras's own names such as {self.architecture().layers[0]}{suggestion}"
        )

    def _warn_of_preprocessing(self) -> None:
        trained = type(self).preprocessing
        fitting = {trained, Preprocessing.torch_on_caffe} if trained is Preprocessing.caffe else {trained}
        if self.weights == Pretrained.keyword and self.preprocessing not in fitting:
            log.warning(
                "Keras's imagenet weights of %s were trained with %s preprocessing; %s is for a file trained so%s",
                self.name,
                trained.value,
                self.preprocessing.value,
                ", torch_on_caffe for these" if trained is Preprocessing.caffe else "",
            )


@functools.cache
def _architecture(application: Callable[..., Any]) -> Architecture:
    return Architecture.of(blueprint(application))
