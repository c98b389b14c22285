"""From a picture in RGB [0, 1] to the numbers a pretrained network was trained on."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from nst_tf.util.imagenet import CAFFE_MEAN, TORCH_MEAN, TORCH_STD
from nst_tf.util.lazy import tf


class Preprocessing(Enum):
    """What stands between the picture and the first convolution; it belongs to the weights, not to taste.

    ``caffe``, ``tf`` and ``torch`` are the modes of Keras's ``preprocess_input``; each backbone's default is the one
    that its weights from Keras were trained with. What EfficientNetV2, ConvNeXt and MobileNetV3 do to the picture in
    layers of their own is left out of them and done here, so that it is in one place for all.

    ``caffe`` VGG, ResNet50 · ``tf`` the Inceptions, MobileNets, Xception · ``torch`` DenseNet121, EfficientNetV2B0,
    ConvNeXtTiny, and any weights trained with torchvision's normalisation ·
    ``torch_on_caffe`` to run a paper that normalises as torchvision does on Keras's weights; see `FEATURE_SCALES`.
    """

    caffe = "caffe"
    tf = "tf"
    torch = "torch"
    torch_on_caffe = "torch_on_caffe"


def caffe(image: tf.Tensor) -> tf.Tensor:
    """Map RGB [0, 1] to ``255·BGR − (103.939, 116.779, 123.68)``, as Keras's own VGG weights expect.

    Args:
        image: ``(B, H, W, 3)``, RGB in [0, 1].

    Returns:
        ``(B, H, W, 3)``, BGR, about −124 to 151, not divided by a deviation.

    Reference:
        ``keras.applications.vgg19.preprocess_input``; Simonyan & Zisserman 2015, section 2.1.
    """
    return tf.reverse(image, [-1]) * 255.0 - CAFFE_MEAN[::-1]


def signed(image: tf.Tensor) -> tf.Tensor:
    """Map RGB [0, 1] to ``2·RGB − 1``: Keras's mode ``tf``.

    Args:
        image: ``(B, H, W, 3)``, RGB in [0, 1].

    Returns:
        ``(B, H, W, 3)``, RGB in [−1, 1].

    Reference:
        ``keras.applications.inception_v3.preprocess_input``.
    """
    return 2.0 * image - 1.0


def torch(image: tf.Tensor) -> tf.Tensor:
    """Map RGB [0, 1] to ``(RGB − mean) / std`` with torchvision's means and deviations, and nothing else.

    Right for weights trained this way, such as a file converted from torchvision (kernels transposed from
    ``(out, in, h, w)`` to ``(h, w, in, out)``). Wrong for Keras's ``imagenet`` VGG weights: their first
    convolution reads BGR on a scale some 58 times larger, so that its biases would drown the picture.

    Args:
        image: ``(B, H, W, 3)``, RGB in [0, 1].

    Returns:
        ``(B, H, W, 3)``, RGB, about −2.1 to 2.6.

    Reference:
        ``torchvision.models.VGG19_Weights.IMAGENET1K_V1.transforms``; ``keras.applications.densenet.preprocess_input``.
    """
    return (image - TORCH_MEAN) / TORCH_STD


PREPROCESSORS: dict[Preprocessing, Callable[[tf.Tensor], tf.Tensor]] = {
    Preprocessing.caffe: caffe,
    Preprocessing.tf: signed,
    Preprocessing.torch: torch,
    Preprocessing.torch_on_caffe: caffe,
}

FEATURE_SCALES: dict[Preprocessing, float] = {
    Preprocessing.torch_on_caffe: 1 / (255 * sum(TORCH_STD) / 3),  # 1/57.4
}
"""What features are multiplied by where it is not 1.

Torchvision's normalised pixels are caffe's, flipped to RGB and divided by 255·std, some 57.4; a ReLU network whose
biases are divided along gives the features of the other divided by as much. So ``torch_on_caffe`` gives Keras's
weights what they were trained on and divides the features by 57.4, which puts a paper's content and style weights,
of second and fourth degree in the features, in the proportion they had under torchvision.
"""
