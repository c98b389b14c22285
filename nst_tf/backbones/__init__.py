"""Pretrained networks whose features describe content and style.

To add one: a subclass of `Backbone` in a file of its own, and a line in the table.
"""

from nst_tf.backbones.backbone import Backbone
from nst_tf.backbones.download import digest
from nst_tf.backbones.extractor import Extractor
from nst_tf.backbones.preprocessing import Preprocessing
from nst_tf.backbones.surgery import Padding, Pooling
from nst_tf.backbones.vgg import VGG16, VGG19
from nst_tf.backbones.vgg19_lite import VGG19Lite
from nst_tf.backbones.weights import MissingWeights

BACKBONES: dict[str, type[Backbone]] = {
    "vgg16": VGG16,
    "vgg19": VGG19,
    "vgg19_lite": VGG19Lite,
}

__all__ = [
    "BACKBONES",
    "VGG16",
    "VGG19",
    "Backbone",
    "Extractor",
    "MissingWeights",
    "Padding",
    "Pooling",
    "Preprocessing",
    "VGG19Lite",
    "digest",
]
