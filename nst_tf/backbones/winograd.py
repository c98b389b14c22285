"""Winograd's convolution: 3×3 kernels at a quarter of the products, in float32; `surgery` puts it into frozen networks.

The features are cut into tiles of 6×6 values that overlap by 2, d. With the kernel g and the matrices of Lavin & Gray,
each tile gives 4×4 values of the output, ``Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A``, where ⊙ takes 36 products in place of 144.
Over all channels, ⊙ is one matrix product for each of the 36 positions. The transforms only add values with small
factors; they are one product each with the Kronecker squares of ``Bᵀ`` and ``Aᵀ``.

Reference:
    Lavin & Gray 2016, *Fast Algorithms for Convolutional Neural Networks*, section 4, F(4×4, 3×3).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nst_tf.util.lazy import keras, tf
from nst_tf.util.tensors import side

KERNEL_SIDE = 3
"""Rows and columns of a kernel."""

STEP = 4
"""Rows and columns of the output that a tile gives, and the distance between two tiles."""

SIDE = STEP + KERNEL_SIDE - 1
"""Rows and columns of a tile of the input."""

INPUT_TRANSFORM = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    np.float32,
)
"""``Bᵀ`` of Lavin & Gray."""

KERNEL_TRANSFORM = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    np.float32,
)
"""``G`` of Lavin & Gray."""

OUTPUT_TRANSFORM = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ],
    np.float32,
)
"""``Aᵀ`` of Lavin & Gray."""

TILES_TO_PRODUCTS = np.kron(INPUT_TRANSFORM, INPUT_TRANSFORM)
"""``Bᵀ ⊗ Bᵀ``, 36×36: the transform of tiles as columns."""

PRODUCTS_TO_OUTPUT = np.kron(OUTPUT_TRANSFORM, OUTPUT_TRANSFORM)
"""``Aᵀ ⊗ Aᵀ``, 16×36: the transform of the products as columns."""


MIN_CHANNEL_PAIRS = 128 * 256
"""Smallest number of pairs of input and output channels from which `WinogradConv2D` is faster.

Below, the transforms take longer than the products that they save.
"""


class Passes(NamedTuple):
    """The forward and the backward pass, as functions of features and a transformed kernel.

    Compiled ones are traced once for each shape, for all layers and all graphs that call them, and so shorten the start
    of a run. They belong to one network, and are freed with it.
    """

    forward: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    backward: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

    @classmethod
    def compiled(cls) -> "Passes":
        """Return new compiled functions."""
        return cls(tf.function(_forward, autograph=False), tf.function(_backward, autograph=False))


class WinogradConv2D(keras.layers.Conv2D):
    """A convolution of 3×3 with stride 1 and zero padding, computed by Winograd's method.

    The results differ from those of the plain convolution by the rounding of the transforms, about 1e-5 of the largest
    value. The transformed kernel takes 4 times the memory of the kernel.
    """

    tiles_size = SIDE**2 / STEP**2
    """Memory of the tiles of features, in features."""

    transformed_kernel: tf.Tensor | None = None
    passes: Passes | None = None

    def prepare_kernel(self, passes: Passes | None = None) -> None:
        """Transform the kernel once; call it when the weights are final.

        Args:
            passes: Compiled functions that the layer shares with others; None for functions that are not compiled.
        """
        self.transformed_kernel = transform_kernel(tf.convert_to_tensor(self.kernel))
        self.passes = passes

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve ``(B, H, W, C)`` with ``(3, 3, C, N)`` to ``(B, H, W, N)``, without bias."""
        transformed = transform_kernel(kernel) if self.transformed_kernel is None else self.transformed_kernel
        return convolve(inputs, transformed, self.passes)


def can_replace(layer: Any) -> bool:
    """Return whether `WinogradConv2D` computes the same as a convolution with stride 1 and may be faster.

    The layer has kernels of 3×3 and at least `MIN_CHANNEL_PAIRS`.
    """
    pairs = layer.input.shape[-1] * layer.filters
    return pairs >= MIN_CHANNEL_PAIRS and tuple(layer.kernel_size) == (KERNEL_SIDE, KERNEL_SIDE)


def timed_calls(
    x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, upstream: tf.Tensor
) -> dict[str, Callable[[], tf.Tensor]]:
    """Return calls of the forward and the backward pass with a transformed kernel by their way, for a measurement.

    Args:
        x: Input ``(B, H, W, C)``.
        kernel: Kernel ``(3, 3, C, N)``.
        bias: Bias ``(N,)``; like the ReLU, it belongs to the forward pass.
        upstream: Gradient ``(B, H, W, N)`` with respect to the output.
    """
    transformed = transform_kernel(kernel)
    return {
        "forward, winograd": tf.function(lambda: tf.nn.relu(tf.nn.bias_add(_forward(x, transformed), bias))),
        "backward, winograd": tf.function(lambda: _backward(upstream, transformed)),
    }


def transform_kernel(kernel: tf.Tensor) -> tf.Tensor:
    """Return ``G g Gᵀ`` of every pair of channels, ``(36, C, N)``, for a kernel ``(3, 3, C, N)``."""
    transform = tf.constant(np.kron(KERNEL_TRANSFORM, KERNEL_TRANSFORM))
    rows = tf.matmul(transform, tf.reshape(kernel, [KERNEL_SIDE**2, -1]))
    return tf.reshape(rows, [SIDE**2, *kernel.shape[2:]])


