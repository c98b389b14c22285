"""Base class of the pretrained networks, with everything they share: layer names, weights and the extractor.

The engine calls `Backbone.extractor`; config and reports call `Backbone.resolve` and `Backbone.identity`.
"""

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
from nst_tf.backbones.choices import Padding, Pooling
from nst_tf.backbones.download import Embedded, Pretrained, digest
from nst_tf.backbones.extractor import Extractor
from nst_tf.backbones.gradients import Network
from nst_tf.backbones.graph import operations_by_name
from nst_tf.backbones.preprocessing import FEATURE_SCALES, PREPROCESSORS, Preprocessing
from nst_tf.backbones.segments import Segment, chain_segments, split_into_segments
from nst_tf.backbones.sizes import smallest_input
from nst_tf.backbones.symbolic import symbolic_model
from nst_tf.backbones.weights import MissingWeights
from nst_tf.util.checks import at_least, coerce_choices
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import keras
from nst_tf.util.roles import role

log = logging.getLogger(__name__)


@dataclass
class Backbone:
    """Abstract base of the pretrained networks; its fields are the settings of the config group ``backbone``.

    To add a network, derive a dataclass from `Backbone`, put it into the table `BACKBONES`, and add
    ``configs/backbone/NAME.yaml``. The class must set ``name``, ``application`` and ``pretrained``. It may set
    ``stages`` and ``homogeneous``, and change the defaults of the fields. It may override `aliases`, to add the names
    that papers use, and `architecture`, to return its table without building the model. A network of Keras needs only::

        @dataclass
        class MobileNet(Backbone):
            preprocessing: Preprocessing = Preprocessing.tf
            name: ClassVar[str] = "mobilenet"
            application = staticmethod(KerasApplication("MobileNet"))
            pretrained: ClassVar[Pretrained] = Pretrained.from_keras("mobilenet/mobilenet_1_0_224_tf_no_top.h5", None)

    Attributes:
        weights: ``imagenet`` (Keras's file, cached or downloaded), ``random`` (seeded He-normal kernels, zero
            biases), or the path of an ``.h5`` or ``.weights.h5`` file.
        pooling: ``max``, as trained, or ``average``, as in Gatys et al. 2016; it has no effect on a network without
            max pooling.
        padding: ``zero``, as trained, or ``reflect``, which avoids the visible frame that zeros cause.
        preprocessing: Conversion of the picture to the network's input; the default belongs to Keras's weights. Use
            ``torch`` for weights trained with torchvision's normalisation, such as a converted file (see
            `preprocessing.torch`), and ``torch_on_caffe`` for a paper with that normalisation on Keras's VGG weights.
        missing_weights: Reaction to a weights file with a kernel that is 0, wholly or at some position of its window.
            ``error`` refuses the file; ``random`` draws such kernels from ``seed`` and logs a warning.
        seed: Seed of random kernels; not negative.
    """

    weights: str = field(default=Pretrained.keyword, metadata=role(in_fingerprint=False, in_run_name=False))
    pooling: Pooling = Pooling.max
    padding: Padding = Padding.zero
    preprocessing: Preprocessing = Preprocessing.caffe
    missing_weights: MissingWeights = MissingWeights.error
    seed: int = 0

    name: ClassVar[str]
    """Key in `BACKBONES`."""
    application: ClassVar[Callable[..., Any]]
    """Function that builds the Keras model, called with ``weights=None, include_top=False, input_shape=…``."""
    pretrained: ClassVar[Pretrained | Embedded]
    """File of the trained weights."""
    stages: ClassVar[tuple[str, ...]] = ()
    """Keras names of the ends of the resolutions at which the network convolves, from the finest on.

    The end of a resolution is its last layer through which every path from the input passes.
    """
    homogeneous: ClassVar[bool] = False
    """True if the network has only convolutions, ReLUs and poolings, so that float16 features can be scaled down."""

    def __post_init__(self) -> None:
        """Convert the names of choices to choices, and reject invalid settings."""
        undefined = [name for name in ("name", "application", "pretrained") if not hasattr(self, name)]
        if undefined:
            raise TypeError(f"{type(self).__name__} is an abstract backbone: it must define {', '.join(undefined)}")
        coerce_choices(self, "backbone.")
        at_least("backbone.seed", self.seed, 0)
        if not self.weights:
            choices = f"{self.pretrained.keyword}, {weights_.RANDOM} or the path of an .h5 file"
            raise InputError(f"backbone.weights='': must not be empty. Choose {choices}.")

    def aliases(self) -> dict[str, str]:
        """Return Keras names by alias: ``stage1``, … for the ends of resolutions. Subclasses add papers' names."""
        return {f"stage{n}": name for n, name in enumerate(self.stages, 1)}

    def architecture(self) -> Architecture:
        """Return names and weight shapes of the whole network."""
        return _architecture(type(self).application)

    def resolve(self, layer: str) -> str:
        """Return the Keras name of a layer; weights are not needed.

        Args:
            layer: A paper's name (``conv4_2`` or ``relu4_2``: after its ReLU), a Keras name
                (``block4_conv2``), ``conv:13`` (the 13th convolution, counted from 1), or ``stage4`` (the end
                of a resolution).

        Raises:
            InputError: The network has no such layer; the message lists the available layers.
        """
        names = self._keras_names()
        if layer not in names:
            raise InputError(self._unknown_layer(layer, list(names)))
        return names[layer]

    def extractor(self, layers: Sequence[str], precision: str = "float32", recompute: bool = False) -> Extractor:
        """Build the network up to the deepest layer that is needed, with its weights.

        Args:
            layers: Names that `resolve` accepts. An empty list gives an extractor that returns ``{}``, and no weights
                are read.
            precision: Keras's dtype policy of the layers: ``float32``, ``mixed_bfloat16`` or ``mixed_float16``.
                Features have the compute dtype of the policy; float16 features are converted to float32.
            recompute: Whether to keep only the features between `segments` and recompute the others in the backward
                pass.

        Returns:
            Function from a picture ``(B, H, W, 3)`` to ``{name: features (B, h, w, C)}``.

        Raises:
            InputError: A layer is unknown, or the weights are absent, damaged or of another network.
        """
        keras_names = {layer: self.resolve(layer) for layer in layers}
        preprocess = PREPROCESSORS[self.preprocessing]
        if not keras_names:
            return Extractor(keras_names, None, lambda x: {}, [], preprocess)
        model = self._model_with_weights(set(keras_names.values()), precision)
        self._warn_if_preprocessing_differs()
        segments = split_into_segments(model) if recompute else [Segment(model)]
        network = chain_segments(segments) if recompute else functools.partial(model, training=False)
        if precision == "mixed_float16":
            network = self._within_float16(model, network)
        scale = FEATURE_SCALES.get(self.preprocessing, 1.0)
        return Extractor(keras_names, model, network, segments, preprocess, smallest_input(model), scale)

    def identity(self) -> dict[str, str | None]:
        """Identify the network and its weights, for the record of a run.

        Returns:
            ``name``, ``weights`` as configured, and ``path`` and ``sha256`` of the file, None for ``random``.

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

    def _model_with_weights(self, names: set[str], precision: str) -> Any:
        """Build the part of the network that leads to the layers named, frozen, and fill it with weights."""
        from nst_tf.backbones.transposed_conv import cache_flipped_kernels

        path = weights_.locate(self.weights, self.name, self.pretrained)
        model = self._build(names, precision)
        if path is None:
            weights_.randomize(model, self.architecture(), self.seed)
        else:
            weights_.load(model, self.name, self.architecture(), path, self.missing_weights, self.seed)
        cache_flipped_kernels(model)
        return model

    def _build(self, names: set[str], precision: str) -> Any:
        from nst_tf.backbones.surgery import clone_architecture

        whole = symbolic_model(type(self).application)
        operations = operations_by_name(whole)
        cut = keras.Model(whole.input, {name: operations[name].output for name in names}, name=self.name)
        return clone_architecture(cut, self.pooling, self.padding, precision, frozen=True)

    def _within_float16(self, model: Any, network: Network) -> Network:
        """Scale features and gradients so that they stay within the range of float16."""
        if self.homogeneous:
            float16.scale_features_down(model)
        return float16.with_gradient_scaling(network, float16.FEATURE_DIVISOR if self.homogeneous else 1.0)

    def _keras_names(self) -> dict[str, str]:
        """Return a dictionary from every name that `resolve` accepts to the Keras name."""
        architecture = self.architecture()
        numbered = {f"conv:{n}": name for n, name in enumerate(architecture.convolutions, 1)}
        return {**self.aliases(), **numbered, **{name: name for name in architecture.layers}}

    def _unknown_layer(self, layer: str, names: list[str]) -> str:
        aliases = [name for name in self.aliases() if not name.startswith("relu")]
        numbered = f"conv:1 to conv:{len(self.architecture().convolutions)}"
        close = difflib.get_close_matches(str(layer), names, n=1)
        suggestion = f"; did you mean {close[0]!r}?" if close else ""
        return (
            f"Unknown layer {layer!r} for {self.name}; available: {', '.join(aliases)}, {numbered} "
            f"and Keras's own names such as {self.architecture().layers[0]}{suggestion}"
        )

    def _warn_if_preprocessing_differs(self) -> None:
        """Warn if Keras's weights get another preprocessing than they were trained with."""
        trained = type(self).preprocessing
        suitable = {trained, Preprocessing.torch_on_caffe} if trained is Preprocessing.caffe else {trained}
        if self.weights == Pretrained.keyword and self.preprocessing not in suitable:
            log.warning(
                "backbone.preprocessing=%s: Keras's imagenet weights of %s were trained with %s preprocessing. "
                "Choose %s%s, or set backbone.weights to a file that was trained with %s.",
                self.preprocessing.value,
                self.name,
                trained.value,
                trained.value,
                " or torch_on_caffe" if trained is Preprocessing.caffe else "",
                self.preprocessing.value,
            )


@functools.cache
def _architecture(application: Callable[..., Any]) -> Architecture:
    return Architecture.from_model(symbolic_model(application))
