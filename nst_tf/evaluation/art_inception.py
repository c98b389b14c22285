"""Features of Inception-v3 trained on paintings, from a file that the user brings; ArtFID compares their statistics.

The layers and their names are torchvision's, without the classifier. Three differences from Keras's InceptionV3 matter:
the paddings, an average pooling that counts the zeros of the border, and batch normalisations with a scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nst_tf.evaluation.weights_files import FileKind, WeightsFile, files_label
from nst_tf.images import resize
from nst_tf.util.compilation import compile_function
from nst_tf.util.lazy import tf

FEATURES = 2048
"""Number of pooled features."""

SHORT_SIDE = 512
"""Short side, in pixels, to which pictures are resized."""

NORMALISATION_EPSILON = 0.001

Weights = dict[str, tuple[Any, Any]]
"""Kernel ``(h, w, in, out)`` and bias of each convolution by name, batch normalisation included."""


class Step(Protocol):
    """A part of the network."""

    def apply(self, x: tf.Tensor, weights: Weights) -> tf.Tensor:
        """Return the output ``(B, h, w, C)``."""

    def convolutions(self, channels: int) -> Iterator[tuple[Convolution, int]]:
        """Yield each convolution and the number of its input channels, given the number of the part's channels."""

    def channels(self, channels: int) -> int:
        """Return the number of output channels."""


@dataclass(frozen=True)
class Convolution:
    """A convolution without bias, a batch normalisation and a ReLU.

    Attributes:
        name: Name in the file.
        filters: Number of output channels.
        kernel: Height and width.
        stride: Stride.
        padded: Whether zeros around the input keep its size.
    """

    name: str
    filters: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = False

    def apply(self, x: tf.Tensor, weights: Weights) -> tf.Tensor:
        """Return the output ``(B, h, w, C)``."""
        kernel, bias = weights[self.name]
        return tf.nn.relu(tf.nn.conv2d(x, kernel, self.stride, "SAME" if self.padded else "VALID") + bias)

    def convolutions(self, channels: int) -> Iterator[tuple[Convolution, int]]:
        """Yield itself with its number of input channels."""
        yield self, channels

    def channels(self, channels: int) -> int:
        """Return the number of output channels."""
        return self.filters


@dataclass(frozen=True)
class MaxPooling:
    """A pooling with window 3 and stride 2."""

    def apply(self, x: tf.Tensor, weights: Weights) -> tf.Tensor:
        """Return the output ``(B, h, w, C)``."""
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    def convolutions(self, channels: int) -> Iterator[tuple[Convolution, int]]:
        """Yield nothing."""
        yield from ()

    def channels(self, channels: int) -> int:
        """Return the number of output channels."""
        return channels


@dataclass(frozen=True)
class AveragePooling(MaxPooling):
    """A pooling with window 3 and stride 1 that counts the zeros around the input."""

    def apply(self, x: tf.Tensor, weights: Weights) -> tf.Tensor:
        """Return the output ``(B, h, w, C)``."""
        return tf.nn.avg_pool2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 1, "VALID")


@dataclass(frozen=True)
class Chain:
    """Parts one behind the other."""

    steps: tuple[Step, ...]

    def apply(self, x: tf.Tensor, weights: Weights) -> tf.Tensor:
        """Return the output ``(B, h, w, C)``."""
        for step in self.steps:
            x = step.apply(x, weights)
        return x

    def convolutions(self, channels: int) -> Iterator[tuple[Convolution, int]]:
        """Yield the convolutions of all parts."""
        for step in self.steps:
            yield from step.convolutions(channels)
            channels = step.channels(channels)

    def channels(self, channels: int) -> int:
        """Return the number of output channels."""
        for step in self.steps:
            channels = step.channels(channels)
        return channels


