"""Replace pooling and padding inside any functional Keras model."""

from typing import Any

import keras
import tensorflow as tf

from nst_tf.backbones import transposed_conv
from nst_tf.backbones.choices import Padding, Pooling


class Reflecting(keras.layers.Layer):
    """A convolution whose ``same`` padding mirrors the picture without repeating its border.

    As TensorFlow's ``same`` for kernel size ``k``, dilation ``d``, stride ``s`` and ``n`` pixels: in all
    ``max((⌈n/s⌉ − 1)·s + (k − 1)·d + 1 − n, 0)``, the smaller half before; each side of the input must be longer
    than the half behind.
    """

    def call(self, inputs: Any) -> Any:
        """Pad ``(B, H, W, C)``, then convolve without padding."""
        amounts = [self._amounts(inputs, axis) for axis in (0, 1)]
        return super().call(tf.pad(inputs, [(0, 0), *amounts, (0, 0)], "REFLECT"))

    def _amounts(self, inputs: Any, axis: int) -> tuple[Any, Any]:
        reach, stride = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1, self.strides[axis]
        size = inputs.shape[1 + axis]
        if stride == 1:
            total = reach - 1
        elif size is None:
            size = tf.shape(inputs)[1 + axis]
            total = tf.maximum((-(-size // stride) - 1) * stride + reach - size, 0)
        else:
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        return total // 2, total - total // 2

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Height and width divided by the strides, rounded up."""
        batch, *sides, channels = input_shape
        filters = super().compute_output_shape((batch, None, None, channels))[-1]
        return batch, *(side and -(-side // s) for side, s in zip(sides, self.strides, strict=True)), filters


class ReflectConv2D(Reflecting, keras.layers.Conv2D):
    """See `Reflecting`."""


class ReflectDepthwiseConv2D(Reflecting, keras.layers.DepthwiseConv2D):
    """See `Reflecting`."""


class ReflectSeparableConv2D(Reflecting, keras.layers.SeparableConv2D):
    """See `Reflecting`."""


class ReflectPadding2D(keras.layers.ZeroPadding2D):
    """A padding that mirrors the picture without repeating its border."""

    def call(self, inputs: Any) -> Any:
        """Pad ``(B, H, W, C)``; each side must be longer than what is added at either end."""
        return tf.pad(inputs, [(0, 0), *self.padding, (0, 0)], "REFLECT")


REFLECTING = {
    keras.layers.Conv2D: ReflectConv2D,
    keras.layers.DepthwiseConv2D: ReflectDepthwiseConv2D,
    keras.layers.SeparableConv2D: ReflectSeparableConv2D,
}
CONVOLUTIONS = tuple(REFLECTING)


def modified_copy(
    model: Any, pooling: Pooling, padding: Padding, precision: str = "float32", *, frozen: bool = False
) -> Any:
    """Copy a model, freshly initialised, with the pooling, padding and precision asked for.

    With ``max`` and ``zero`` the copy computes what the model does. Average pooling keeps the geometry
    of the max pooling it replaces. The copy forgets every layer that does not lead to the model's outputs.

    Args:
        model: A functional Keras model, channels last.
        pooling: ``max`` leaves every layer as it is.
        padding: ``zero`` leaves every layer as it is; ``reflect`` replaces convolutions padded with ``same``, and
            layers of zero padding.
        precision: Keras's name of the layers' dtype policy; ``mixed_bfloat16`` computes in bfloat16 on float32 weights.
        frozen: The copy is never trained: its convolutions hold their weights in the type they compute in, and take
            the faster route of `TransposedConv2D` where there is one.

    Returns:
        A new ``keras.Model`` with the same layer names and the same structure of outputs.
    """

    def clone(operation: Any) -> Any:
        held = precision.removeprefix("mixed_") if frozen and isinstance(operation, CONVOLUTIONS) else precision
        return _replace(operation, pooling, padding, held, frozen=frozen)

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.trainable = not frozen
    return copy


def rebuild(model: Any, pooling: Pooling, padding: Padding, precision: str = "float32") -> Any:
    """As `altered`, with the model's weights, and trainable."""
    copy = modified_copy(model, pooling, padding, precision)
    for layer in filter(lambda layer: layer.weights, copy.layers):
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return copy


def _replace(operation: Any, pooling: Pooling, padding: Padding, precision: str, *, frozen: bool) -> Any:
    if not isinstance(operation, keras.layers.Layer):
        return type(operation).from_config(operation.get_config())
    config = {**operation.get_config(), "dtype": precision}
    if pooling is Pooling.average and isinstance(operation, keras.layers.MaxPooling2D):
        return keras.layers.AveragePooling2D.from_config(config)
    if padding is Padding.reflect and type(operation) is keras.layers.ZeroPadding2D:
        return ReflectPadding2D.from_config(config)
    if padding is Padding.reflect and _is_padded_convolution(operation):
        return REFLECTING[type(operation)].from_config({**config, "padding": "valid"})
    if frozen and transposed_conv.is_faster_transposed(operation, precision):
        return transposed_conv.TransposedConv2D.from_config(config)
    return type(operation).from_config(config)


def _is_padded_convolution(layer: Any) -> bool:
    return type(layer) in REFLECTING and layer.padding == "same" and max(layer.kernel_size) > 1
