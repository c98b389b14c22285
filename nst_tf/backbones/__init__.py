"""Pretrained networks whose features describe content and style.

`Backbone` is their base and explains how to add one; `BACKBONES` is their table and the config group ``backbone``. A
backbone makes an `Extractor`, from which losses, judges and distillation get features.

From the settings to the features:

- `backbone`, `vgg`, `applications`, `vgg19_lite`: the networks and their settings.
- `symbolic`, `architecture`, `graph`: layer names and shapes before there are weights.
- `counterparts`: layer names of VGG and ResNet-50 on other networks.
- `surgery`: the model that runs, with the settings' pooling, padding, precision and convolutions (`transposed_conv`,
  `winograd`).
- `workload`: the convolutions of a network, as operations that can be timed.
- `download`, `weights`: the weights; `formats`, `hdf5`, `pytorch`, `safetensors`, `state_dict`, `stored`: their files;
  `origin`: whose they are; `trial`: a first look at a file in another process.
- `preprocessing`, `sizes`, `segments`, `float16`, `extractor`: from a picture to features; `gradients`: and back.
"""

from nst_tf.backbones.applications import (
    ConvNeXtTiny,
    DenseNet121,
    EfficientNetV2B0,
    InceptionResNetV2,
    InceptionV3,
    MobileNet,
    MobileNetV3Large,
    ResNet50,
    Xception,
)
from nst_tf.backbones.backbone import Backbone
from nst_tf.backbones.choices import Padding, Pooling
from nst_tf.backbones.download import digest
from nst_tf.backbones.extractor import Extractor
from nst_tf.backbones.preprocessing import Preprocessing
from nst_tf.backbones.vgg import VGG16, VGG19
from nst_tf.backbones.vgg19_lite import VGG19Lite
from nst_tf.backbones.weights import MissingWeights

BACKBONES: dict[str, type[Backbone]] = {
    "vgg16": VGG16,
    "vgg19": VGG19,
    "vgg19_lite": VGG19Lite,
    "resnet50": ResNet50,
    "inception_v3": InceptionV3,
    "inception_resnet_v2": InceptionResNetV2,
    "mobilenet": MobileNet,
    "xception": Xception,
    "densenet121": DenseNet121,
    "efficientnet_v2_b0": EfficientNetV2B0,
    "convnext_tiny": ConvNeXtTiny,
    "mobilenet_v3_large": MobileNetV3Large,
}
"""Class by name; each name is also a file of ``configs/backbone``."""

__all__ = [
    "BACKBONES",
    "VGG16",
    "VGG19",
    "Backbone",
    "ConvNeXtTiny",
    "DenseNet121",
    "EfficientNetV2B0",
    "Extractor",
    "InceptionResNetV2",
    "InceptionV3",
    "MissingWeights",
    "MobileNet",
    "MobileNetV3Large",
    "Padding",
    "Pooling",
    "Preprocessing",
    "ResNet50",
    "VGG19Lite",
    "Xception",
    "digest",
]