@dataclass(frozen=True)
class Branches:
    """Parts side by side, whose channels are concatenated."""

    branches: tuple[Step, ...]

    def apply(self, x: tf.Tensor, weights: Weights) -> tf.Tensor:
        """Return the output ``(B, h, w, C)``."""
        return tf.concat([branch.apply(x, weights) for branch in self.branches], axis=-1)

    def convolutions(self, channels: int) -> Iterator[tuple[Convolution, int]]:
        """Yield the convolutions of all parts."""
        for branch in self.branches:
            yield from branch.convolutions(channels)

    def channels(self, channels: int) -> int:
        """Return the number of output channels."""
        return sum(branch.channels(channels) for branch in self.branches)


def _chain(*steps: Step) -> Chain:
    return Chain(steps)


def _block_a(name: str, pool_filters: int) -> Branches:
    """Return a block at 1/8 of the picture's size."""
    return Branches(
        (
            Convolution(f"{name}.branch1x1", 64),
            _chain(
                Convolution(f"{name}.branch5x5_1", 48),
                Convolution(f"{name}.branch5x5_2", 64, (5, 5), padded=True),
            ),
            _chain(
                Convolution(f"{name}.branch3x3dbl_1", 64),
                Convolution(f"{name}.branch3x3dbl_2", 96, (3, 3), padded=True),
                Convolution(f"{name}.branch3x3dbl_3", 96, (3, 3), padded=True),
            ),
            _chain(AveragePooling(), Convolution(f"{name}.branch_pool", pool_filters)),
        )
    )


def _block_b(name: str) -> Branches:
    """Return the block that leads to 1/16 of the picture's size."""
    return Branches(
        (
            Convolution(f"{name}.branch3x3", 384, (3, 3), stride=2),
            _chain(
                Convolution(f"{name}.branch3x3dbl_1", 64),
                Convolution(f"{name}.branch3x3dbl_2", 96, (3, 3), padded=True),
                Convolution(f"{name}.branch3x3dbl_3", 96, (3, 3), stride=2),
            ),
            MaxPooling(),
        )
    )


def _block_c(name: str, filters: int) -> Branches:
    """Return a block at 1/16 of the picture's size."""
    return Branches(
        (
            Convolution(f"{name}.branch1x1", 192),
            _chain(
                Convolution(f"{name}.branch7x7_1", filters),
                Convolution(f"{name}.branch7x7_2", filters, (1, 7), padded=True),
                Convolution(f"{name}.branch7x7_3", 192, (7, 1), padded=True),
            ),
            _chain(
                Convolution(f"{name}.branch7x7dbl_1", filters),
                Convolution(f"{name}.branch7x7dbl_2", filters, (7, 1), padded=True),
                Convolution(f"{name}.branch7x7dbl_3", filters, (1, 7), padded=True),
                Convolution(f"{name}.branch7x7dbl_4", filters, (7, 1), padded=True),
                Convolution(f"{name}.branch7x7dbl_5", 192, (1, 7), padded=True),
            ),
            _chain(AveragePooling(), Convolution(f"{name}.branch_pool", 192)),
        )
    )


def _block_d(name: str) -> Branches:
    """Return the block that leads to 1/32 of the picture's size."""
    return Branches(
        (
            _chain(
                Convolution(f"{name}.branch3x3_1", 192),
                Convolution(f"{name}.branch3x3_2", 320, (3, 3), stride=2),
            ),
            _chain(
                Convolution(f"{name}.branch7x7x3_1", 192),
                Convolution(f"{name}.branch7x7x3_2", 192, (1, 7), padded=True),
                Convolution(f"{name}.branch7x7x3_3", 192, (7, 1), padded=True),
                Convolution(f"{name}.branch7x7x3_4", 192, (3, 3), stride=2),
            ),
            MaxPooling(),
        )
    )


def _block_e(name: str) -> Branches:
    """Return a block at 1/32 of the picture's size."""

    def split(branch: str) -> Branches:
        return Branches(
            (
                Convolution(f"{name}.{branch}a", 384, (1, 3), padded=True),
                Convolution(f"{name}.{branch}b", 384, (3, 1), padded=True),
            )
        )

    return Branches(
        (
            Convolution(f"{name}.branch1x1", 320),
            _chain(Convolution(f"{name}.branch3x3_1", 384), split("branch3x3_2")),
            _chain(
                Convolution(f"{name}.branch3x3dbl_1", 448),
                Convolution(f"{name}.branch3x3dbl_2", 384, (3, 3), padded=True),
                split("branch3x3dbl_3"),
            ),
            _chain(AveragePooling(), Convolution(f"{name}.branch_pool", 192)),
        )
    )


