"""The units in which an optimiser sees pixels, so that a paper's learning rate keeps its meaning."""

from __future__ import annotations

from enum import Enum

from nst_tf.util.imagenet import TORCH_MEAN, TORCH_STD
from nst_tf.util.lazy import tf


class Units(Enum):
    """An affine change of variable ``z = (x − offset) / scale`` of a picture x in [0, 1].

    ``unit`` z = x · ``byte`` z = 255 x · ``normalized`` z = (x − mean)/std with torchvision's ImageNet mean and
    standard deviation per channel. A step in z is ``scale`` times as long in x, and gradients follow by the chain
    rule. So learning rates and epsilons that papers give for 0..255 or for normalised pictures apply as they are.
    """

    unit = "unit"
    byte = "byte"
    normalized = "normalized"

    @property
    def offset(self) -> tf.Tensor:
        """Pixel value at z = 0, ``(3,)`` or scalar, float32."""
        return tf.constant(TORCH_MEAN if self is Units.normalized else 0.0, tf.float32)

    @property
    def scale(self) -> tf.Tensor:
        """Change of the pixel value for a change of 1 in z, ``(3,)`` or scalar, float32."""
        return tf.constant({"unit": 1.0, "byte": 1.0 / 255.0, "normalized": TORCH_STD}[self.value], tf.float32)

    def from_image(self, image: tf.Tensor) -> tf.Tensor:
        """Convert a picture ``(B, H, W, 3)`` in [0, 1] to z."""
        return (image - self.offset) / self.scale

    def to_image(self, z: tf.Tensor) -> tf.Tensor:
        """Convert z to a picture in [0, 1]."""
        return z * self.scale + self.offset

    def gradient(self, gradient: tf.Tensor) -> tf.Tensor:
        """Convert the gradient ∂L/∂x to ∂L/∂z."""
        return gradient * self.scale

    def clamp(self, z: tf.Tensor) -> tf.Tensor:
        """Return the nearest z whose picture is in [0, 1]."""
        return tf.clip_by_value(z, self.from_image(tf.zeros(3)), self.from_image(tf.ones(3)))
