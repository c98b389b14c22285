"""A convolution layer that is faster on CPUs for many channels; `surgery` puts it into frozen networks."""

from collections.abc import Callable
from typing import Any

from nst_tf.util.lazy import keras, tf

MIN_CHANNELS = 256
"""Number of input channels from which `TransposedConv2D` is faster.

Below, the plain convolution is as fast, and it fuses bias and ReLU into the same kernel.
"""


class TransposedConv2D(keras.layers.Conv2D):
    """A convolution with stride 1 and zero padding, computed as the transpose of a convolution.

    ``K ⋆ x = (K′)ᵀ x`` with the flipped kernel ``K′[u, v, o, i] = K[−u, −v, i, o]``. The products are the same, but
    oneDNN computes the transpose with a kernel that first lays the weights out in blocks; TensorFlow's forward
    convolution does not. VGG-19's convolutions of 512 channels reach 0.9 of the CPU's peak instead of 0.5
    (docs/performance.md).
    """

    flipped_kernel: tf.Tensor | None = None

    def prepare_kernel(self) -> None:
        """Compute the flipped kernel once; call it when the weights are final."""
        self.flipped_kernel = _flip(tf.convert_to_tensor(self.kernel))

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve ``(B, H, W, C)`` with ``(k, k, C, N)`` to ``(B, H, W, N)``, without bias."""
        kernel = tf.convert_to_tensor(kernel)
        return _convolve(inputs, kernel, _flip(kernel) if self.flipped_kernel is None else self.flipped_kernel)


def can_replace(layer: Any) -> bool:
    """Return whether `TransposedConv2D` computes the same as a convolution with stride 1 and may be faster.

    The layer has at least `MIN_CHANNELS` channels and odd kernels above 1.
    """
    return layer.input.shape[-1] >= MIN_CHANNELS and all(k % 2 and k > 1 for k in layer.kernel_size)


def timed_call(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> Callable[[], tf.Tensor]:
    """Return a call of the forward pass with a cached kernel, for a measurement.

    Bias and ReLU belong to it, because TensorFlow fuses them into a plain convolution alone.

    Args:
        x: Input ``(B, H, W, C)``.
        kernel: Kernel ``(k, k, C, N)``.
        bias: Bias ``(N,)``.
    """
    flipped_kernel = _flip(kernel)
    return lambda: tf.nn.relu(tf.nn.bias_add(_transpose(x, flipped_kernel), bias))


def _flip(kernel: tf.Tensor) -> tf.Tensor:
    return tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])  # (k, k, N, C)


@tf.custom_gradient
def _convolve(x: tf.Tensor, kernel: tf.Tensor, flipped_kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
    """Convolve by the flipped kernel; the backward pass transposes the kernel itself, which gets no gradient."""
    return _transpose(x, flipped_kernel), lambda upstream: (_transpose(upstream, kernel), None, None)


def _transpose(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return ``Kᵀ x``, the gradient with respect to the input of the convolution with a kernel ``(k, k, N, C)``."""
    sizes = tf.concat([tf.shape(x)[:3], [kernel.shape[2]]], 0)
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=sizes, filter=kernel, out_backprop=x, strides=[1] * 4, padding="SAME"
    )
