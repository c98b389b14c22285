"""The contract of every loss: a weight, references to compare with, and state passed as arguments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, TypeAlias

from nst_tf.util.checks import at_least, convert_fields
from nst_tf.util.lazy import tf

Features: TypeAlias = "Mapping[str, tf.Tensor]"
"""Layer name to features ``(B, H, W, C)``; ``"image"`` is the picture itself, ``(B, H, W, 3)`` RGB in [0, 1].

A loss with draws also finds its seed under `DRAW`.
"""

DRAW = "draw"
"""Name of a draw among features: an int32 seed ``(2,)`` for TensorFlow's stateless random functions."""

Representation: TypeAlias = "Mapping[str, tf.Tensor]"
"""Layer name to what a loss compares there, ``(B, …)``: the features themselves, or Gram matrices, for example."""

Temperatures: TypeAlias = "Mapping[str, tf.Tensor]"
"""Layer name to the temperature of its softmax, ``(B,)`` in units of the features; empty without a softmax."""


class Targets(NamedTuple):
    """Targets of a loss: the values that every picture is compared with, computed once before the loop.

    Attributes:
        layers: The reference's representation, after `Loss.finalize_targets`.
        temperatures: Temperatures that smooth the features of every picture, as they smoothed the reference's.
    """

    layers: Representation
    temperatures: Temperatures


@dataclass
class Loss(ABC):
    """A named component of the objective: ``weight · Σ_l w_l E_l`` per picture.

    A loss is a dataclass: its fields are its settings, and its methods are functions of their arguments. It keeps no
    state, so one object serves any number of pictures. Losses over layers of the backbone derive from
    `nst_tf.losses.layer_loss.LayerLoss`, which leaves two methods to write. A loss of the
    picture alone derives from `PictureLoss`, such as `nst_tf.losses.total_variation.TotalVariationLoss`. Any other loss
    overrides ``taps``, ``references``, ``represent`` and ``distance``.

    Attributes:
        weight: The component's weight: α, β or the weight of total variation. A loss of weight 0 is not computed.
    """

    weight: float = 1.0

    positional: ClassVar[bool] = False
    """True if the loss compares position by position, so that its references need the picture's own shape."""

    joint: ClassVar[bool] = False
    """True if all references together make one target, see `join`."""

    supports_batch: ClassVar[bool] = True
    """False if the loss takes one picture at a time."""

    draws: ClassVar[bool] = False
    """True if the loss takes random positions or directions from the seed `DRAW` among its features.

    It then has a setting ``redraw``: ``never`` for one draw in the run, ``phase`` for one in each phase, or the number
    of steps between two draws. The seed follows from the run's seed, the phase and the step, so that a resumed run has
    the same draws. References see the first draw of the phase.
    """

    anchors: ClassVar[bool] = False
    """True if the targets follow the picture, see `anchor`.

    It then has two settings. ``rematch`` is ``phase`` for targets that are made once in each phase, or the number of
    steps between two. ``content_share`` is the share of the content in the picture that they are made from.
    """

    def __post_init__(self) -> None:
        convert_fields(self)
        at_least("weight", self.weight, 0)

    def static_config(self) -> Loss:
        """Return the settings that a compiled step contains: all but the weight, which is one of its inputs."""
        return replace(self, weight=1.0)

    @property
    @abstractmethod
    def taps(self) -> Sequence[str]:
        """Names of the backbone layers that this loss reads; ``"image"`` needs no backbone."""

    @abstractmethod
    def references(self, styles: int) -> Sequence[str]:
        """Return the names of the pictures that this loss compares with: ``content``, ``style:1``, …, or none.

        Args:
            styles: Number of style pictures in the run.
        """

    @abstractmethod
    def represent(self, features: Features) -> Representation:
        """Compute what the loss compares, layer by layer.

        Args:
            features: Features of the picture or of a reference, after `smooth`.

        Returns:
            Layer name to a tensor ``(B, …)``.
        """

    @abstractmethod
    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute each layer's term ``w_l E_l``; the terms add up to the raw loss.

        Args:
            representation: The picture's representation.
            targets: The reference's, after `finalize_targets`; its batch may be 1.

        Returns:
            Layer name to ``(B,)`` float32.
        """

    @property
    def weighed_layers(self) -> Sequence[str]:
        """Layers whose positions have weights in a region: `taps`, unless a loss overrides them."""
        return self.taps

    @property
    def part_names(self) -> Sequence[str]:
        """Names of the parts that `distance` returns, which tables show: the layers, unless a loss overrides them."""
        return [layer for layer in self.taps if layer != "image"]

    def join(self, representations: Mapping[str, Representation], shares: Mapping[str, float]) -> Representation:
        """Make the one target of a loss that is `joint` from the representations of its references.

        Args:
            representations: Name of a reference (``content``, ``style:1``, …) to its representation.
            shares: Name of a reference to its share; those of the styles add up to 1.
        """
        raise NotImplementedError(f"{type(self).__name__} has one target for each reference")

    def anchor(self, features: Features, targets: Representation) -> Representation:
        """Make the targets of a loss that `anchors` from the picture, at the start of a phase and at each rematch.

        Args:
            features: Features of the picture, mixed with the content by ``content_share``, after `smooth`.
            targets: What `finalize_targets` returned.

        Returns:
            What `distance` takes as ``targets`` until the next rematch. It carries no gradient.
        """
        raise NotImplementedError(f"{type(self).__name__} has targets that do not follow the picture")

    def finalize_targets(self, representation: Representation) -> Representation:
        """Do once what every step needs of a reference's representation, or of several blended into one."""
        return representation

    @property
    def uses_temperature(self) -> bool:
        """True if `smooth` needs `temperatures`."""
        return False

    def temperatures(self, features: Features) -> Temperatures:
        """Measure a reference's temperatures, with which every picture's features are smoothed."""
        return {}

    def smooth(self, features: Features, temperatures: Temperatures) -> Features:
        """Return the features as the loss compares them."""
        return features

    @property
    def diagnostic_names(self) -> Sequence[str]:
        """Names of the values that `compute_diagnostics` returns, in order."""
        return []

    def compute_diagnostics(self, features: Features) -> dict[str, tf.Tensor]:
        """Compute values that are reported beside the loss.

        Args:
            features: The picture's features, after `smooth`.

        Returns:
            Each of `diagnostic_names` to ``(B,)`` float32.
        """
        return {}

    def prepare(self, features: Features) -> Targets:
        """Compute the targets of a single reference picture, once before the loop. They carry no gradient."""
        temperatures = self.temperatures(features)
        layers = self.finalize_targets(self.represent(self.smooth(features, temperatures)))
        return Targets(_without_gradient(layers), _without_gradient(temperatures))

    def __call__(self, features: Features, targets: Targets) -> tf.Tensor:
        """Compute the raw loss, before ``weight``: ``Σ_l w_l E_l``, ``(B,)`` float32."""
        representation = self.represent(self.smooth(features, targets.temperatures))
        return tf.add_n(list(self.distance(representation, targets.layers).values()))


@dataclass
class PictureLoss(Loss):
    """A loss that reads the picture itself and no layer of the backbone; it is computed without a network.

    A subclass writes ``distance``, ``references``, and ``represent`` if it compares other values than the pixels.
    """

    @property
    def taps(self) -> Sequence[str]:
        """The picture itself, which needs no backbone."""
        return ["image"]

    def represent(self, features: Features) -> Representation:
        """Return the picture, ``(B, H, W, 3)``."""
        return {"image": features["image"]}


def _without_gradient(tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {name: tf.stop_gradient(value) for name, value in tensors.items()}
