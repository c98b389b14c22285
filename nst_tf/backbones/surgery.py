"""Replace pooling and padding inside any functional Keras model."""

from enum import Enum
from typing import Any

import keras

from nst_tf.backbones import mirrored
from nst_tf.errors import InputError


class Pooling(Enum):
    """How a block is reduced; Gatys et al. 2016 found average pooling slightly more pleasing."""

    max = "max"
    average = "average"


class Padding(Enum):
    """What a convolution sees beyond the border; zeros leave visible edges in some styles."""

    zero = "zero"
    reflect = "reflect"


class ReflectConv2D(keras.layers.Conv2D):
    """A stride-1 convolution whose ``same`` padding mirrors the picture without repeating its border.

    ``before = ⌊(k − 1)·d / 2⌋`` and ``after = (k − 1)·d − before`` pixels for kernel size ``k`` and dilation
    ``d``, which is TensorFlow's ``same``; each side of the input must be longer than ``after``.
    """

    def call(self, inputs: Any) -> Any:
        """Pad ``(B, H, W, C)``, then convolve without padding."""
        totals = [(k - 1) * d for k, d in zip(self.kernel_size, self.dilation_rate, strict=True)]
        amounts = [(total // 2, total - total // 2) for total in totals]
        return super().call(keras.ops.pad(inputs, [(0, 0), *amounts, (0, 0)], mode="reflect"))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Height and width are kept."""
        return (*input_shape[:-1], self.filters)


def rebuild(model: Any, pooling: Pooling, padding: Padding, precision: str = "float32", *, frozen: bool = False) -> Any:
    """Copy a model, its weights included, with the pooling, padding and precision asked for.

    With ``max`` and ``zero`` the copy computes what the model does. Average pooling keeps the geometry
    of the max pooling it replaces. The copy forgets every layer that does not lead to the model's outputs.

    Args:
        model: A functional Keras model, channels last.
        pooling: ``max`` leaves every layer as it is.
        padding: ``zero`` leaves every layer as it is; ``reflect`` replaces convolutions padded with ``same``.
        precision: Keras's name of the layers' dtype policy; ``mixed_bfloat16`` computes in bfloat16 on float32 weights.
        frozen: The copy is never trained: its convolutions hold their weights in the type they compute in, and take
            the faster route of `MirroredConv2D` where there is one.

    Returns:
        A new ``keras.Model`` with the same layer names and the same structure of outputs.

    Raises:
        InputError: ``reflect`` for a convolution with strides, whose padding depends on the picture's size.
    """

    def clone(layer: Any) -> Any:
        held = precision.removeprefix("mixed_") if frozen and isinstance(layer, keras.layers.Conv2D) else precision
        return _replace(layer, pooling, padding, held, frozen=frozen)

    copy = keras.models.clone_model(model, clone_function=clone)
    for layer in filter(lambda layer: layer.weights, copy.layers):
        layer.set_weights(model.get_layer(layer.name).get_weights())
    copy.trainable = not frozen
    return copy


def _replace(layer: Any, pooling: Pooling, padding: Padding, precision: str, *, frozen: bool) -> Any:
    config = {**layer.get_config(), "dtype": precision}
    if pooling is Pooling.average and isinstance(layer, keras.layers.MaxPooling2D):
        return keras.layers.AveragePooling2D.from_config(config)
    if padding is Padding.reflect and _is_padded_convolution(layer):
        return _reflecting(layer, config)
    if frozen and mirrored.serves(layer, precision):
        return mirrored.MirroredConv2D.from_config(config)
    return layer.__class__.from_config(config)


def _is_padded_convolution(layer: Any) -> bool:
    return type(layer) is keras.layers.Conv2D and layer.padding == "same" and max(layer.kernel_size) > 1


def _reflecting(layer: Any, config: dict[str, Any]) -> ReflectConv2D:
    if max(layer.strides) > 1:
        raise InputError(
            f"Convolution '{layer.name}' has strides {layer.strides}, which reflect padding cannot serve; "
            "set backbone.padding=zero"
        )
    return ReflectConv2D.from_config({**config, "padding": "valid"})
