"""Networks of ``keras.applications`` other than VGG; `BACKBONES` lists them.

Each class gives the network's name, its Keras function, its weights file and the last layer of each resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nst_tf.backbones.backbone import Backbone
from nst_tf.backbones.download import Pretrained
from nst_tf.backbones.keras_application import KerasApplication
from nst_tf.backbones.preprocessing import Preprocessing


@dataclass
class ResNet50(Backbone):
    """ResNet-50: He, Zhang, Ren & Sun 2016, *Deep Residual Learning for Image Recognition*."""

    name: ClassVar[str] = "resnet50"
    application = staticmethod(KerasApplication("ResNet50"))
    pretrained: ClassVar[Pretrained] = Pretrained.from_keras(
        "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "md5:4d473c1dd8becc155b73f8504c6f6626"
    )
    stages: ClassVar[tuple[str, ...]] = (
        *("conv1_relu", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out"),
    )


@dataclass
class InceptionV3(Backbone):
    """Inception-v3: Szegedy et al. 2016, *Rethinking the Inception Architecture for Computer Vision*."""

    preprocessing: Preprocessing = Preprocessing.tf

    name: ClassVar[str] = "inception_v3"
    application = staticmethod(KerasApplication("InceptionV3"))
    pretrained: ClassVar[Pretrained] = Pretrained.from_keras(
        "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5", "md5:bcbd6486424b2319ff4ef7d526e38f63"
    )
    stages: ClassVar[tuple[str, ...]] = ("activation_2", "activation_4", "mixed2", "mixed7", "mixed10")


@dataclass
class InceptionResNetV2(Backbone):
    """Inception-ResNet-v2: Szegedy, Ioffe, Vanhoucke & Alemi 2017, *Inception-v4, Inception-ResNet and the …*."""

    preprocessing: Preprocessing = Preprocessing.tf

    name: ClassVar[str] = "inception_resnet_v2"
    application = staticmethod(KerasApplication("InceptionResNetV2"))
    pretrained: ClassVar[Pretrained] = Pretrained.from_keras(
        "inception_resnet_v2/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5:d19885ff4a710c122648d3b5c3b684e4",
    )
    stages: ClassVar[tuple[str, ...]] = (
        *("activation_2", "activation_4", "block35_10_ac", "block17_20_ac", "conv_7b_ac"),
    )


@dataclass
class MobileNet(Backbone):
    """MobileNet: Howard et al. 2017, *MobileNets: Efficient Convolutional Neural Networks for Mobile Vision …*."""

    preprocessing: Preprocessing = Preprocessing.tf

    name: ClassVar[str] = "mobilenet"
    application = staticmethod(KerasApplication("MobileNet"))
    pretrained: ClassVar[Pretrained] = Pretrained.from_keras("mobilenet/mobilenet_1_0_224_tf_no_top.h5", None)
    stages: ClassVar[tuple[str, ...]] = (
        *("conv_pw_1_relu", "conv_pw_3_relu", "conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu"),
    )


@dataclass
class Xception(Backbone):
    """Xception: Chollet 2017, *Xception: Deep Learning with Depthwise Separable Convolutions*."""

    preprocessing: Preprocessing = Preprocessing.tf

    name: ClassVar[str] = "xception"
    application = staticmethod(KerasApplication("Xception"))
    pretrained: ClassVar[Pretrained] = Pretrained.from_keras(
        "xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5", "md5:b0042744bf5b25fce3cb969f33bebb97"
    )
    stages: ClassVar[tuple[str, ...]] = ("block1_conv2_act", "add", "add_1", "add_10", "block14_sepconv2_act")


@dataclass
class DenseNet121(Backbone):
    """DenseNet-121: Huang, Liu, van der Maaten & Weinberger 2017, *Densely Connected Convolutional Networks*."""

    preprocessing: Preprocessing = Preprocessing.torch

    name: ClassVar[str] = "densenet121"
    application = staticmethod(KerasApplication("DenseNet121"))
    pretrained: ClassVar[Pretrained] = Pretrained.from_keras(
        "densenet/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5", "md5:30ee3e1110167f948a6b9946edeeb738"
    )
    stages: ClassVar[tuple[str, ...]] = ("conv1_relu", "pool2_conv", "pool3_conv", "pool4_conv", "relu")


@dataclass
class EfficientNetV2B0(Backbone):
    """EfficientNetV2-B0: Tan & Le 2021, *EfficientNetV2: Smaller Models and Faster Training*."""

    preprocessing: Preprocessing = Preprocessing.torch

    name: ClassVar[str] = "efficientnet_v2_b0"
    application = staticmethod(KerasApplication("EfficientNetV2B0", include_preprocessing=False))
    pretrained: ClassVar[Pretrained] = Pretrained.from_keras(
        "efficientnet_v2/efficientnetv2-b0_notop.h5", "md5:893217f2bb855e2983157299931e43ff"
    )
    stages: ClassVar[tuple[str, ...]] = (
        *("block1a_project_activation", "block2b_add", "block4a_expand_activation"),
        *("block6a_expand_activation", "top_activation"),
    )


@dataclass
class ConvNeXtTiny(Backbone):
    """ConvNeXt-Tiny, which has four stages: Liu et al. 2022, *A ConvNet for the 2020s*."""

    preprocessing: Preprocessing = Preprocessing.torch

    name: ClassVar[str] = "convnext_tiny"
    application = staticmethod(KerasApplication("ConvNeXtTiny", include_preprocessing=False))
    pretrained: ClassVar[Pretrained] = Pretrained.from_keras(
        "convnext/convnext_tiny_notop.h5", "sha256:d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"
    )
    stages: ClassVar[tuple[str, ...]] = (
        *(f"convnext_tiny_downsampling_layernorm_{n}" for n in range(3)),
        "layer_normalization",
    )


@dataclass
class MobileNetV3Large(Backbone):
    """MobileNetV3-Large: Howard et al. 2019, *Searching for MobileNetV3*."""

    preprocessing: Preprocessing = Preprocessing.tf

    name: ClassVar[str] = "mobilenet_v3_large"
    application = staticmethod(KerasApplication("MobileNetV3Large", include_preprocessing=False))
    pretrained: ClassVar[Pretrained] = Pretrained.from_keras(
        "mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5", "md5:07fb09a5933dd0c8eaafa16978110389"
    )
    stages: ClassVar[tuple[str, ...]] = ("re_lu_1", "re_lu_5", "activation_1", "activation_13", "activation_19")
