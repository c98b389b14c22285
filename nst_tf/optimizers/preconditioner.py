"""The preconditioner of L-BFGS: a weight for each spatial frequency of a picture."""

from __future__ import annotations

import numpy as np

from nst_tf.util.lazy import tf


class Preconditioner:
    """The initial inverse Hessian ``H₀ x = F⁻¹ (½ / |k|)^power F x``, per picture and channel.

    It is symmetric and positive definite, and the identity for power 0. F is the discrete Fourier transform over rows
    and columns. ``|k|`` is a frequency in cycles per pixel, at least one cycle per picture, so that the mean colour
    has the weight of the coarsest wave. A loss over convolutional features has little curvature along coarse waves and
    much along pixel noise. With a preconditioner that favours coarse waves, L-BFGS needs fewer iterations.

    Args:
        shape: ``(B, H, W, C)``.
        power: Exponent, at least 0.
    """

    def __init__(self, shape: tuple[int, int, int, int], power: float) -> None:
        self._shape, self._power = shape, power
        height, width = shape[1:3]
        k = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
        spectrum = (0.5 / np.maximum(k, 1 / max(height, width))) ** power
        self._spectrum = tf.constant(spectrum.astype(np.complex64))  # an array would be copied into each graph

    def __call__(self, rows: tf.Tensor) -> tf.Tensor:
        """Compute ``H₀ x`` of pictures as rows, ``(B, H·W·C)``."""
        if self._power == 0:
            return rows
        planes = tf.transpose(tf.reshape(rows, self._shape), [0, 3, 1, 2])  # the transform is over the last two axes
        waves = tf.signal.rfft2d(planes) * self._spectrum
        planes = tf.signal.irfft2d(waves, self._shape[1:3])
        return tf.reshape(tf.transpose(planes, [0, 2, 3, 1]), tf.shape(rows))