def convolve(x: tf.Tensor, transformed: tf.Tensor, passes: Passes | None = None) -> tf.Tensor:
    """Convolve ``(B, H, W, C)`` with a `transform_kernel` ``(36, C, N)``, which gets no gradient."""
    forward, backward = passes or (_forward, _backward)

    @tf.custom_gradient
    def differentiable(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        return forward(x, transformed), lambda upstream: backward(upstream, transformed)

    return differentiable(x)


def _forward(x: tf.Tensor, transformed: tf.Tensor) -> tf.Tensor:
    tiles = _Tiles.of(x)
    products = tf.matmul(TILES_TO_PRODUCTS, _as_columns(tiles.cut(x)))
    products = tf.matmul(_by_channel(products, transformed.shape[1]), transformed)
    return tiles.join(tf.matmul(PRODUCTS_TO_OUTPUT, _as_columns(products)), transformed.shape[2])


def _backward(upstream: tf.Tensor, transformed: tf.Tensor) -> tf.Tensor:
    """Return the gradient with respect to the input: each linear step of `_forward`, transposed, in reverse order."""
    tiles = _Tiles.of(upstream)
    products = tf.matmul(PRODUCTS_TO_OUTPUT, tiles.split(upstream), transpose_a=True)
    products = tf.matmul(_by_channel(products, transformed.shape[2]), transformed, transpose_b=True)
    return tiles.add(tf.matmul(TILES_TO_PRODUCTS, _as_columns(products), transpose_a=True), transformed.shape[1])


def _as_columns(values: tf.Tensor) -> tf.Tensor:
    """Reshape ``(6, 6, …)`` or ``(36, …)`` to a matrix with one row for each position within a tile."""
    return tf.reshape(values, [SIDE**2, -1])


def _by_channel(columns: tf.Tensor, channels: int) -> tf.Tensor:
    """Reshape ``(36, tiles · C)`` to ``(36, tiles, C)``."""
    return tf.reshape(columns, [SIDE**2, -1, channels])


class _Tiles(NamedTuple):
    """The tiles of features ``(B, H, W, ·)``, with ``rows`` of them from top to bottom and ``columns`` across.

    The last row and the last column reach beyond the features, whose sides need not be multiples of `STEP`.
    """

    batch: Any
    height: Any
    width: Any
    rows: Any
    columns: Any

    @classmethod
    def of(cls, x: tf.Tensor) -> "_Tiles":
        batch, height, width = (side(x, axis) for axis in range(3))
        return cls(batch, height, width, -(-height // STEP), -(-width // STEP))

    def cut(self, x: tf.Tensor) -> tf.Tensor:
        """Return the tiles ``(6, 6, B, rows, columns, C)`` of ``(B, H, W, C)`` in a border of zeros."""
        grids = tf.space_to_batch(x, [STEP, STEP], self._border())  # each has every fourth row and column
        grids = tf.reshape(grids, [STEP, STEP, self.batch, self.rows + 1, self.columns + 1, x.shape[-1]])
        grids = tf.concat([grids[:, :, :, :-1], grids[: SIDE - STEP, :, :, 1:]], 0)
        return tf.concat([grids[..., :-1, :], grids[:, : SIDE - STEP, ..., 1:, :]], 1)

    def add(self, tiles: tf.Tensor, channels: int) -> tf.Tensor:
        """Return the sum of overlapping tiles ``(36, …)`` as ``(B, H, W, C)``: the transpose of `cut`."""
        tiles = tf.reshape(tiles, [SIDE, SIDE, self.batch, self.rows, self.columns, channels])
        grids = _fold(_fold(tiles, 0, 3), 1, 4)
        grids = tf.reshape(grids, [STEP**2 * self.batch, self.rows + 1, self.columns + 1, channels])
        return tf.batch_to_space(grids, [STEP, STEP], self._border())

    def join(self, blocks: tf.Tensor, channels: int) -> tf.Tensor:
        """Return blocks of the output, ``(16, …)``, side by side as ``(B, H, W, N)``."""
        blocks = tf.reshape(blocks, [STEP**2 * self.batch, self.rows, self.columns, channels])
        return tf.batch_to_space(blocks, [STEP, STEP], self._beyond())

    def split(self, y: tf.Tensor) -> tf.Tensor:
        """Return the blocks ``(16, B · rows · columns · N)`` of ``(B, H, W, N)``: the transpose of `join`."""
        return tf.reshape(tf.space_to_batch(y, [STEP, STEP], self._beyond()), [STEP**2, -1])

    def _beyond(self) -> list[list[Any]]:
        """Return the rows and columns that the blocks have before and beyond the features."""
        return [[0, self.rows * STEP - self.height], [0, self.columns * STEP - self.width]]

    def _border(self) -> list[list[Any]]:
        """Return the rows and columns of zeros around the features that fill one more tile in each direction."""
        return [[1, beyond + STEP - 1] for _, beyond in self._beyond()]


def _fold(tiles: tf.Tensor, position: int, index: int) -> tf.Tensor:
    """Add the last two positions of each tile to the first two of the next one, along one direction.

    Args:
        tiles: Values of tiles.
        position: Axis of the 6 positions within a tile.
        index: Axis of the tiles in this direction; the result has one more of them.
    """
    axes = range(len(tiles.shape))
    own, shared = tf.split(tiles, [STEP, SIDE - STEP], position)
    own = tf.pad(own, [[0, int(axis == index)] for axis in axes])
    shared = tf.pad(shared, [[int(axis == index), 0] for axis in axes])
    first, rest = tf.split(own, [SIDE - STEP, 2 * STEP - SIDE], position)
    return tf.concat([first + shared, rest], position)
