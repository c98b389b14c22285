"""Smoothing of features before a loss compares them, and measures of how smooth they are."""

from __future__ import annotations

from enum import Enum

from nst_tf.util.lazy import tf
from nst_tf.util.tensors import elements

PICTURE_AXES = (1, 2, 3)
"""The axes of one picture's features ``(B, H, W, C)``: all its positions and channels together."""


class Smoothing(Enum):
    """Smoothing of the features F of a layer before a loss compares them (Wang, Li & Vasconcelos 2021, "SWAG").

    ``none`` F · ``softmax`` HWC · softmax(F / T), see `spatial_softmax` · ``scale`` ``factor`` · F.

    A multiple of the features multiplies a content loss by its square and a Gram loss by its fourth power. So ``scale``
    only shifts the weights of the losses against each other, and it does not change a ``relative`` reduction at all.
    """

    none = "none"
    softmax = "softmax"
    scale = "scale"


def spatial_softmax(x: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
    """Compute ``HWC · exp(F / T) / Σ exp(F / T)`` of each picture, the sum over all its positions and channels.

    The softmax goes over the whole layer, not over channels or positions alone, because it has to flatten the few
    filters that exceed all others at a few places. It differs from the paper's in two constants. It is multiplied by
    the number of activations, so that their mean is 1 and pictures of different sizes can be compared. And it has a
    temperature, where the paper has 1.

    Args:
        x: ``(B, H, W, C)`` in any precision.
        temperature: T, ``(B,)`` or ``(1,)``, in units of the features.

    Returns:
        ``(B, H, W, C)`` float32, above 0 and of mean 1.
    """
    scaled = tf.cast(x, tf.float32) / temperature[:, None, None, None]
    raised = tf.exp(
        scaled - tf.stop_gradient(tf.reduce_max(scaled, PICTURE_AXES, keepdims=True))
    )  # the maximum cancels
    return raised / tf.reduce_mean(raised, PICTURE_AXES, keepdims=True)


def largest_activation(x: tf.Tensor) -> tf.Tensor:
    """Compute ``max |F|`` of each picture ``(B, H, W, C)``, ``(B,)`` float32; 1 if every activation is 0."""
    value = tf.reduce_max(tf.abs(tf.cast(x, tf.float32)), PICTURE_AXES)
    return tf.where(value > 0, value, tf.ones_like(value))


def entropy(x: tf.Tensor) -> tf.Tensor:
    """Compute the relative entropy ``−Σ p log p / log(HWC)`` of ``p = |F| / Σ|F|``.

    It is 1 if all activations are equal, and 0 if only one of them is not 0.

    Args:
        x: ``(B, H, W, C)`` in any precision. After `spatial_softmax`, p is the softmax itself.

    Returns:
        ``(B,)`` float32; 1 if every activation is 0.
    """
    size = tf.abs(tf.cast(x, tf.float32))
    total = tf.reduce_sum(size, PICTURE_AXES, keepdims=True)
    p = tf.math.divide_no_nan(size, total)
    value = -tf.reduce_sum(tf.math.xlogy(p, p), PICTURE_AXES) / tf.math.log(elements(x))
    return tf.where(tf.squeeze(total, PICTURE_AXES) > 0, value, tf.ones_like(value))


def peak(x: tf.Tensor) -> tf.Tensor:
    """Compute ``max |F| / mean |F|``: 1 if all activations are equal, HWC if only one is not 0.

    Args:
        x: ``(B, H, W, C)`` in any precision.

    Returns:
        ``(B,)`` float32; 1 if every activation is 0.
    """
    size = tf.abs(tf.cast(x, tf.float32))
    mean = tf.reduce_mean(size, PICTURE_AXES)
    return tf.where(mean > 0, tf.math.divide_no_nan(tf.reduce_max(size, PICTURE_AXES), mean), tf.ones_like(mean))
