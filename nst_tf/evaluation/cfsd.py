"""The content feature structural distance, CFSD: how far the similarities between places of a picture have changed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from nst_tf.backbones import Backbone, Preprocessing
from nst_tf.backbones.preprocessing import FEATURE_SCALES
from nst_tf.images import Picture
from nst_tf.util.compilation import compile_function
from nst_tf.util.lazy import tf

LAYER = "conv3_1"

CHANNELS = 256
"""Number of VGG-19's channels at conv3_1, by which the features are divided.

`VGG19Lite` has fewer channels, but their sums of products estimate VGG-19's.
"""

LARGEST_BLOCK = 1 << 21
"""Largest number of entries of the similarity matrices that are in memory at once, in each of about six tensors.

In float64 a tensor has 16 MiB, and all together have about 100 MiB, whatever the size of the picture is. A single row
exceeds the bound where the picture has more than 5800×5800 pixels.
"""


class CFSD:
    """CFSD with one network.

    Attributes:
        name: Name of the score, with that of the network and its weights.
    """

    def __init__(self, backbone: Backbone, label: str) -> None:
        """Load the network up to conv3_1.

        The softmax depends on the scale of the features. Those of weights that expect pixels of 0 to 255, such as
        Keras's, are divided by 57.4, the ratio of these pixels to torchvision's; without it the softmax is saturated.

        Args:
            backbone: Network whose features are compared. The published figures are those of torchvision's VGG-19.
            label: Name of the network and its weights.
        """
        self.name = f"cfsd_{label}"
        caffe = backbone.preprocessing is Preprocessing.caffe
        self._divisor = CHANNELS / (FEATURE_SCALES[Preprocessing.torch_on_caffe] if caffe else 1.0)
        self._extractor = backbone.extractor([LAYER])
        any_size = tf.TensorSpec([1, None, None, 3], tf.float32)
        self._compiled_features = compile_function(self._extractor, input_signature=[any_size])

    def score(
        self, picture: np.ndarray, content: np.ndarray | None, styles: Sequence[Picture], shares: Sequence[float]
    ) -> float | None:
        """Compute the distance of a picture from its content; None without a content."""
        return None if content is None else cfsd(self._features(content), self._features(picture), self._divisor)

    def _features(self, image: np.ndarray) -> tf.Tensor:
        return self._compiled_features(tf.constant(image[None], tf.float32))[LAYER]


def cfsd(content: tf.Tensor, result: tf.Tensor, divisor: float, largest_block: int = LARGEST_BLOCK) -> float:
    """Compute ``Σ_i KL(K_i(content) ‖ K_i(result))`` with ``K = softmax over j of ⟨F_i, F_j⟩ / d²``.

    F_i are the features at position i. K has as many rows and columns as there are positions, 16384 for a picture
    of 512×512 pixels at conv3_1. It is computed in blocks of rows, which are not kept. The time grows with the square
    of the number of positions.

    Args:
        content: Features ``(1, H, W, C)`` of the content.
        result: Features of the result, of the same shape.
        divisor: The number d, 256 for the published measure.
        largest_block: Largest number of entries of a block; the default is `LARGEST_BLOCK`.

    Returns:
        Number of at least 0; 0 for the content itself.

    Reference:
        Chung, Hyun & Heo 2024, *Style Injection in Diffusion*, CVPR. Their program sums over the positions i.
    """
    p, q = (tf.reshape(x, [-1, x.shape[-1]]) / divisor for x in (content, result))  # (M, C)
    rows = max(1, largest_block // len(p))
    blocks = [_divergence()(p[i : i + rows], p, q[i : i + rows], q) for i in range(0, len(p), rows)]
    return float(np.sum([block.numpy() for block in blocks]))


@functools.cache
def _divergence() -> Any:
    """Return the compiled sum of divergences over a block of rows: ``(R, C), (M, C), (R, C), (M, C)`` to float64."""

    def divergence(p_rows: tf.Tensor, p: tf.Tensor, q_rows: tf.Tensor, q: tf.Tensor) -> tf.Tensor:
        log_p, log_q = (
            tf.nn.log_softmax(tf.cast(tf.matmul(rows, x, transpose_b=True), tf.float64))
            for rows, x in ((p_rows, p), (q_rows, q))
        )  # (R, M); in float32 a divergence of 1e-5, which is usual for a row, would have an error of 1e-6
        return tf.reduce_sum(tf.exp(log_p) * (log_p - log_q))

    return compile_function(divergence, input_signature=[tf.TensorSpec([None, None], tf.float32)] * 4)
