"""Features made smooth before a loss compares them, and how far from smooth they are."""

from __future__ import annotations

from enum import Enum

from nst_tf.util.lazy import tf
from nst_tf.util.tensors import elements

PICTURE = (1, 2, 3)
"""The axes of one picture's features, ``(B, H, W, C)``: all its positions and channels together."""


class Smoothing(Enum):
    """What a loss does to the features of a layer before it compares them (Wang, Li & Vasconcelos 2021, "SWAG").

    ``none`` F as it is · ``softmax`` HWC · softmax(F / T), see `softened` · ``scale`` ``factor`` · F.

    A multiple of the features multiplies a content loss by its square and a Gram loss by its fourth power: ``scale``
    shifts the weights of the losses against each other and does nothing else, and to a ``relative`` reduction it does
    nothing at all.
    """

    none = "none"
    softmax = "softmax"
    scale = "scale"


def spatial_softmax(x: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
    """``HWC · exp(F / T) / Σ exp(F / T)`` of each picture, the sum over all its positions and channels.

    The softmax goes over the whole layer, not over channels or positions alone, since what it has to flatten are the
    few filters at few places that outdo all others. It differs from the paper's in two constants: it is multiplied by
    the number of activations, so that their mean is 1 and a painting of another size than the picture compares with
    it, and it has a temperature where the paper has 1.

    Args:
        x: ``(B, H, W, C)`` in any precision.
        temperature: T, ``(B,)`` or ``(1,)``, in units of the features.

    Returns:
        ``(B, H, W, C)`` float32, above 0 and of mean 1.
    """
    scaled = tf.cast(x, tf.float32) / temperature[:, None, None, None]
    raised = tf.exp(scaled - tf.stop_gradient(tf.reduce_max(scaled, PICTURE, keepdims=True)))  # the maximum cancels
    return raised / tf.reduce_mean(raised, PICTURE, keepdims=True)


def largest(x: tf.Tensor) -> tf.Tensor:
    """``max |F|`` over all positions and channels of each picture, ``(B,)`` float32; 1 where every activation is 0."""
    value = tf.reduce_max(tf.abs(tf.cast(x, tf.float32)), PICTURE)
    return tf.where(value > 0, value, tf.ones_like(value))


def entropy(x: tf.Tensor) -> tf.Tensor:
    """``−Σ p log p / log(HWC)`` of ``p = |F| / Σ|F|``: 1 if all activations are equal, 0 if a single one is not 0.

    Args:
        x: ``(B, H, W, C)`` in any precision. Of `softened` features p is the softmax itself.

    Returns:
        ``(B,)`` float32; 1 where every activation is 0.
    """
    size = tf.abs(tf.cast(x, tf.float32))
    total = tf.reduce_sum(size, PICTURE, keepdims=True)
    share = tf.math.divide_no_nan(size, total)
    value = -tf.reduce_sum(tf.math.xlogy(share, share), PICTURE) / tf.math.log(elements(x))
    return tf.where(tf.squeeze(total, PICTURE) > 0, value, tf.ones_like(value))


def peak(x: tf.Tensor) -> tf.Tensor:
    """``max |F| / mean |F|``, ``(B,)`` float32: 1 if all activations are equal, HWC if a single one is not 0."""
    size = tf.abs(tf.cast(x, tf.float32))
    mean = tf.reduce_mean(size, PICTURE)
    return tf.where(mean > 0, tf.math.divide_no_nan(tf.reduce_max(size, PICTURE), mean), tf.ones_like(mean))
