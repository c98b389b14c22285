"""The network under training: narrow convolutions, and linear heads to the teacher's features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nst_tf.backbones import VGG19Lite
from nst_tf.backbones.preprocessing import caffe
from nst_tf.backbones.surgery import rebuild
from nst_tf.backbones.vgg19_lite import narrow, vgg19_lite
from nst_tf.util.lazy import keras, tf

TAPS = tuple(name for name in VGG19Lite().aliases() if name.startswith("conv"))
"""The student's layers, ``conv1_1`` … ``conv5_1``; each is trained to tell the teacher's of the same name."""

INPUT_SCALE = 64.0
"""The student sees caffe's pixels divided by this, so that its weights are of one size; a power of two, so exact."""

FEATURE_SCALE = 128.0
"""The teacher's features are divided by this, so that heads are of the size of weights."""


class Student:
    """The slim network, and for each tap a head ``H (N + 1, N_teacher)`` with ``[F, 1] H ≈ F_teacher / FEATURE_SCALE``.

    Attributes:
        network: Keras model from the preprocessed picture to ``{tap: narrow features}``.
        heads: Variables by tap.

    Args:
        channels: The teacher's number of filters by tap.
        precision: Keras's dtype policy of the network.
    """

    def __init__(self, channels: Mapping[str, int], precision: str) -> None:
        lite = VGG19Lite()
        self._layers = {tap: narrow(lite.resolve(tap)) for tap in TAPS}
        whole = vgg19_lite()
        cut = keras.Model(whole.input, {tap: whole.get_layer(name).output for tap, name in self._layers.items()})
        self.network = rebuild(cut, lite.pooling, lite.padding, precision)
        self.heads = {
            tap: keras.Variable(np.zeros([self.layer(tap).filters + 1, count], np.float32), name=f"{tap}_head")
            for tap, count in channels.items()
        }

    def layer(self, tap: str) -> keras.layers.Conv2D:
        """The narrow convolution of a tap."""
        return self.network.get_layer(self._layers[tap])

    @property
    def variables(self) -> list[keras.Variable]:
        """What training changes: the network and the heads."""
        return [*self.network.trainable_variables, *self.heads.values()]

    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Narrow features ``(B, h, w, N)`` of a picture in RGB [0, 1], by tap, in the network's precision."""
        return self.network(caffe(image) / INPUT_SCALE)

    def weights(self) -> dict[str, list[np.ndarray]]:
        """The weights of `vgg19_lite` by layer: the scales undone, each head folded into its tap.

        A head ``H`` to hundreds of channels is folded into the square factor ``R`` of ``H Hᵀ = R Rᵀ``: distances,
        and distances of Gram matrices, are the same for ``[F, 1] R`` as for ``[F, 1] H``.
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
    """Square factor of a head.

    Args:
        head: ``H (n, m)``, m at least n.

    Returns:
        Lower-triangular ``R (n, n)`` float32 with ``R Rᵀ = H Hᵀ``.
    """
    triangle: np.ndarray = np.linalg.qr(head.T.astype(np.float64)).R
    return triangle.T.astype(np.float32)
