"""Clones of Keras models with other pooling, padding or precision; `Backbone` and distillation make them."""

# Importing `nst_tf.backbones` must not import TensorFlow or Keras, because settings are read without them. This module
# and `transposed_conv` define subclasses of Keras layers and so need Keras at import. Therefore other modules of the
# package import these two inside functions.

from typing import Any

from nst_tf.backbones import transposed_conv
from nst_tf.backbones.choices import Padding, Pooling
from nst_tf.util.lazy import keras, tf


class ReflectConvolution(keras.layers.Layer):
    """Mixin for convolutions: reflect padding, which does not repeat the border, with the extent of ``same``.

    For kernel size ``k``, dilation ``d``, stride ``s`` and ``n`` pixels, TensorFlow's ``same`` adds
    ``max((⌈n/s⌉ − 1)·s + (k − 1)·d + 1 − n, 0)`` pixels, the smaller half of them before. Each side of the input must
    be longer than the half behind.
    """

    def call(self, inputs: Any) -> Any:
        """Pad ``(B, H, W, C)``, then convolve without padding."""
        amounts = [self._amounts(inputs, axis) for axis in (0, 1)]
        return super().call(tf.pad(inputs, [(0, 0), *amounts, (0, 0)], "REFLECT"))

    def _amounts(self, inputs: Any, axis: int) -> tuple[Any, Any]:
        extent, stride = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1, self.strides[axis]
        size = inputs.shape[1 + axis]
        if stride == 1:
            total = extent - 1
        elif size is None:
            size = tf.shape(inputs)[1 + axis]
            total = tf.maximum((-(-size // stride) - 1) * stride + extent - size, 0)
        else:
            total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        return total // 2, total - total // 2

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape, in which height and width are divided by the strides and rounded up."""
        batch, *sides, channels = input_shape
        filters = super().compute_output_shape((batch, None, None, channels))[-1]
        return batch, *(side and -(-side // s) for side, s in zip(sides, self.strides, strict=True)), filters


class ReflectConv2D(ReflectConvolution, keras.layers.Conv2D):
    """A ``Conv2D`` with reflect padding; see `ReflectConvolution`."""


class ReflectDepthwiseConv2D(ReflectConvolution, keras.layers.DepthwiseConv2D):
    """A ``DepthwiseConv2D`` with reflect padding; see `ReflectConvolution`."""


class ReflectSeparableConv2D(ReflectConvolution, keras.layers.SeparableConv2D):
    """A ``SeparableConv2D`` with reflect padding; see `ReflectConvolution`."""


class ReflectPadding2D(keras.layers.ZeroPadding2D):
    """A padding layer that reflects the picture without repeating its border."""

    def call(self, inputs: Any) -> Any:
        """Pad ``(B, H, W, C)``; each side must be longer than the padding at either end."""
        return tf.pad(inputs, [(0, 0), *self.padding, (0, 0)], "REFLECT")


REFLECT_CONVOLUTIONS = {
    keras.layers.Conv2D: ReflectConv2D,
    keras.layers.DepthwiseConv2D: ReflectDepthwiseConv2D,
    keras.layers.SeparableConv2D: ReflectSeparableConv2D,
}
"""Class with reflect padding by Keras's class of a convolution."""

CONVOLUTIONS = tuple(REFLECT_CONVOLUTIONS)


def clone_architecture(
    model: Any,
    pooling: Pooling,
    padding: Padding,
    precision: str = "float32",
    *,
    frozen: bool = False,
    transposed: bool = True,
) -> Any:
    """Clone a model, with fresh weights, with the given pooling, padding and precision.

    With ``max`` and ``zero`` the clone computes the same function as the model. Average pooling keeps the window and
    the stride of the max pooling that it replaces. The clone has only the layers that lead to the model's outputs.

    Args:
        model: A functional Keras model, channels last.
        pooling: ``average`` replaces every max pooling; ``max`` leaves every layer as it is.
        padding: ``reflect`` replaces the convolutions padded with ``same`` and the layers of zero padding; ``zero``
            leaves every layer as it is.
        precision: Keras's dtype policy of the layers; ``mixed_bfloat16`` computes in bfloat16 with float32 weights.
        frozen: Whether the clone is never trained. Then convolutions hold their weights in the type they compute in.
        transposed: Whether `TransposedConv2D` replaces the wide convolutions of a frozen clone, see
            `transposed_conv.should_transpose`.

    Returns:
        A new ``keras.Model`` with the same layer names and the same structure of outputs.
    """

    def clone(operation: Any) -> Any:
        stored = precision.removeprefix("mixed_") if frozen and isinstance(operation, CONVOLUTIONS) else precision
        return _clone_operation(operation, pooling, padding, stored, transposed=frozen and transposed)

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.trainable = not frozen
    return copy


def clone_with_weights(model: Any, pooling: Pooling, padding: Padding, precision: str = "float32") -> Any:
    """Clone a model as `clone_architecture` does, with the model's weights; the clone is trainable."""
    copy = clone_architecture(model, pooling, padding, precision)
    for layer in filter(lambda layer: layer.weights, copy.layers):
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return copy


def _clone_operation(operation: Any, pooling: Pooling, padding: Padding, precision: str, *, transposed: bool) -> Any:
    if not isinstance(operation, keras.layers.Layer):
        return type(operation).from_config(operation.get_config())
    config = {**operation.get_config(), "dtype": precision}
    if pooling is Pooling.average and isinstance(operation, keras.layers.MaxPooling2D):
        return keras.layers.AveragePooling2D.from_config(config)
    if padding is Padding.reflect and type(operation) is keras.layers.ZeroPadding2D:
        return ReflectPadding2D.from_config(config)
    if padding is Padding.reflect and _is_padded_convolution(operation):
        return REFLECT_CONVOLUTIONS[type(operation)].from_config({**config, "padding": "valid"})
    if transposed and transposed_conv.should_transpose(operation, precision):
        return transposed_conv.TransposedConv2D.from_config(config)
    return type(operation).from_config(config)


def _is_padded_convolution(layer: Any) -> bool:
    return type(layer) in REFLECT_CONVOLUTIONS and layer.padding == "same" and max(layer.kernel_size) > 1
