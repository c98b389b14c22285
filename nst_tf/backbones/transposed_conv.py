"""A wide float32 convolution by the faster of a CPU's two routes."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

WIDE = 256
"""Channels in from which the detour pays; below, the plain kernel is as fast and takes bias and ReLU along."""


class TransposedConv2D(keras.layers.Conv2D):
    """A stride-1 convolution padded with zeros, computed as the gradient of the one with the mirrored kernel.

    ``K ⋆ x = (K′)ᵀ x`` with ``K′[u, v, o, i] = K[−u, −v, i, o]``: the same products in another kernel of oneDNN, which
    lays the weights out in blocks where TensorFlow's forward convolution reads them as they lie. VGG-19's
    convolutions of 512 channels run at 0.9 of the machine's peak instead of 0.5 so (docs/performance.md).
    """

    transposed_kernel: tf.Tensor | None = None

    def finalize_kernels(self) -> None:
        """Mirror the kernel once for all; call it when the weights are final."""
        self.transposed_kernel = _mirrored(tf.convert_to_tensor(self.kernel))

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """``(B, H, W, C)`` and ``(k, k, C, N)`` to ``(B, H, W, N)``, without bias."""
        kernel = tf.convert_to_tensor(kernel)
        return _convolve(
            inputs, kernel, _mirrored(kernel) if self.transposed_kernel is None else self.transposed_kernel
        )


def is_faster_transposed(layer: Any, precision: str) -> bool:
    """Whether a convolution gains: wide, of odd size, stride 1, padded with zeros, in float32 on a CPU."""
    return (
        type(layer) is keras.layers.Conv2D
        and precision == "float32"
        and not tf.config.list_physical_devices("GPU")
        and layer.input.shape[-1] >= WIDE
        and (layer.padding, layer.groups) == ("same", 1)
        and set(layer.strides) == set(layer.dilation_rate) == {1}
        and all(k % 2 and k > 1 for k in layer.kernel_size)
    )


def finalize_kernels(model: Any) -> None:
    """Settle every such layer of a model whose weights are final."""
    for layer in model.layers:
        if isinstance(layer, TransposedConv2D):
            layer.finalize_kernels()


def _mirrored(kernel: tf.Tensor) -> tf.Tensor:
    """``K′`` ``(k, k, N, C)``."""
    return tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])


@tf.custom_gradient
def _convolve(x: tf.Tensor, kernel: tf.Tensor, transposed_kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
    """The backward pass takes the same route with the kernel as it is; the kernel is frozen and gets no gradient."""
    return _transposed(x, transposed_kernel), lambda upstream: (_transposed(upstream, kernel), None, None)


def _transposed(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """``Kᵀ x``: the gradient at its input of the convolution with a kernel ``(k, k, N, C)``."""
    sizes = tf.concat([tf.shape(x)[:3], [kernel.shape[2]]], 0)
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=sizes, filter=kernel, out_backprop=x, strides=[1] * 4, padding="SAME"
    )
