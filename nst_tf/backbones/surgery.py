"""Clones of Keras models with other pooling, padding or precision; `Backbone` and distillation make them."""

# Importing `nst_tf.backbones` must not import TensorFlow or Keras, because settings are read without them. This module,
# `transposed_conv` and `winograd` define subclasses of Keras layers and so need Keras at import. Therefore other
# modules of the package import these three inside functions.

from typing import Any

from nst_tf.backbones import transposed_conv, winograd
from nst_tf.backbones.choices import Padding, Pooling
from nst_tf.backbones.transposed_conv import TransposedConv2D
from nst_tf.backbones.winograd import WinogradConv2D
from nst_tf.system.runtime import ConvolutionMethod
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import keras, tf
from nst_tf.util.tensors import side


def pad_circular(x: Any, rows: tuple[Any, Any], columns: tuple[Any, Any]) -> Any:
    """Extend ``(B, H, W, C)`` by the rows and columns at the opposite border.

    Args:
        x: The features.
        rows: Number of rows above and below, each at most H.
        columns: Number of columns before and behind, each at most W.
    """
    height, width = (side(x, axis) for axis in (1, 2))
    x = tf.concat([x[:, height - rows[0] :], x, x[:, : rows[1]]], 1)
    return tf.concat([x[:, :, width - columns[0] :], x, x[:, :, : columns[1]]], 2)


class ReflectConvolution(keras.layers.Layer):
    """Mixin for convolutions: reflect padding, which does not repeat the border, with the extent of ``same``.

    For kernel size ``k``, dilation ``d``, stride ``s`` and ``n`` pixels, TensorFlow's ``same`` adds
    ``max((⌈n/s⌉ − 1)·s + (k − 1)·d + 1 − n, 0)`` pixels, the smaller half of them before. Each side of the input must
    be longer than the half behind.
    """

    def call(self, inputs: Any) -> Any:
        """Pad ``(B, H, W, C)``, then convolve without padding."""
        return super().call(self._pad(inputs, *(self._amounts(inputs, axis) for axis in (0, 1))))

    def _pad(self, inputs: Any, rows: tuple[Any, Any], columns: tuple[Any, Any]) -> Any:
        return tf.pad(inputs, [(0, 0), rows, columns, (0, 0)], "REFLECT")

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


class CircularConvolution(ReflectConvolution):
    """Mixin for convolutions: circular padding with the extent of ``same``; see `ReflectConvolution`."""

    def _pad(self, inputs: Any, rows: tuple[Any, Any], columns: tuple[Any, Any]) -> Any:
        return pad_circular(inputs, rows, columns)


class CircularConv2D(CircularConvolution, keras.layers.Conv2D):
    """A ``Conv2D`` with circular padding."""


class CircularDepthwiseConv2D(CircularConvolution, keras.layers.DepthwiseConv2D):
    """A ``DepthwiseConv2D`` with circular padding."""


class CircularSeparableConv2D(CircularConvolution, keras.layers.SeparableConv2D):
    """A ``SeparableConv2D`` with circular padding."""


class ReflectPadding2D(keras.layers.ZeroPadding2D):
    """A padding layer that reflects the picture without repeating its border."""

    def call(self, inputs: Any) -> Any:
        """Pad ``(B, H, W, C)``; each side must be longer than the padding at either end."""
        return tf.pad(inputs, [(0, 0), *self.padding, (0, 0)], "REFLECT")


class CircularPadding2D(ReflectPadding2D):
    """A padding layer that continues the picture at the opposite border."""

    def call(self, inputs: Any) -> Any:
        """Pad ``(B, H, W, C)``; each side must be longer than the padding at either end."""
        return pad_circular(inputs, *self.padding)


PADDED: dict[Padding, dict[type, Any]] = {
    Padding.zero: {},
    Padding.reflect: {
        keras.layers.Conv2D: ReflectConv2D,
        keras.layers.DepthwiseConv2D: ReflectDepthwiseConv2D,
        keras.layers.SeparableConv2D: ReflectSeparableConv2D,
        keras.layers.ZeroPadding2D: ReflectPadding2D,
    },
    Padding.circular: {
        keras.layers.Conv2D: CircularConv2D,
        keras.layers.DepthwiseConv2D: CircularDepthwiseConv2D,
        keras.layers.SeparableConv2D: CircularSeparableConv2D,
        keras.layers.ZeroPadding2D: CircularPadding2D,
    },
}
"""Class that replaces a padded layer, by Keras's class, for each padding."""

METHOD_CLASSES: dict[ConvolutionMethod, Any] = {
    ConvolutionMethod.transposed: TransposedConv2D,
    ConvolutionMethod.winograd: WinogradConv2D,
}
"""Class that computes a convolution of a frozen network by a method."""

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)


