"""The student network: narrow convolutions, and linear heads to the teacher's features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nst_tf.backbones import VGG19Lite
from nst_tf.backbones.preprocessing import caffe
from nst_tf.backbones.vgg19_lite import narrow_layer, vgg19_lite
from nst_tf.util.lazy import keras, tf

TAPS = tuple(name for name in VGG19Lite().aliases() if name.startswith("conv"))
"""The student's layers ``conv1_1`` … ``conv5_1``; each is trained to predict the teacher's layer of the same name."""

INPUT_SCALE = 64.0
"""Divisor of the caffe-style pixels, which gives all weights a similar size; a power of two divides exactly."""

FEATURE_SCALE = 128.0
"""Divisor of the teacher's features, which gives the heads the size of the other weights."""


class Student:
    """The narrow network with one head per tap, ``H (N + 1, N_teacher)`` with ``[F, 1] H ≈ F_teacher / FEATURE_SCALE``.

    Args:
        channels: Number of the teacher's filters at each tap.
        precision: Keras dtype policy of the network.

    Attributes:
        network: Keras model from the preprocessed picture to ``{tap: narrow features}``.
        heads: Variable of each tap's head.
    """

    def __init__(self, channels: Mapping[str, int], precision: str) -> None:
        from nst_tf.backbones.surgery import clone_with_weights  # imports Keras

        lite = VGG19Lite()
        self._layers = {tap: narrow_layer(lite.resolve(tap)) for tap in TAPS}
        lite_model = vgg19_lite()
        outputs = {tap: lite_model.get_layer(name).output for tap, name in self._layers.items()}
        self.network = clone_with_weights(keras.Model(lite_model.input, outputs), lite.pooling, lite.padding, precision)
        self.heads = {
            tap: keras.Variable(np.zeros([self.layer(tap).filters + 1, count], np.float32), name=f"{tap}_head")
            for tap, count in channels.items()
        }

    def layer(self, tap: str) -> keras.layers.Conv2D:
        """Return the narrow convolution of a tap."""
        return self.network.get_layer(self._layers[tap])

    @property
    def variables(self) -> list[keras.Variable]:
        """Trained variables of the network and the heads."""
        return [*self.network.trainable_variables, *self.heads.values()]

    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the narrow features ``(B, h, w, N)`` of each tap, in the network's precision, from RGB in [0, 1]."""
        return self.network(caffe(image) / INPUT_SCALE)

    def weights(self) -> dict[str, list[np.ndarray]]:
        """Return the weights of `vgg19_lite` by layer, without the scales and with each head folded into its tap.

        A head ``H`` to hundreds of channels is folded into the square factor ``R`` of ``H Hᵀ = R Rᵀ``. Distances of
        features and of Gram matrices are the same for ``[F, 1] R`` and for ``[F, 1] H``.
        """
        arrays = {}
        for tap in TAPS:
            layer, scale = self.layer(tap), INPUT_SCALE if tap == TAPS[0] else 1.0
            kernel, bias = layer.get_weights()
            factor = fold(FEATURE_SCALE * self.heads[tap].numpy())
            arrays[layer.name] = [kernel / scale, bias]
            arrays[VGG19Lite().resolve(tap)] = [factor[None, None, :-1], factor[-1]]
        return arrays


def fold(head: np.ndarray) -> np.ndarray:
    """Compute the square factor of a head.

    Args:
        head: Matrix ``H (n, m)`` with m at least n.

    Returns:
        Lower-triangular matrix ``R (n, n)`` float32 with ``R Rᵀ = H Hᵀ``.
    """
    triangle: np.ndarray = np.linalg.qr(head.T.astype(np.float64)).R
    return triangle.T.astype(np.float32)
