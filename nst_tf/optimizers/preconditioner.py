"""The first metric of a quasi-Newton method: which frequencies of a picture may move how far."""

from __future__ import annotations

import numpy as np

from nst_tf.util.lazy import tf


class Preconditioner:
    """``H₀ x = F⁻¹ (½ / |k|)^power F x`` per picture and channel: symmetric, positive, the identity for power 0.

    F is the discrete Fourier transform over rows and columns, ``|k|`` a frequency in cycles per pixel, at least one
    cycle per picture, so that the mean colour moves with the coarsest wave. A loss over convolutional features bends
    little along coarse waves and much along pixel noise; a metric that favours the former brings a method with a
    short history sooner to where it goes.

    Args:
        shape: ``(B, H, W, C)``.
        power: From 0 up.
    """

    def __init__(self, shape: tuple[int, int, int, int], power: float) -> None:
        self._shape, self._power = shape, power
        height, width = shape[1:3]
        k = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
        self._spectrum = ((0.5 / np.maximum(k, 1 / max(height, width))) ** power).astype(np.complex64)

    def __call__(self, rows: tf.Tensor) -> tf.Tensor:
        """``H₀ x`` for pictures as rows, ``(B, H·W·C)``."""
        if self._power == 0:
            return rows
        planes = tf.transpose(tf.reshape(rows, self._shape), [0, 3, 1, 2])  # the transform is over the last two axes
        waves = tf.signal.rfft2d(planes) * self._spectrum
        planes = tf.signal.irfft2d(waves, self._shape[1:3])
        return tf.reshape(tf.transpose(planes, [0, 2, 3, 1]), tf.shape(rows))
