"""LPIPS 0.1 with AlexNet, from two files that the user brings.

The network is torchvision's AlexNet, and the linear weights are a file of the package ``lpips``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nst_tf.evaluation.weights_files import FileKind, WeightsFile, files_label
from nst_tf.images import Picture
from nst_tf.util.compilation import compile_function
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Mean and deviation of RGB in [−1, 1] that LPIPS 0.1 subtracts and divides by."""

MINIMUM_SIZE = 31
"""Shortest side, in pixels, for which the last layer still has features."""

NORM_EPSILON = 1e-10


class Convolution(NamedTuple):
    """A convolution of AlexNet, with its ReLU.

    Attributes:
        name: Name in torchvision's file.
        shape: Shape of the kernel in PyTorch's order, ``(out, in, h, w)``.
        stride: Stride.
        padding: Rows and columns of zeros on each side.
        pooled: Whether a max pooling (3×3, stride 2) precedes it.
    """

    name: str
    shape: tuple[int, int, int, int]
    stride: int
    padding: int
    pooled: bool


CONVOLUTIONS = (
    Convolution("features.0", (64, 3, 11, 11), stride=4, padding=2, pooled=False),
    Convolution("features.3", (192, 64, 5, 5), stride=1, padding=2, pooled=True),
    Convolution("features.6", (384, 192, 3, 3), stride=1, padding=1, pooled=True),
    Convolution("features.8", (256, 384, 3, 3), stride=1, padding=1, pooled=False),
    Convolution("features.10", (256, 256, 3, 3), stride=1, padding=1, pooled=False),
)

LINEAR_NAMES = tuple(f"lin{number}.model.1.weight" for number in range(len(CONVOLUTIONS)))

NETWORK = FileKind(
    setting="evaluation.lpips_network",
    option="--lpips-network",
    description="torchvision's AlexNet, alexnet-owt-7be5be79.pth",
    published=("7be5be79",),
    shapes={
        **{f"{layer.name}.weight": layer.shape for layer in CONVOLUTIONS},
        **{f"{layer.name}.bias": layer.shape[:1] for layer in CONVOLUTIONS},
    },
)
"""AlexNet; PyTorch's file names contain the first eight digits of the SHA-256."""

LINEAR = FileKind(
    setting="evaluation.lpips_linear",
    option="--lpips-linear",
    description="the linear weights weights/v0.1/alex.pth of the package lpips (pip install --no-deps lpips==0.1.4)",
    published=("df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",),
    shapes={name: (1, layer.shape[0], 1, 1) for name, layer in zip(LINEAR_NAMES, CONVOLUTIONS, strict=True)},
)
"""Linear weights; the checksum is the one that the package lists."""


def locate_files(network: str | None, linear: str | None) -> tuple[WeightsFile, WeightsFile]:
    """Return the two files of LPIPS.

    Args:
        network: Path of AlexNet's weights.
        linear: Path of the linear weights; by default those of the installed package ``lpips``, whose code is not run.

    Raises:
        InputError: A path is missing, or names no file of that kind.
    """
    files = NETWORK.locate(network), LINEAR.locate(linear or _installed_linear())
    for kind, file in zip((NETWORK, LINEAR), files, strict=True):
        kind.check(file)
    return files


def _installed_linear() -> str | None:
    found = importlib.util.find_spec("lpips")
    folders = [] if found is None else list(found.submodule_search_locations or [])
    paths = (Path(folder) / "weights" / "v0.1" / "alex.pth" for folder in folders)
    return next((str(path) for path in paths if path.is_file()), None)


class LPIPS:
    """Learned perceptual distance between two pictures.

    Attributes:
        name: ``lpips_alexnet_torchvision`` with the two published files; otherwise with the first digits of the
            SHA-256 of both files in place of ``torchvision``.
        files: The two files.
    """

    def __init__(self, network: WeightsFile, linear: WeightsFile) -> None:
        """Read the files.

        Raises:
            InputError: A file is damaged or of another network.
        """
        self.files = (network, linear)
        published = network.published and linear.published
        self.name = f"lpips_alexnet_{'torchvision' if published else files_label(*self.files)}"
        arrays, linear_arrays = NETWORK.read(network), LINEAR.read(linear)
        self._weights = [
            (layer, tf.constant(arrays[f"{layer.name}.weight"]), tf.constant(arrays[f"{layer.name}.bias"]))
            for layer in CONVOLUTIONS
        ]
        self._linear = [tf.constant(linear_arrays[name].ravel()) for name in LINEAR_NAMES]
        any_size = tf.TensorSpec([1, None, None, 3], tf.float32)
        self._compiled_distance = compile_function(self._distance, input_signature=[any_size, any_size])

    def score(
        self, picture: np.ndarray, content: np.ndarray | None, styles: Sequence[Picture], shares: Sequence[float]
    ) -> float | None:
        """Compute the distance of a picture from its content; None without a content."""
        return None if content is None else self.distance(picture, content)

    def distance(self, x: np.ndarray, y: np.ndarray) -> float:
        """Compute ``Σ_l mean over positions of Σ_c w_lc (x̂_lc − ŷ_lc)²``.

        x̂ and ŷ are the features after each of AlexNet's five ReLUs, divided by their norm over the channels.

        Args:
            x: Pixels ``(H, W, 3)`` in [0, 1], each side at least 31.
            y: Pixels of the same shape.

        Returns:
            Number of at least 0; 0 for two equal pictures.

        Raises:
            InputError: A side has fewer than 31 pixels.

        Reference:
            Zhang, Isola, Efros, Shechtman & Wang 2018, *The Unreasonable Effectiveness of Deep Features as a Perceptual
            Metric*; version 0.1 of their weights.
        """
        height, width = x.shape[:2]
        if min(height, width) < MINIMUM_SIZE:
            raise InputError(
                f"Picture of {width}×{height} pixels is too small for LPIPS; each side needs at least {MINIMUM_SIZE} "
                "pixels. Choose a larger image.size."
            )
        return float(self._compiled_distance(tf.constant(x[None], tf.float32), tf.constant(y[None], tf.float32)))

    def _distance(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        layers = zip(self._linear, self._features(x), self._features(y), strict=True)
        return tf.add_n([tf.reduce_mean(tf.reduce_sum(w * tf.square(a - b), axis=-1)) for w, a, b in layers])

    def _features(self, image: tf.Tensor) -> Iterator[tf.Tensor]:
        """Yield the features of each layer, ``(1, h, w, C)``, of norm 1 over the channels."""
        x = (2 * image - 1 - tf.constant(SHIFT)) / tf.constant(SCALE)
        for layer, kernel, bias in self._weights:
            if layer.pooled:
                x = tf.nn.max_pool2d(x, 3, 2, "VALID")
            sides = [layer.padding, layer.padding]
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, layer.stride, [[0, 0], sides, sides, [0, 0]]) + bias)
            yield x / (tf.norm(x, axis=-1, keepdims=True) + NORM_EPSILON)