def clone_architecture(
    model: Any,
    pooling: Pooling,
    padding: Padding,
    precision: str = "float32",
    *,
    frozen: bool = False,
    convolution: ConvolutionMethod = ConvolutionMethod.transposed,
) -> Any:
    """Clone a model, with fresh weights, with the given pooling, padding and precision.

    With ``max`` and ``zero`` the clone computes the same function as the model. Average pooling keeps the window and
    the stride of the max pooling that it replaces. The clone has only the layers that lead to the model's outputs.

    Args:
        model: A functional Keras model, channels last.
        pooling: ``average`` replaces every max pooling; ``max`` leaves every layer as it is.
        padding: ``reflect`` and ``circular`` replace the convolutions padded with ``same`` and the layers of zero
            padding; ``zero`` leaves every layer as it is.
        precision: Keras's dtype policy of the layers; ``mixed_bfloat16`` computes in bfloat16 with float32 weights.
        frozen: Whether the clone is never trained. Then convolutions hold their weights in the type they compute in.
        convolution: Method of the wide convolutions of a frozen clone, see
            `supported_methods`.

    Returns:
        A new ``keras.Model`` with the same layer names and the same structure of outputs.

    Raises:
        InputError: The padding is ``circular``, and a layer cannot be continued at the opposite border.
    """
    if padding is Padding.circular:
        _require_wrappable(model)

    def clone(operation: Any) -> Any:
        stored = precision.removeprefix("mixed_") if frozen and isinstance(operation, CONVOLUTIONS) else precision
        return _clone_operation(operation, pooling, padding, stored, convolution if frozen else ConvolutionMethod.plain)

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.trainable = not frozen
    return copy


def clone_with_weights(model: Any, pooling: Pooling, padding: Padding, precision: str = "float32") -> Any:
    """Clone a model as `clone_architecture` does, with the model's weights; the clone is trainable."""
    copy = clone_architecture(model, pooling, padding, precision)
    for layer in filter(lambda layer: layer.weights, copy.layers):
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return copy


def supported_methods(layer: Any) -> tuple[ConvolutionMethod, ...]:
    """Return the methods by which a layer of a frozen network can be computed beside ``plain``, and may be faster.

    The layer is a ``Conv2D`` itself, with stride 1 and zero padding; each method has conditions of its own.
    """
    if type(layer) is not keras.layers.Conv2D or (layer.padding, layer.groups) != ("same", 1):
        return ()
    if not set(layer.strides) == set(layer.dilation_rate) == {1}:
        return ()
    methods = {
        ConvolutionMethod.transposed: transposed_conv.can_replace(layer),
        ConvolutionMethod.winograd: winograd.can_replace(layer),
    }
    return tuple(method for method, can_replace in methods.items() if can_replace)


def prepare_kernels(model: Any) -> None:
    """Let the layers of a frozen model whose weights are final prepare their kernels."""
    passes = winograd.Passes.compiled()
    for layer in model.layers:
        if isinstance(layer, WinogradConv2D):
            layer.prepare_kernel(passes)
        elif isinstance(layer, TransposedConv2D):
            layer.prepare_kernel()


def _class_of(layer: Any, precision: str, method: ConvolutionMethod) -> Any:
    """Return the class of a layer of a frozen network under a method, which matters in float32 on a CPU alone."""
    if precision != "float32" or tf.config.list_physical_devices("GPU"):
        return type(layer)
    return METHOD_CLASSES.get(method.for_layer(supported_methods(layer)), type(layer))


def _clone_operation(
    operation: Any, pooling: Pooling, padding: Padding, precision: str, convolution: ConvolutionMethod
) -> Any:
    if not isinstance(operation, keras.layers.Layer):
        return type(operation).from_config(operation.get_config())
    config = {**operation.get_config(), "dtype": precision}
    if pooling is Pooling.average and isinstance(operation, keras.layers.MaxPooling2D):
        return keras.layers.AveragePooling2D.from_config(config)
    if type(operation) in PADDED[padding] and _is_padded(operation):
        config |= {"padding": "valid"} if isinstance(operation, CONVOLUTIONS) else {}
        return PADDED[padding][type(operation)].from_config(config)
    return _class_of(operation, precision, convolution).from_config(config)


def _is_padded(layer: Any) -> bool:
    """Return whether a layer reads beyond the border."""
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return True
    return layer.padding == "same" and max(_window(layer)) > 1


def _window(layer: Any) -> tuple[int, ...]:
    """Return height and width of the window of a convolution or pooling; 1 for any other layer."""
    return getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None) or (1, 1)


def _require_wrappable(model: Any) -> None:
    """Refuse a network in which a window overlaps its neighbours without a padding that can be made circular."""
    for layer in model.layers:
        window = _window(layer)
        if window == (1, 1) or not hasattr(layer, "strides") or tuple(window) == tuple(layer.strides):
            continue
        is_convolution = type(layer) in CONVOLUTIONS
        after_padding = isinstance(layer.input._keras_history.operation, keras.layers.ZeroPadding2D)
        if not (after_padding or (is_convolution and _is_padded(layer))):
            raise InputError(
                f"backbone.padding=circular: {layer.name} of {model.name} cannot continue at the opposite border. "
                "Choose backbone=vgg19_lite, vgg16, vgg19 or resnet50, or backbone.padding=reflect."
            )