NETWORK = _chain(
    Convolution("Conv2d_1a_3x3", 32, (3, 3), stride=2),
    Convolution("Conv2d_2a_3x3", 32, (3, 3)),
    Convolution("Conv2d_2b_3x3", 64, (3, 3), padded=True),
    MaxPooling(),
    Convolution("Conv2d_3b_1x1", 80),
    Convolution("Conv2d_4a_3x3", 192, (3, 3)),
    MaxPooling(),
    *(_block_a(f"Mixed_5{letter}", filters) for letter, filters in (("b", 32), ("c", 64), ("d", 64))),
    _block_b("Mixed_6a"),
    *(_block_c(f"Mixed_6{letter}", filters) for letter, filters in (("b", 128), ("c", 160), ("d", 160), ("e", 192))),
    _block_d("Mixed_7a"),
    *(_block_e(f"Mixed_7{letter}") for letter in "bc"),
)
"""Inception-v3 from RGB to the 2048 channels at 1/32 of the picture's size."""

NORMALISATION = ("weight", "bias", "running_mean", "running_var")


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for convolution, channels in NETWORK.convolutions(3):
        shapes[f"{convolution.name}.conv.weight"] = (convolution.filters, channels, *convolution.kernel)
        shapes |= {f"{convolution.name}.bn.{name}": (convolution.filters,) for name in NORMALISATION}
    return shapes


ART_INCEPTION = FileKind(
    setting="--artfid",
    option="--artfid",
    description="ArtFID's Inception-v3, art_inception.pth",
    published=(),
    shapes=_shapes(),
)
"""The file of Wright & Ommer; it is known by names and shapes, and its SHA-256 becomes part of the scores' names."""


class ArtInception:
    """Inception-v3 up to its pooled features.

    Attributes:
        label: ``art_inception_`` with the first digits of the file's SHA-256.
    """

    def __init__(self, file: WeightsFile) -> None:
        """Read the file.

        Raises:
            InputError: The file is damaged or of another network.
        """
        self.label = f"art_inception_{files_label(file)}"
        arrays = ART_INCEPTION.read(file)
        self._weights = {
            convolution.name: _with_normalisation(arrays, convolution.name)
            for convolution, _ in NETWORK.convolutions(3)
        }
        any_size = tf.TensorSpec([1, None, None, 3], tf.float32)
        self._compiled_features = compile_function(self._pooled_features, input_signature=[any_size])

    def features(self, picture: np.ndarray) -> np.ndarray:
        """Return the pooled features of a picture.

        Args:
            picture: Pixels ``(H, W, 3)`` in [0, 1]. They are resized to a short side of 512 pixels and enter the
                network as they are, without a normalisation.

        Returns:
            ``(2048,)`` float64.
        """
        image = tf.constant(with_short_side(picture, SHORT_SIDE)[None], tf.float32)
        return self._compiled_features(image)[0].numpy().astype(np.float64)

    def _pooled_features(self, image: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(NETWORK.apply(image, self._weights), axis=[1, 2])


def with_short_side(picture: np.ndarray, side: int) -> np.ndarray:
    """Return a picture ``(H, W, 3)`` in its proportions, resized so that its short side has a number of pixels."""
    height, width = picture.shape[:2]
    factor = side / min(height, width)
    return resize(picture, max(side, round(factor * height)), max(side, round(factor * width)))


def _with_normalisation(arrays: dict[str, np.ndarray], name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the kernel times ``γ / √(σ² + ε)``, and the bias ``β − μ γ / √(σ² + ε)``."""
    gamma, beta, mean, variance = (arrays[f"{name}.bn.{part}"] for part in NORMALISATION)
    factor = gamma / np.sqrt(variance + NORMALISATION_EPSILON)
    return tf.constant(arrays[f"{name}.conv.weight"] * factor), tf.constant(beta - mean * factor)
