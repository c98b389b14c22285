"""Layer names of VGG and ResNet-50 on other networks: the same relative depth of the same stage."""

import math

import pytest
import tensorflow as tf

from nst_tf.backbones import BACKBONES, VGG16, VGG19, MobileNet, ResNet50, VGG19Lite
from nst_tf.backbones.counterparts import DEPTHS, counterpart
from nst_tf.util.errors import InputError

VGG_CONVOLUTIONS = [f"conv{stage}_{n}" for stage, count in enumerate((2, 2, 4, 4, 4), 1) for n in range(1, count + 1)]
LIGHT = ("resnet50", "mobilenet", "mobilenet_v3_large", "xception")
OTHERS = [
    name if name in LIGHT else pytest.param(name, marks=pytest.mark.slow)
    for name in BACKBONES
    if not name.startswith("vgg")
]


@pytest.mark.parametrize(
    ("network", "layer", "expected"),
    [
        ("resnet50", "conv1_1", "conv1_relu"),  # the only layer of its stage
        ("resnet50", "conv2_1", "conv2_block2_out"),  # the first half of three blocks, rounded up
        ("resnet50", "conv3_1", "conv3_block1_out"),  # a quarter of four
        ("resnet50", "conv4_2", "conv4_block3_out"),  # the half of six
        ("resnet50", "relu4_2", "conv4_block3_out"),
        ("resnet50", "block4_conv2", "conv4_block3_out"),
        ("resnet50", "conv5_1", "conv5_block1_out"),
        ("resnet50", "pool4", "conv4_block6_out"),
        ("mobilenet", "conv1_1", "conv_dw_1_relu"),  # the second of three
        ("mobilenet", "conv4_2", "conv_pw_8_relu"),  # the sixth of twelve
        ("mobilenet", "conv5_1", "conv_dw_12_relu"),  # the first of four
        ("mobilenet", "conv5_block3_out", "conv_pw_13_relu"),
        ("xception", "conv1_1", "block1_conv1_act"),
        ("xception", "conv2_1", "add"),
        ("xception", "conv4_2", "add_6"),  # the fifth of nine
        ("xception", "block5_pool", "block14_sepconv2_act"),
        ("vgg16", "conv3_4", "block3_conv3"),
        ("vgg16", "conv4_block3_out", "block4_conv2"),  # the half of three, rounded up
        ("vgg19", "conv2_block1_out", "block2_conv1"),
        ("vgg19", "conv5_block2_out", "block5_conv3"),  # two thirds of four, rounded up
        ("vgg19", "conv1_relu", "block1_conv2"),
        ("vgg19_lite", "conv5_2", "block5_conv1"),
    ],
)
def test_a_layer_of_another_network_is_read_at_the_same_depth_of_its_stage(network, layer, expected):
    backbone = BACKBONES[network]()
    assert backbone.resolve(layer) == backbone.counterpart(layer) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("inception_v3", ["activation_1", "activation_3", "mixed0", "mixed4", "mixed5", "mixed8"]),
        (
            "densenet121",
            [
                *("conv1_relu", "conv2_block4_concat", "conv3_block4_concat"),
                *("conv4_block7_concat", "conv4_block13_concat", "conv5_block4_concat"),
            ],
        ),
        (
            "convnext_tiny",
            ["add", "add_3", "add_7", "convnext_tiny_downsampling_conv_2", "add_15", "layer_normalization"],
        ),
    ],
)
def test_the_layers_of_gatys_on_networks_of_other_shapes(network, expected):
    layers = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv4_2", "conv5_1")
    assert [BACKBONES[network]().resolve(layer) for layer in layers] == expected


@pytest.mark.parametrize("name", OTHERS)
def test_the_layers_of_a_stage_end_with_its_end_and_deeper_names_give_deeper_layers(name):
    backbone = BACKBONES[name]()
    stages = backbone.layers_by_stage()
    assert tuple(layers[-1] for layers in stages) == backbone.stages
    layers = backbone.architecture().layers
    order = {layer: position for position, layer in enumerate(layers)}
    assert [layer for stage in stages for layer in stage] == sorted(sum(stages, ()), key=order.get)
    positions = [order[backbone.resolve(layer)] for layer in VGG_CONVOLUTIONS]
    assert positions == sorted(positions)
    assert [backbone.resolve(f"conv{stage}_{n}") for stage, n in ((1, 2), (2, 2), (3, 4), (4, 4))] == [
        backbone.resolve(f"stage{stage}") for stage in range(1, 5)
    ]


def test_the_depth_is_the_fraction_of_the_stage_rounded_up():
    stages = tuple(tuple(f"{stage}:{n}" for n in range(1, count + 1)) for stage, count in enumerate((1, 5, 7), 1))
    for name, depth in DEPTHS.items():
        if depth.stage <= 3:
            count = len(stages[depth.stage - 1])
            assert counterpart(name, stages) == f"{depth.stage}:{math.ceil(count * depth.n / depth.total - 1e-9)}"


def test_a_stage_that_a_network_lacks_is_read_as_the_end_of_its_last():
    stages = (("a", "b"), ("c", "d"))
    assert [counterpart(name, stages) for name in ("conv3_1", "stage5", "conv5_block1_out")] == ["d"] * 3
    assert counterpart("stage6", stages) is counterpart("conv1_3", stages) is counterpart("conv3_1", ()) is None


def test_a_networks_own_name_comes_first():
    assert VGG16().counterpart("conv3_3") is None
    assert VGG16().resolve("conv3_3") == "block3_conv3"
    assert ResNet50().counterpart("conv1_relu") is None
    assert BACKBONES["xception"]().resolve("block1_conv1") == "block1_conv1"


@pytest.mark.parametrize("layer", ["mixed5", "activation_2", "conv4_block7_out", "conv2_3", "conv9_1"])
def test_other_names_are_refused_with_a_remedy(layer, refused):
    with refused(f"Unknown layer '{layer}' for vgg19", "stage5", "VGG-19's names such as conv4_2"):
        VGG19().resolve(layer)


def test_an_unknown_name_is_not_corrected_to_a_number():
    with pytest.raises(InputError, match="Unknown layer 'conv9_1' for resnet50") as refusal:
        ResNet50().resolve("conv9_1")
    assert "conv:" not in str(refusal.value).partition("did you mean")[2]


def test_two_names_of_one_layer_give_its_features_twice_and_the_run_says_how_names_are_read(caplog):
    with caplog.at_level("INFO"):
        extractor = MobileNet(weights="random").extractor(["conv1_2", "stage1", "conv1_1"])
    features = extractor(tf.random.uniform((1, 40, 40, 3), seed=1))
    assert list(features) == ["conv1_2", "stage1", "conv1_1"]
    assert (features["conv1_2"].numpy() == features["stage1"].numpy()).all()
    assert extractor.counterparts == {"conv1_2": "conv_pw_1_relu", "conv1_1": "conv_dw_1_relu"}
    assert caplog.messages == [
        "backbone=mobilenet has other layer names; it reads conv1_2 as conv_pw_1_relu, conv1_1 as conv_dw_1_relu"
    ]


def test_a_network_with_all_layers_says_nothing(caplog):
    with caplog.at_level("INFO"):
        extractor = VGG19Lite(weights="random").extractor(["conv1_1", "stage2"])
    assert (extractor.counterparts, caplog.messages) == ({}, [])
