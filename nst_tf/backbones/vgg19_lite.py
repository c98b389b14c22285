"""vgg19_lite, a small network whose features replace VGG-19's; its weights are part of this package.

It is the default backbone. Distillation trains it (`nst_tf.distillation`); docs/vgg19_lite.md is its model card.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from nst_tf.backbones.architecture import Architecture
from nst_tf.backbones.choices import Padding, Pooling
from nst_tf.backbones.download import Embedded
from nst_tf.backbones.vgg import VGG, VGG19
from nst_tf.util.lazy import keras

FILTERS = (24, 48, 80, 168, 320)
"""Number of filters of the narrow convolutions of each block; VGG-19 has 64, 128, 256, 512, 512."""


def narrow_layer(tap: str) -> str:
    """Return the name of the narrow convolution that a tap reads: ``block4_conv2`` → ``block4_narrow2``."""
    return tap.replace("conv", "narrow")


def vgg19_lite(weights: None = None, include_top: bool = False, input_shape: tuple[Any, ...] = (None, None, 3)) -> Any:
    """Build the network without weights, with the arguments of ``keras.applications``.

    It is VGG-19 up to conv5_1 with fewer filters. Each narrow 3×3 convolution with ReLU, such as ``block4_narrow2``,
    has a tap, ``block4_conv2``: a 1×1 convolution to one channel more, without ReLU. The tap maps the narrow features
    to coordinates in which distances and Gram matrices estimate VGG-19's. An extractor computes only the taps that it
    needs.

    Args:
        weights: None; nothing else is accepted.
        include_top: False; nothing else is accepted.
        input_shape: ``(H, W, 3)``; the sides may be None.

    Returns:
        A Keras model whose outputs are the taps and the last pooling.

    Raises:
        ValueError: ``weights`` or ``include_top`` is set.
    """
    if weights is not None or include_top:
        raise ValueError(
            f"weights={weights!r}, include_top={include_top}: vgg19_lite takes only weights=None and include_top=False"
        )
    inputs = x = keras.Input(input_shape)
    taps = []
    for block, (count, filters) in enumerate(zip(VGG19Lite.blocks, FILTERS, strict=True), 1):
        for n in range(1, count + 1):
            tap = f"block{block}_conv{n}"
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=narrow_layer(tap))(x)
            taps.append(keras.layers.Conv2D(filters + 1, 1, name=tap)(x))
        x = keras.layers.MaxPooling2D(name=f"block{block}_pool")(x)
    return keras.Model(inputs, [*taps, x], name=VGG19Lite.name)


@dataclass
class VGG19Lite(VGG):
    """VGG-19's first 13 convolutions, ``conv1_1`` to ``conv5_1``, with an eighth of their multiplications.

    A tap has one channel more than its narrow convolution has filters, and its values may be negative. It keeps
    VGG-19's scale: its squared distances, summed over channels, estimate VGG-19's, and so do those of its Gram
    matrices.

    Attributes:
        weights: ``embedded`` (in this package), ``random``, or the path of a file that ``scripts/distill.py`` wrote.
        pooling: ``average``, as trained, or ``max``.
        padding: ``reflect``, as trained, ``zero`` or ``circular``.

    Reference:
        Wang, Li, Wang, Hu & Yang 2020, *Collaborative Distillation for Ultra-Resolution Universal Style Transfer*.
    """

    weights: str = Embedded.keyword
    pooling: Pooling = Pooling.average
    padding: Padding = Padding.reflect

    name: ClassVar[str] = "vgg19_lite"
    blocks: ClassVar[tuple[int, ...]] = (*VGG19.blocks[:4], 1)
    application = staticmethod(vgg19_lite)
    pretrained: ClassVar[Embedded] = Embedded(
        path=Path(__file__).parent / "vgg19_lite.weights.h5",
        sha256="dde385a5a4f68b73d71c7c152ae8fb82b4e920333ffaaa04e6c4d12ce038c2a5",
    )

    def architecture(self) -> Architecture:
        """Return names and weight shapes from ``blocks`` and `FILTERS`; the taps are the convolutions of ``conv:N``."""
        plain = super().architecture()
        layers, weights, inputs = [], [], 3
        for layer in plain.layers:
            if layer not in plain.convolutions:
                layers.append(layer)
                continue
            filters = FILTERS[int(layer[len("block")]) - 1]
            layers += [narrow_layer(layer), layer]
            weights.append((narrow_layer(layer), ((3, 3, inputs, filters), (filters,))))
            weights.append((layer, ((1, 1, filters, filters + 1), (filters + 1,))))
            inputs = filters
        return Architecture(tuple(layers), plain.convolutions, tuple(weights), ("conv2d",) * len(weights))
