"""VGG-16 and VGG-19 (Simonyan & Zisserman 2015), the networks of Gatys et al. and most of what followed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from nst_tf.backbones.architecture import Architecture
from nst_tf.backbones.backbone import Backbone
from nst_tf.backbones.download import Pretrained
from nst_tf.backbones.keras_application import KerasApplication

CHANNELS = (3, 64, 128, 256, 512, 512)  # of the picture, then of each block


@dataclass
class VGG(Backbone):
    """Five blocks of 3×3 convolutions, each with its ReLU fused and ended by a 2×2 pooling."""

    blocks: ClassVar[tuple[int, ...]]
    homogeneous: ClassVar[bool] = True

    def aliases(self) -> dict[str, str]:
        """``conv4_2``, ``relu4_2`` (the same tap), ``pool4``, ``stage4`` (the block's last convolution)."""
        taps = [(f"{block}_{n}", name) for block, n, name in self._convolutions()]
        return {
            **{f"conv{number}": name for number, name in taps},
            **{f"pool{block}": f"block{block}_pool" for block in range(1, len(self.blocks) + 1)},
            **{f"relu{number}": name for number, name in taps},
            **{f"stage{block}": f"block{block}_conv{n}" for block, n in enumerate(self.blocks, 1)},
        }

    def architecture(self) -> Architecture:
        """By table, which is quicker than a `blueprint`."""
        convolutions = tuple(name for _, _, name in self._convolutions())
        layers = [
            f"block{block}_{layer}"
            for block, count in enumerate(self.blocks, 1)
            for layer in [*(f"conv{n}" for n in range(1, count + 1)), "pool"]
        ]
        shapes = [((3, 3, inputs, outputs), (outputs,)) for inputs, outputs in self._widths()]
        weights = tuple(zip(convolutions, shapes, strict=True))
        return Architecture(tuple(layers), convolutions, weights, ("conv2d",) * len(weights))

    def _convolutions(self) -> Iterator[tuple[int, int, str]]:
        for block, count in enumerate(self.blocks, 1):
            for n in range(1, count + 1):
                yield block, n, f"block{block}_conv{n}"

    def _widths(self) -> Iterator[tuple[int, int]]:
        for count, (inputs, outputs) in zip(self.blocks, pairwise(CHANNELS), strict=True):
            yield inputs, outputs
            yield from [(outputs, outputs)] * (count - 1)


@dataclass
class VGG16(VGG):
    """VGG-16 without its classifier: 13 convolutions, ``conv1_1`` to ``conv5_3``."""

    name: ClassVar[str] = "vgg16"
    blocks: ClassVar[tuple[int, ...]] = (2, 2, 3, 3, 3)
    application = staticmethod(KerasApplication("VGG16"))
    pretrained: ClassVar[Pretrained] = Pretrained.of_keras(
        "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "md5:6d6bbae143d832006294945121d1f1fc"
    )


@dataclass
class VGG19(VGG):
    """VGG-19 without its classifier: 16 convolutions, ``conv1_1`` to ``conv5_4``."""

    name: ClassVar[str] = "vgg19"
    blocks: ClassVar[tuple[int, ...]] = (2, 2, 4, 4, 4)
    application = staticmethod(KerasApplication("VGG19"))
    pretrained: ClassVar[Pretrained] = Pretrained.of_keras(
        "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "md5:253f8cb515780f3b799900260a226db6"
    )
